"""`frontdesk sandbox`: the platforms, played locally; against a bot elsewhere; or all their journeys at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.configuration import config_option
from bot.cli.exits import FAILED, OK, UNAVAILABLE
from bot.cli.faults import Unavailable

if TYPE_CHECKING:
    from bot.sandbox.conformance.run import Choice

OWN_BOT = "http://127.0.0.1:8080"
NAMES = frozenset({"http", "https"})


@click.command()
@config_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the platforms listen.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--bot", default="", metavar="URL", help=f"Where the bot serves /webhooks/… [default: {OWN_BOT}]")
@click.option(
    "--url", default="", metavar="URL", help="How the bot reaches the sandbox [default: http://HOST:PORT]"
)
@click.option("--print-config", is_flag=True, help="Show the channels to put into frontdesk.toml, and do nothing.")
@click.option("--check", is_flag=True, help="Put the bot through every journey, print a table, and stop.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="With --check: a channel or a journey; may be repeated."
)
@click.pass_obj
def sandbox(
    config: Path | None,
    *,
    host: str,
    port: int,
    bot: str,
    url: str,
    print_config: bool,
    check: bool,
    only: Sequence[str],
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
    from bot.cli.port import any_free, require_free
    from bot.sandbox import against, example, server

    if print_config:
        click.echo(example.toml(url or f"http://{host}:{port}"), nl=False)
        return
    port = port if port and not (check and not bot) else any_free(port)  # our own bot is told, whichever it is
    require_free(host, port)
    address, bot = _address(url, "--url") or f"http://{host}:{port}", _address(bot, "--bot")
    channels = _channels(config) if config else example.config(address)["channels"]
    if check and not bot:
        raise SystemExit(_check_ours(channels if config else _with_variants(channels), host, port, only))
    played = against.platforms(channels, bot or OWN_BOT)
    against.give_ports(channels, played, address)
    if config:
        _require_led_here(against.strays(channels, address, played))
    if check:
        choice = _choice(channels, only)
        _require_bot(bot)
        with server.Sandbox(bot, played, public_url=address).at(host, port):
            raise SystemExit(_table(played, choice, own_model=False))
    raise SystemExit(server.serve(port, bot_url=bot or OWN_BOT, host=host, platforms=played, public_url=address))


def _address(given: str, option: str) -> str:
    """Without a slash at the end; "" if there is none."""
    from urllib.parse import urlsplit

    if given and (urlsplit(given).scheme not in NAMES or not urlsplit(given).hostname):
        raise click.BadParameter("an address begins with http:// or https://", param_hint=option)
    return given.rstrip("/")


def _with_variants(channels: Mapping[str, Any]) -> Mapping[str, Any]:
    from bot.sandbox.conformance.variants import with_variants

    return with_variants(channels)


def _channels(config: Path) -> dict[str, dict[str, Any]]:
    """The configuration's channels as plain tables, secrets resolved: they stay in this process."""
    from bot.wiring import read_config

    found = {name: _plain(settings.model_dump()) for name, settings in read_config(config).channels.items()}
    if not found:
        raise Unavailable(f"{config} has no channels; `frontdesk sandbox --print-config` shows some")
    return found


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


def _require_led_here(strays: Sequence[str]) -> None:
    """A bot that is asked here and answers elsewhere may write to real people."""
    if strays:
        lines = "".join(f"\n  {stray}" for stray in strays)
        raise Unavailable(f"the bot would call elsewhere than this sandbox; set, and start it again:{lines}")


def _require_bot(bot: str) -> None:
    """Something listens at the bot's address."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(bot)
    place = (parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme])
    try:
        socket.create_connection(place, timeout=5).close()
    except OSError as error:
        raise Unavailable(f"no bot answers at {bot}: {error.strerror or error}") from None


def _choice(channels: Mapping[str, Any], only: Sequence[str]) -> "Choice":
    """Which of *only* are channels, and which journeys."""
    from bot.sandbox.conformance.journeys import names
    from bot.sandbox.conformance.run import Choice

    wanted = frozenset(only)
    known = wanted & frozenset(channels)
    journeys = wanted - known
    for name in sorted(journeys - names()):
        if not name.startswith("fault:"):
            known_journeys = ", ".join((*sorted(names()), "fault:…"))
            told = f"{name} is no channel ({', '.join(channels)}) and no journey ({known_journeys})"
            raise click.BadParameter(told, param_hint="--only")
    return Choice(channels=known, names=journeys)


def _check_ours(channels: Mapping[str, Any], host: str, port: int, only: Sequence[str]) -> int:
    from bot.sandbox.conformance.own_bot import NotReady, played

    choice = _choice(channels, only)
    wanted = {name: table for name, table in channels.items() if name in (choice.channels or channels)}
    try:
        with played(wanted, host=host, port=port) as platforms:
            return _table(platforms, choice, own_model=True)
    except NotReady as error:
        click.echo(f"The bot did not come up. The end of its log:\n{error}", err=True)
        return UNAVAILABLE


def _table(platforms: Mapping[str, Any], choice: "Choice", *, own_model: bool) -> int:
    from bot.sandbox.conformance.run import line, run

    ran = wrong = 0
    width = max(map(len, platforms), default=0)
    for seen in run(platforms, choice, own_model=own_model):
        ran, wrong = ran + 1, wrong + bool(seen.wrong)
        click.echo(line(seen, width))
    if not ran:
        raise Unavailable("no such journey on these channels")
    click.echo(f"\n{wrong} of {ran} journeys failed." if wrong else f"\n{ran} journeys, and every one went well.")
    return FAILED if wrong else OK
