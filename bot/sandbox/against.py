"""The platforms as one configuration names them: its channels, their credentials, its bot's webhook addresses."""

import itertools
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.feishu import FeishuPlatform
from bot.sandbox.simulator.platform import Platform
from bot.sandbox.telegram import TelegramPlatform
from bot.sandbox.wecom import WeComAiBotPlatform, WeComKfPlatform, WeComPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform

Table = Mapping[str, Any]

KINDS: Mapping[str, tuple[type[Platform[Any]], Mapping[str, str]]] = {
    "whatsapp": (
        WhatsAppPlatform,
        {name: name for name in ("phone_number_id", "access_token", "app_secret", "verify_token", "waba_id")},
    ),
    "wecom": (
        WeComPlatform,
        {name: name for name in ("corp_id", "agent_id", "secret", "token", "encoding_aes_key")},
    ),
    "wecom-aibot": (
        WeComAiBotPlatform,
        {name: name for name in ("bot_id", "token", "encoding_aes_key", "secret")},
    ),
    "wecom-kf": (
        WeComKfPlatform,
        {name: name for name in ("corp_id", "secret", "token", "encoding_aes_key", "open_kfid")},
    ),
    "dingtalk": (
        DingTalkPlatform,
        {
            **{name: name for name in ("client_id", "client_secret", "corp_id", "robot_code", "card_secret")},
            "token": "event_token",
            "aes_key": "event_aes_key",
        },
    ),
    "feishu": (
        FeishuPlatform,
        {name: name for name in ("app_id", "app_secret", "verification_token", "encrypt_key", "bot_open_id")},
    ),
    "telegram": (TelegramPlatform, {name: name for name in ("bot_token", "webhook_secret", "username")}),
}
"""Each platform's class, and which key of a channel's table is which of its credentials."""
OPTIONAL: Mapping[type[Platform[Any]], Mapping[str, str]] = {
    FeishuPlatform: {"encrypt_key": "encrypt_key"},
    DingTalkPlatform: {"token": "event_token", "aes_key": "event_aes_key"},
}
"""Keys of a channel without which its platform does less: no encryption, no events."""


def platforms(channels: Mapping[str, Table], bot_url: str) -> dict[str, Platform[Any]]:
    """A platform for each channel, by the channel's name. *channels*: the tables, secrets as plain text."""
    return {name: _platform(name, table, bot_url) for name, table in channels.items()}


def _platform(name: str, table: Table, bot_url: str) -> Platform[Any]:
    kind, keys = KINDS[str(table["platform"])]
    credentials = {theirs: table[ours] for ours, theirs in keys.items() if table.get(ours)}
    left_out = {theirs: "" for ours, theirs in OPTIONAL.get(kind, {}).items() if not table.get(ours)}
    webhook = f"{bot_url.rstrip('/')}/webhooks/{name}"
    played = kind(webhook_url=webhook, strangers=False, **credentials, **left_out)
    if isinstance(played, DingTalkPlatform):
        played.streams = table.get("mode") == "stream"
    if isinstance(played, WeComAiBotPlatform):
        played.connects = table.get("mode") == "websocket"
    return played


def give_ports(channels: Mapping[str, Table], platforms: Mapping[str, Platform[Any]], address: str) -> None:
    """Gives each AI bot's long connection its port: that of its `ws_url`, where that leads to the host of this
    sandbox's *address*; else the next behind the sandbox's."""
    here = urlsplit(address)
    following = itertools.count((here.port or 0) + 1)
    for name, played in platforms.items():
        if isinstance(played, WeComAiBotPlatform) and played.connects:
            wanted = urlsplit(str(channels[name].get("ws_url", "")))
            near = wanted.port if _same(wanted.hostname, here.hostname) else None
            played.socket.port = near or next(following)


def strays(channels: Mapping[str, Table], address: str, platforms: Mapping[str, Platform[Any]]) -> list[str]:
    """What to set in the configuration of the bot whose channels would call somewhere else than this sandbox at
    *address*: real platforms, perhaps, and their real customers."""
    lines: list[str] = []
    for name, table in channels.items():
        for key, wanted in _addresses(name, platforms[name], address).items():
            if not _leads(str(table.get(key, "")), wanted):
                lines.append(f'channels.{name}.{key} = "{wanted}"')
    return lines


def _addresses(name: str, played: Platform[Any], address: str) -> dict[str, str]:
    """The keys of a channel that hold an address, and where it must lead."""
    found = {"api_base": f"{address}/{name}"}
    if isinstance(played, DingTalkPlatform):
        found["oapi_base"] = found["api_base"]
    if isinstance(played, WeComAiBotPlatform) and played.connects:
        found["ws_url"] = f"ws://{urlsplit(address).hostname}:{played.socket.port}"
    return found


def _leads(given: str, wanted: str) -> bool:
    ours, theirs = urlsplit(wanted), urlsplit(given)
    return (
        ours.scheme == theirs.scheme
        and _same(theirs.hostname, ours.hostname)
        and theirs.port == ours.port
        and theirs.path.rstrip("/") == ours.path
    )


def _same(one: str | None, other: str | None) -> bool:
    return one == other or {one, other} <= LOCAL


LOCAL = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104 - compared, not bound
"""Names of this machine for itself."""


def led_here(
    channels: Mapping[str, Table], address: str, platforms: Mapping[str, Platform[Any]]
) -> dict[str, dict[str, Any]]:
    """The same tables, their addresses those of this sandbox, for a bot with one assistant. All listen already."""
    led: dict[str, dict[str, Any]] = {}
    for name, table in channels.items():
        here = _addresses(name, platforms[name], address)
        if isinstance(played := platforms[name], WeComAiBotPlatform) and played.connects:
            here["ws_url"] = played.socket.url
        led[name] = {**table, **here, "assistant": "default"}
    return led
