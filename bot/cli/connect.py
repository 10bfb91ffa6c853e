"""`frontdesk connect`: one process that holds the long connections."""

import threading
from pathlib import Path

import click

from bot.cli.configuration import config_option
from bot.cli.worker import leave_on_signals

WITHIN = 10.0
"""Seconds from the first signal to the end of the process."""


@click.command()
@config_option
@click.pass_obj
def connect(config: Path | None) -> None:
    """Hold the platforms' long connections.

    For channels with a long connection instead of webhooks (DingTalk with mode = "stream", WeCom's AI bots with
    mode = "websocket"); without any it waits.
    Start it twice for safety: one holds a channel's connection, the other stands by and takes over within seconds.
    SIGTERM ends it within 10 seconds.

    \b
    Examples:
      frontdesk connect
      frontdesk connect --config /etc/frontdesk.toml
    """
    from bot import logs
    from bot.redis_url import redis_url
    from bot.wiring import connector_of, open_desk, read_config

    settings = read_config(config)
    logs.setup(settings.log.level)
    stop = threading.Event()
    leave_on_signals(stop, within=WITHIN)
    desk = open_desk(settings, redis_url(settings), role="connect")
    try:
        connector_of(desk).run(stop)
    finally:
        desk.close()
