"""What the operator says about WeCom's surfaces in the configuration."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from adapters.channel import ChannelSettings
from adapters.crypto import callback_key
from adapters.fields import Base


def _callback_key(given: SecretStr) -> SecretStr:
    callback_key(given.get_secret_value())
    return given


CallbackKey = Annotated[SecretStr, AfterValidator(_callback_key)]
"""An EncodingAESKey, looked at with the rest of the configuration so that all problems are told at once."""


class CallbackSettings(ChannelSettings):
    """One callback URL's secrets, while they are rotated the old ones too."""

    token: SecretStr
    token_previous: SecretStr | None = None
    encoding_aes_key: CallbackKey
    encoding_aes_key_previous: CallbackKey | None = None


class CompanySettings(CallbackSettings):
    """An app's callback and its way into the API."""

    corp_id: str = Field(min_length=1, max_length=64)
    secret: SecretStr
    api_base: Base = "https://qyapi.weixin.qq.com"


class WeComSettings(CompanySettings):
    """A `[channels.<name>]` table with `platform = "wecom"`. *markdown* is off by default, since Markdown messages
    are invisible in the WeChat plugin (微信插件); *cards*: choices are shown as a card with buttons, else as a
    numbered list. *passive* false: something in front of us answers WeCom by itself, so that nothing can be said
    in the same exchange; there is no welcome then. *kf_channel*: the name of the `wecom-kf` channel whose notices
    come to this app's callback, where one app does both; of several, a table of them by their open_kfid."""

    agent_id: int = Field(ge=0)
    markdown: bool = False
    cards: bool = True
    passive: bool = True
    kf_channel: str | dict[str, str] = ""

    def kf_channel_of(self, open_kfid: str) -> str:
        """The channel of that account; "" where none is named."""
        return self.kf_channel if isinstance(self.kf_channel, str) else self.kf_channel.get(open_kfid, "")
