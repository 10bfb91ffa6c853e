"""WeCom (企业微信). Each of its surfaces is a channel of its own; this one is the self-built app."""

from adapters.wecom.app import WeComApp
from adapters.wecom.settings import WeComSettings

__all__ = ["WeComApp", "WeComSettings"]
