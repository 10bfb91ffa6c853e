"""WeChat customer service (微信客服): customers are WeChat users, outside the company."""

from adapters.wecom_kf.channel import WeComKf
from adapters.wecom_kf.settings import WeComKfSettings

__all__ = ["WeComKf", "WeComKfSettings"]
