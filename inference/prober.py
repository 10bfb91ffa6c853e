"""Active probes, beside the passive health of :mod:`inference.replicas`: one thread, while one is in doubt."""

import threading
from collections.abc import Callable
from datetime import timedelta

from inference.replicas import Replica, Replicas, Seen

BEAT = timedelta(seconds=1)


class Prober:
    """Asks each replica that rests or is in doubt every *beat* whether it is there. *ask* must not raise, and must
    end soon.

    A desk whose replicas are well has no thread of it; `wake` starts one, which ends with the last rest and doubt.
    """

    def __init__(self, replicas: Replicas, ask: Callable[[Replica], Seen], *, beat: timedelta = BEAT) -> None:
        self._replicas = replicas
        self._ask = ask
        self._beat = beat
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """A replica has failed, or is silent. Cheap, and callable from any thread."""
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._watch, name="model-prober", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Lets the thread end; it may be in its last probe still."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._over():
            for replica in self._replicas.doubtful():
                self._replicas.note_probe(replica, self._ask(replica))
            self._closed.wait(self._beat.total_seconds())

    def _over(self) -> bool:
        """Decided under the lock, so that a failure noted meanwhile finds the thread or starts a new one."""
        with self._lock:
            if self._replicas.doubtful() and not self._closed.is_set():
                return False
            self._thread = None
            return True
