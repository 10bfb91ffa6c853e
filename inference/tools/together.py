"""Several calls at once, within a time, whatever they do."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")


def together(jobs: Sequence[Callable[[], T]], *, at_once: int, within: timedelta) -> list[T | None]:
    """The jobs' results in order; None for one that was not done in time. Who is late is left behind on a daemon
    thread, because nothing can stop a function that hangs. Raises what a job raised."""
    results: dict[int, T] = {}
    raised: list[BaseException] = []
    waiting, changed = deque(enumerate(jobs)), threading.Condition()

    def work() -> None:
        while True:
            with changed:
                if not waiting:
                    return
                index, job = waiting.popleft()
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001  raised again by the caller's thread
                with changed:
                    raised.append(error)
                    changed.notify_all()
                return
            with changed:
                results[index] = result
                changed.notify_all()

    for _ in range(min(at_once, len(jobs))):
        threading.Thread(target=work, name="tool", daemon=True).start()
    end = time.monotonic() + within.total_seconds()
    with changed:
        changed.wait_for(lambda: raised or len(results) == len(jobs), timeout=max(0.0, end - time.monotonic()))
        waiting.clear()
        if raised:
            raise raised[0]
        return [results.get(index) for index in range(len(jobs))]
