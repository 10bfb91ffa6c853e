"""`frontdesk run`: all in one."""

import http.client
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.configuration import config_option
from bot.cli.exits import CONFIG, INTERRUPTED

if TYPE_CHECKING:
    from bot.config import Config
    from bot.supervisor import Program


@click.command()
@config_option
@click.pass_obj
def run(config: Path | None) -> None:
    """Start everything, and keep it running.

    The web process, a worker, what holds long connections, and Redis if none is configured. Without any
    configuration it also plays the platforms, with a page to write as a customer: open the address that it prints.
    What dies is started again; SIGTERM or Ctrl-C stops all in order within 30 seconds.

    \b
    Examples:
      frontdesk run
      frontdesk run --config shop.toml
      FRONTDESK__SERVER__PORT=9000 frontdesk run
    """
    from bot import logs
    from bot.cli.port import any_free, require_free
    from bot.cli.screen import own_address, text
    from bot.data_dir import require_writable
    from bot.supervisor import EmbeddedStore, Service, Supervisor
    from bot.wiring import read_config
    from sessions.embedded import EmbeddedRedis

    settings = read_config(config)
    require_writable(settings.server.data_dir)
    require_free(settings.server.host, settings.server.port)
    services: list[Service] = []
    if not settings.channels and settings.path is None:
        sandbox_port = any_free(8090)
        os.environ.update(example_environment(f"http://127.0.0.1:{sandbox_port}"))
        settings = read_config(config)
        services.append(sandbox_program(sandbox_port, own_address(settings)))
    logs.setup(settings.log.level)
    if not settings.redis.url:
        redis = EmbeddedRedis(settings.server.data_dir, fsync=settings.redis.fsync)
        os.environ["FRONTDESK__REDIS__URL"] = redis.url
        services.insert(0, EmbeddedStore(redis=redis))
    supervisor = Supervisor([*services, *desk_programs(settings)])

    def announce() -> bool:
        up = answers(own_address(settings))
        if up:
            click.echo(text(settings))
        return up

    code = supervisor.run(announce)
    raise SystemExit(INTERRUPTED if supervisor.hurried else code)


def desk_programs(settings: "Config") -> Iterator["Program"]:
    """The worker, then the ways in: stopping goes the other way round, so that nothing new comes in while the
    running turns finish. The kernel tells gunicorn to quit, which takes its workers along, and kills the worker,
    whose turns are safe."""
    from bot.supervisor import Program
    from bot.wiring import connects

    place = ["--config", str(settings.path)] if settings.path else []
    ours = [sys.executable, "-m", "bot.cli", *place]
    final = frozenset([CONFIG])
    yield Program(name="worker", command=[*ours, "worker"], grace=timedelta(seconds=28), final=final)
    if connects(settings):
        yield Program(name="connect", command=[*ours, "connect"], grace=timedelta(seconds=10), final=final)
    yield Program(name="web", command=[*ours, "web"], grace=timedelta(seconds=3), final=final, death=signal.SIGQUIT)


def sandbox_program(number: int, bot: str) -> "Program":
    from bot.supervisor import Program

    command = [sys.executable, "-m", "bot.cli", "sandbox", "--port", str(number), "--bot", bot]
    return Program(name="sandbox", command=command, grace=timedelta(seconds=1))


def example_environment(sandbox: str) -> dict[str, str]:
    """The example shop as environment variables, so that no file has to be written or could grow stale."""
    from bot.sandbox import example

    return {"FRONTDESK_SANDBOX": sandbox, **dict(_variables("FRONTDESK", example.config(sandbox)))}


def _variables(prefix: str, tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in tables.items():
        variable = f"{prefix}__{name.upper()}"
        if isinstance(value, Mapping):
            yield from _variables(variable, value)
        else:
            yield variable, value if isinstance(value, str) else json.dumps(value)


def answers(address: str) -> bool:
    """Whether the web process says that it is healthy."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=0.5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
