"""The engine's fixed measures, shared by both implementations of the inbox."""

from datetime import timedelta

RECENT_FOR = timedelta(minutes=30)
"""How long a sent text counts as sent lately: WeCom's default duplicate check (WeCom sheet §3.4)."""

OBSERVED_FOR = timedelta(days=1)
"""How long a status update is remembered."""

STATUS_FOR = timedelta(days=8)
"""How long it is known how far a message of ours got: WhatsApp repeats a webhook for seven days."""

METERED_FOR = timedelta(days=400)
"""How long a month's counts are kept after they last changed."""

ALIAS_FOR = timedelta(days=90)
"""How long it is known whom an alias means, since it was last heard of."""

GROWN_FOR = timedelta(hours=1)
"""How long an answer that grows can be read after it was opened."""

HISTORY_LENGTH = 200
"""Entries of history kept for one conversation; the prompt takes the newest that fit its budget."""

LONGEST_SLEEP = timedelta(hours=1)
"""What `wake` returns at most."""

NAME_TAKEN_FOR = timedelta(days=1)
"""How long a reminder's name stays taken once it came or was called off."""

WAKE_AT_ONCE = 100
"""Due tickets and reminders that one `wake` moves in each shard; more are moved by the next call, at once."""
