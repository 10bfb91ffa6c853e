"""DingTalk (钉钉), played locally (DingTalk sheet §9)."""

from bot.sandbox.dingtalk.platform import DingTalkPlatform

__all__ = ["DingTalkPlatform"]
