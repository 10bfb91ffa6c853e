"""The platforms as one configuration names them: its channels, their credentials, its bot's webhook addresses."""

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


def platforms(channels: Mapping[str, Table], bot_url: str) -> dict[str, Platform[Any]]:
    """A platform for each channel, by the channel's name. *channels*: the tables, secrets as plain text."""
    return {name: _platform(name, table, bot_url) for name, table in channels.items()}


def _platform(name: str, table: Table, bot_url: str) -> Platform[Any]:
    kind, keys = KINDS[str(table["platform"])]
    credentials = {theirs: table[ours] for ours, theirs in keys.items() if table.get(ours)}
    played = kind(webhook_url=f"{bot_url.rstrip('/')}/webhooks/{name}", strangers=False, **credentials)
    if isinstance(played, DingTalkPlatform):
        played.streams = table.get("mode") == "stream"
    if isinstance(played, WeComAiBotPlatform):
        played.connects = table.get("mode") == "websocket"
    return played


def strays(channels: Mapping[str, Table], sandbox_url: str) -> list[str]:
    """The channels whose bot would call somewhere else than this sandbox, each with what to set."""
    here = urlsplit(sandbox_url).netloc
    return [
        f'channels.{name}.{key} = "{sandbox_url}/{name}"'
        for name, table in channels.items()
        for key in ("api_base", "oapi_base")
        if key in table and urlsplit(str(table[key])).netloc != here
    ]


def led_here(
    channels: Mapping[str, Table], sandbox_url: str, platforms: Mapping[str, Platform[Any]]
) -> dict[str, dict[str, Any]]:
    """The same tables, their addresses those of this sandbox."""
    led: dict[str, dict[str, Any]] = {}
    for name, table in channels.items():
        here = {"api_base": f"{sandbox_url}/{name}"}
        if table["platform"] == "dingtalk":
            here["oapi_base"] = here["api_base"]
        if isinstance(played := platforms[name], WeComAiBotPlatform) and played.connects:
            here["ws_url"] = played.socket.url
        led[name] = {**table, **here, "assistant": "default"}
    return led
