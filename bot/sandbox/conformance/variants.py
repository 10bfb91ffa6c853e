"""Second ways in, beside the example's channels: DingTalk by stream, the AI bot by long connection."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.wecom import WeComAiBotPlatform


def with_variants(channels: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """*channels* of the example, and two more with credentials of their own: tokens are shared by those."""
    url_keys = ("token", "encoding_aes_key")
    socket = {key: value for key, value in channels["wecom-aibot"].items() if key not in url_keys}
    return {
        **{name: dict(table) for name, table in channels.items()},
        "dingtalk-stream": {**channels["dingtalk"], "client_id": "dingsandboxstream01", "mode": "stream"},
        "wecom-aibot-socket": {
            **socket,
            "bot_id": "aibSANDBOX0002",
            "mode": "websocket",
            "secret": WeComAiBotPlatform().secret,
        },
    }
