"""Threads that are used again: each message needs two, one for its turn and one to say that it is answered."""

import queue
import threading
from collections.abc import Callable

LINGER = 10.0
"""Seconds that a thread waits for more work: what a rush needed is given back after it."""

Work = Callable[[], None]


class Threads:
    """Begins each piece of work at once, on a thread that has none, or else on a new one. Thread-safe. The process
    waits for none of them when it ends."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._given: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._free = 0
        """How many threads wait beyond the pieces of work that are on their way to one."""
        self._guard = threading.Lock()

    def run(self, work: Work) -> None:
        if self._reserved():
            self._given.put(work)
        else:
            threading.Thread(target=self._serve, args=(work,), name=self._name, daemon=True).start()

    def _reserved(self) -> bool:
        """Whether there was a free thread: it is the caller's now."""
        with self._guard:
            found = self._free > 0
            self._free -= found
            return found

    def _serve(self, work: Work) -> None:
        while True:
            work()
            with self._guard:
                self._free += 1
            try:
                work = self._given.get(timeout=LINGER)
            except queue.Empty:
                if self._reserved():  # itself, so that nobody counts on it any more
                    return
                work = self._given.get()
