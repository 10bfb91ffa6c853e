"""WeCom (企业微信), played locally (WeCom sheet §9)."""

from bot.sandbox.wecom.app import WeComPlatform

__all__ = ["WeComPlatform"]
