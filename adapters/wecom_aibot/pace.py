"""How often a chat may be written to over the long connection: 30 times a minute and 1,000 an hour, replies and
pushes together (WeCom sheet §4.7).

A bucket lets through its burst at once and then one for each pause, so burst and pauses together are the limit: a
full bucket of 30 would let through 60 in a minute.
"""

from collections.abc import Sequence
from datetime import timedelta

from adapters.shared import Bucket


def for_message(channel: str, chat: str) -> Sequence[Bucket]:
    """What any message to *chat* takes: 10 + 60/3 a minute, 100 + 3600/4 an hour."""
    return (
        Bucket(name=f"{channel}:aibot:{chat}:minute", every=timedelta(seconds=3), burst=10),
        Bucket(name=f"{channel}:aibot:{chat}:hour", every=timedelta(seconds=4), burst=100),
    )


def for_update(channel: str, chat: str) -> Sequence[Bucket]:
    """What an update of a growing answer takes besides, so that the answers themselves always have room."""
    return (
        *for_message(channel, chat),
        Bucket(name=f"{channel}:aibot:{chat}:shown", every=timedelta(seconds=5), burst=3),
    )


def for_upload(channel: str) -> Sequence[Bucket]:
    """30 files a minute and 1,000 an hour."""
    return for_message(channel, "~uploads")
