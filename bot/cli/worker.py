"""`frontdesk worker`: one worker process."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType

import click

from bot.cli.configuration import config_option
from bot.cli.exits import INTERRUPTED, OK

LAST_CALL = 3.0
"""Seconds beyond the worker's own drain after which the process leaves anyway; leases hand its turns to others."""


@click.command()
@config_option
@click.pass_obj
def worker(config: Path | None) -> None:
    """Answer what the web process accepted.

    Many conversations at once; start as many workers as you like, on any host that reaches the same Redis. SIGTERM
    lets running turns finish or hands them back, and the process ends within 30 seconds; a second signal ends it at
    once.

    \b
    Examples:
      frontdesk worker
      frontdesk worker --config /etc/frontdesk.toml
    """
    from bot import logs
    from bot.redis_url import redis_url
    from bot.wiring import open_desk, read_config, worker_of

    settings = read_config(config)
    logs.setup(settings.log.level)
    stop = threading.Event()
    leave_on_signals(stop, within=settings.worker.drain.total_seconds() + LAST_CALL)
    desk = open_desk(settings, redis_url(settings), role="worker")
    try:
        worker_of(desk).run(stop)
    finally:
        desk.close()


def leave_on_signals(stop: threading.Event, *, within: float) -> None:
    """The first signal sets *stop*, and the process is gone *within* seconds; the second ends it at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if stop.is_set():
            os._exit(INTERRUPTED)
        stop.set()
        last = threading.Timer(within, os._exit, [OK])
        last.daemon = True
        last.start()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
