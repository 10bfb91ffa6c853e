"""The `[channels.<name>]` table of a DingTalk robot."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from adapters.channel import ChannelSettings
from adapters.fields import Base, Seconds


class DingTalkSettings(ChannelSettings):
    """*client_id* and *client_secret* are the app's AppKey and AppSecret; *robot_code* is only needed where it
    differs from the client id (DingTalk sheet §1.1). *signature_window* is how far a callback's timestamp may lie
    from now; DingTalk documents one hour (§1.2). *outgoing_token* admits a group's own "Outgoing" robot (§1.6)."""

    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    client_secret_previous: SecretStr | None = None
    robot_code: str = ""
    corp_id: str = Field(min_length=1)
    mode: Literal["http", "stream"] = "http"
    api_base: Base = "https://api.dingtalk.com"
    oapi_base: Base = "https://oapi.dingtalk.com"
    card_template_id: str = ""
    card_key: str = ""
    signature_window: Seconds = Field(timedelta(hours=1), gt=timedelta(), le=timedelta(hours=1))
    outgoing_token: SecretStr | None = None
    outgoing_token_previous: SecretStr | None = None

    @property
    def robot(self) -> str:
        return self.robot_code or self.client_id

    @model_validator(mode="after")
    def _only_what_is_there(self) -> Self:
        if self.mode == "stream":
            raise ValueError(
                'mode = "stream" is not available yet: set mode = "http" and the callback URL in DingTalk'
            )
        if self.card_template_id or self.card_key:
            raise ValueError("AI cards are not available yet: leave card_template_id and card_key out")
        return self
