"""The other side of a fake platform: a bot that only records, and waiting for what comes later."""

import time
from collections.abc import Callable

from tests.fakes import Answer, Call, RecordingServer


def recording_bot(answer: Callable[[Call], Answer] | None = None) -> RecordingServer:
    """Answers every webhook with an empty 200, or with what *answer* says; `faults` come first."""
    return RecordingServer(answer or (lambda _: Answer()), faulty=lambda _: True)


def wait_until(holds: Callable[[], bool], within: float = 5.0) -> None:
    """Returns as soon as *holds*; fails the test after *within* seconds."""
    ends = time.monotonic() + within
    while not holds():
        assert time.monotonic() < ends, "it never came to hold"
        time.sleep(0.005)
