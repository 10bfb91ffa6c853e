"""`frontdesk sandbox`: the platforms, played locally; against a bot elsewhere; or all their journeys at once."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bot.cli.configuration import config_option
from bot.cli.exits import FAILED, UNAVAILABLE

OWN_BOT = "http://127.0.0.1:8080"


@click.command()
@config_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the platforms listen.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--bot", default="", metavar="URL", help=f"Where the bot serves /webhooks/… [default: {OWN_BOT}]")
@click.option("--print-config", is_flag=True, help="Show the channels to put into frontdesk.toml, and do nothing.")
@click.option("--check", is_flag=True, help="Put the bot through every journey, print a table, and stop.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="With --check: a channel or a journey; may be repeated."
)
@click.pass_obj
def sandbox(
    config: Path | None, *, host: str, port: int, bot: str, print_config: bool, check: bool, only: Sequence[str]
) -> None:
    """Play the platforms on this machine, faults included.

    WhatsApp, WeCom (app, AI bot, customer service), DingTalk, Feishu and Telegram, with a page at /sandbox/.
    Without --config, the channels are those of --print-config; with it, the platforms have that configuration's
    credentials, and its api_base must lead here. `frontdesk run` without a configuration starts it by itself.

    --check needs no page: it tries duplicates, bursts, forged and broken webhooks, a slow model and the common
    faults on every channel. Without --bot it starts a bot of its own for that, with a model that is played too.
    Exit code 1 if anything was wrong.

    \b
    Examples:
      frontdesk sandbox --print-config >> frontdesk.toml
      frontdesk sandbox --bot http://127.0.0.1:9000
      frontdesk sandbox --bot https://bot.example.com --config frontdesk.toml
      frontdesk sandbox --check
      frontdesk sandbox --check --only whatsapp --only duplicate
    """
    from bot.cli.port import require_free
    from bot.sandbox import against, example, server
    from bot.sandbox.conformance.variants import with_variants

    if print_config:
        click.echo(example.toml(f"http://{host}:{port}"), nl=False)
        return
    port = port or _any_port()
    require_free(host, port)
    address = f"http://{host}:{port}"
    channels = _channels(config) if config else example.config(address)["channels"]
    if check and not config and not bot:
        channels = with_variants(channels)
    if check:
        raise SystemExit(_check(channels, host, port, bot, frozenset(only)))
    for stray in against.strays(channels, address):
        click.echo(f"The bot would call elsewhere; set {stray}", err=True)
    played = against.platforms(channels, bot or OWN_BOT)
    raise SystemExit(server.serve(port, bot_url=bot or OWN_BOT, host=host, platforms=played))


def _any_port() -> int:
    from bot.sandbox.conformance.own_bot import free_port

    return free_port()


def _channels(config: Path) -> dict[str, dict[str, Any]]:
    """The configuration's channels as plain tables, secrets resolved: they stay in this process."""
    from bot.wiring import read_config

    return {name: _plain(settings.model_dump()) for name, settings in read_config(config).channels.items()}


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    from datetime import timedelta

    from pydantic import SecretStr

    plain: dict[str, Any] = {}
    for key, value in table.items():
        told = value.get_secret_value() if isinstance(value, SecretStr) else value
        told = told.total_seconds() if isinstance(told, timedelta) else told
        if told is not None and told != "":
            plain[key] = list(told) if isinstance(told, tuple | frozenset) else told
    return plain


def _check(channels: Mapping[str, Any], host: str, port: int, bot: str, only: frozenset[str]) -> int:
    from bot.sandbox import against
    from bot.sandbox.conformance.own_bot import NotReady, free_port, own_bot
    from bot.sandbox.server import Sandbox

    if bot:
        with Sandbox(bot, against.platforms(channels, bot)).at(host, port) as stage:
            return _table(stage.platforms, only, own_model=False)
    own = free_port()
    address = f"http://127.0.0.1:{own}"
    with tempfile.TemporaryDirectory(prefix="frontdesk-") as folder:
        platforms = against.platforms(channels, address)
        with Sandbox(address, platforms).at(host, port) as stage:
            here = against.led_here(channels, stage.url, platforms)
            try:
                with own_bot(here, Path(folder), port=own):
                    return _table(stage.platforms, only, own_model=True)
            except NotReady as error:
                click.echo(f"The bot did not come up. The end of its log:\n{error}", err=True)
                return UNAVAILABLE


def _table(platforms: Mapping[str, Any], only: frozenset[str], *, own_model: bool) -> int:
    from bot.sandbox.conformance.run import Choice, line, run

    names = only & set(platforms)
    wrong = 0
    width = max(map(len, platforms), default=0)
    for seen in run(platforms, Choice(channels=frozenset(names), names=only - names), own_model=own_model):
        wrong += bool(seen.wrong)
        click.echo(line(seen, width))
    click.echo(f"\n{wrong} of the journeys failed." if wrong else "\nEvery journey went well.")
    return FAILED if wrong else 0
