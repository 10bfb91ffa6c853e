"""What the machine gave while it was measured: figures of a busy one, or of a slow disk, are not the product's."""

import os
import platform
import tempfile
import time

from bench.load import percentile

SYNCS = 300


def described() -> str:
    """One line. An accept waits for one sync of the disk; a reply goes out after three more."""
    syncs = sorted(_syncs())
    load, cores = os.getloadavg()[0], os.cpu_count()
    return (
        f"Python {platform.python_version()}, {platform.machine()}, {cores} cores, load {load:.1f}; "
        f"fdatasync p50 {percentile(syncs, 0.5):.2f}, p99 {percentile(syncs, 0.99):.1f} ms"
    )


def _syncs() -> list[float]:
    """Milliseconds of each small append's way to the disk, where the bench's data lies."""
    took = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(SYNCS):
            file.write(b"x" * 300)
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - start) * 1000)
    return took
