"""WeCom (企业微信), played locally: an app, an AI bot, and WeChat customer service (WeCom sheet §9)."""

from bot.sandbox.wecom.aibot import WeComAiBotPlatform
from bot.sandbox.wecom.app import WeComPlatform
from bot.sandbox.wecom.kf import WeComKfPlatform

__all__ = ["WeComAiBotPlatform", "WeComKfPlatform", "WeComPlatform"]
