"""Feishu (飞书) and Lark: the bot of a self-built app, over webhooks."""

from adapters.feishu.channel import Feishu, FeishuSettings

__all__ = ["Feishu", "FeishuSettings"]
