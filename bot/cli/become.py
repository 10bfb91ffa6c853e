"""Replacing this process by another program, so that signals and the exit code are the program's own."""

import os
import sys
from collections.abc import Mapping
from typing import NoReturn


def become(arguments: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Never returns; raises OSError if the program cannot be started."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(arguments[0], arguments, environment)  # noqa: S606  there is no shell to inject into
