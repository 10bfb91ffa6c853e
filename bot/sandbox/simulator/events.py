"""The journal of one platform as Server-Sent Events."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Protocol

from bot.sandbox.simulator.describe import described
from bot.sandbox.simulator.journal import Journal
from bot.sandbox.simulator.serving import Answer, Incoming

STREAM_LIFE = 10.0
"""Seconds: bounds how long a reader that is gone, or a server that stops, holds a thread."""
HEARTBEAT = timedelta(seconds=2)
MOST_AT_ONCE = 600
"""Older entries are left out when a reader begins."""


class Told(Protocol):
    """Whatever keeps a journal."""

    journal: Journal


def events(platform: Told, incoming: Incoming) -> Answer:
    last = incoming.headers.get("last-event-id") or incoming.argument("after")
    return Answer(
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        stream=_stream(platform, last),
    )


def _stream(platform: Told, last: str) -> Iterator[bytes]:
    """Event ids are `<epoch>-<number>`; when the epoch moved on, `reset` tells the reader to start anew."""
    journal = platform.journal
    epoch, _, told = last.partition("-")
    number = int(told) if told.isdecimal() else 0
    ends = time.monotonic() + STREAM_LIFE
    yield b"retry: 300\n\n"
    while time.monotonic() < ends:
        if epoch != journal.epoch:
            epoch, number = journal.epoch, 0
            yield _event("reset", f"{epoch}-0", {})
        entries = journal.after(number, wait=HEARTBEAT)
        if not entries:
            yield b": still here\n\n"
        for number, entry in entries[-MOST_AT_ONCE:]:
            told_entry = described(entry)
            yield _event(told_entry["kind"], f"{epoch}-{number}", told_entry)


def _event(name: str, identity: str, data: Mapping[str, Any]) -> bytes:
    return f"id: {identity}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()
