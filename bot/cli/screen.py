"""What `frontdesk run` says once everything is up."""

from collections.abc import Iterator
from importlib.metadata import version
from os import environ

from bot.config import Config

ANYWHERE = frozenset(("0.0.0.0", "::", ""))  # noqa: S104  compared with, not listened on


def own_address(config: Config) -> str:
    """How this machine reaches the web process."""
    host = "127.0.0.1" if config.server.host in ANYWHERE else config.server.host
    return f"http://[{host}]:{config.server.port}" if ":" in host else f"http://{host}:{config.server.port}"


def text(config: Config) -> str:
    """The whole screen. It names no secret and no credential of a URL."""
    rows = [*_rows(config)]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    return "\n".join(["", f"Frontdesk {version('frontdesk')} is open.", "", *lines, "", "Ctrl-C stops it.", ""])


def _rows(config: Config) -> Iterator[tuple[str, str]]:
    address = own_address(config)
    yield "Address", address
    if environ.get("FRONTDESK_SANDBOX"):
        yield "Sandbox", f"{address}/sandbox/   write as a customer, watch the webhook go in and the reply come out"
    public = config.server.public_url or address
    width = max((len(name) for name in config.channels), default=0)
    heading = "Channels"
    for name, channel in config.channels.items():
        yield heading, f"{name:<{width}}  {public}/webhooks/{name}  ({channel.platform})"
        heading = ""
    if not config.channels:
        yield heading, "none: add a [channels.<name>] table to the configuration"
    yield "Model", _model(config)
    yield "Redis", "as configured" if config.redis.url else f"our own, under {config.server.data_dir / 'redis'}"
    for warning in config.warnings:
        if not warning.startswith("model.replicas"):  # said above
            yield "Mind", warning


def _model(config: Config) -> str:
    if not config.model.replicas:
        return (
            "no model configured: answers come from the FAQ alone, and a colleague is promised for the rest "
            "(set model.replicas; `frontdesk model` serves one)"
        )
    return f"{config.model.name} at {', '.join(config.model.replicas)}"
