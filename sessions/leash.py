"""Runs a command that dies with its parent: `python -I -S leash.py <parent's pid> <command> …`.

The kernel is asked, in the child, to terminate it when the thread that started it is gone, however that happens.
This is a program of its own, because code between fork and exec is not safe in a process that has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before it was asked
            sys.exit(0)
    os.execv(command[0], command)  # noqa: S606  this is what it is for


if __name__ == "__main__":
    main()
