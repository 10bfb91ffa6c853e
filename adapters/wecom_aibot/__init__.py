"""WeCom's AI bot (企业微信智能机器人): members talk to it alone, or in groups with an @ (WeCom sheet §4)."""

from adapters.wecom_aibot.channel import WeComAiBot
from adapters.wecom_aibot.settings import WeComAiBotSettings

__all__ = ["WeComAiBot", "WeComAiBotSettings"]
