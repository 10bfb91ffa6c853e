"""`frontdesk web`: one web process."""

import os
import sys
from pathlib import Path

import click

from bot.cli.configuration import config_option


@click.command()
@config_option
@click.pass_obj
def web(config: Path | None) -> None:
    """Receive webhooks and put them into Redis.

    Becomes gunicorn with the shipped settings. Put a buffering proxy in front when it faces the internet
    (deploy/nginx.conf). SIGTERM finishes running requests and exits 0.

    \b
    Examples:
      frontdesk web
      FRONTDESK__SERVER__PORT=9000 frontdesk web
    """
    from bot import logs
    from bot.cli.become import become
    from bot.cli.port import require_free
    from bot.redis_url import redis_url
    from bot.wiring import open_desk, read_config

    settings = read_config(config)
    logs.setup(settings.log.level)
    environment = {**os.environ, "FRONTDESK__REDIS__URL": redis_url(settings)}
    if settings.path is not None:
        environment["FRONTDESK_CONFIG"] = str(settings.path)
    open_desk(settings, environment["FRONTDESK__REDIS__URL"], role="tool").close()  # what is wrong is said here
    require_free(settings.server.host, settings.server.port)
    become(
        [sys.executable, "-m", "gunicorn", "-c", "python:bot.edge.gunicorn_settings", "bot.wiring:web_app()"],
        environment,
    )
