"""DingTalk (钉钉): the robot of an enterprise's own app, over HTTP callbacks."""

from adapters.dingtalk.channel import DingTalk
from adapters.dingtalk.settings import DingTalkSettings

__all__ = ["DingTalk", "DingTalkSettings"]
