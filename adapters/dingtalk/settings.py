"""The `[channels.<name>]` table of a DingTalk robot."""

from datetime import timedelta
from importlib.util import find_spec
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from adapters.channel import ChannelSettings
from adapters.crypto import callback_key
from adapters.fields import Base, Seconds

STREAM_PACKAGE = "dingtalk_stream"


class DingTalkSettings(ChannelSettings):
    """*client_id* and *client_secret* are the app's AppKey and AppSecret; *robot_code* is only needed where it
    differs from the client id (DingTalk sheet §1.1). *signature_window* is how far a callback's timestamp may lie
    from now; DingTalk documents one hour (§1.2). *outgoing_token* admits a group's own "Outgoing" robot (§1.6).

    Cards (§3) are off until they have a template: *card_template_id* and *card_key* (the template's streaming
    variable) show answers while they are written; *choice_template_id* shows choices as buttons. Taps come by
    *mode*: over the stream, or to `/webhooks/<channel>/card`, registered with DingTalk as *card_route_key* together
    with *card_secret*. *token* and *aes_key* open the events that come to `/webhooks/<channel>/event` (§5).

    The monthly limits are those of the organisation's edition, 0 for none (§2.7)."""

    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    client_secret_previous: SecretStr | None = None
    robot_code: str = ""
    corp_id: str = Field(min_length=1)
    mode: Literal["http", "stream"] = "http"
    api_base: Base = "https://api.dingtalk.com"
    oapi_base: Base = "https://oapi.dingtalk.com"
    signature_window: Seconds = Field(timedelta(hours=1), gt=timedelta(), le=timedelta(hours=1))
    outgoing_token: SecretStr | None = None
    outgoing_token_previous: SecretStr | None = None
    card_template_id: str = ""
    card_key: str = ""
    card_monthly_budget: int = Field(2_000, ge=0)
    choice_template_id: str = ""
    card_route_key: str = ""
    card_secret: SecretStr | None = None
    card_secret_previous: SecretStr | None = None
    token: SecretStr | None = None
    token_previous: SecretStr | None = None
    aes_key: SecretStr | None = None
    aes_key_previous: SecretStr | None = None
    monthly_api_calls: int = Field(5_000, ge=0)
    monthly_webhook_messages: int = Field(3_000, ge=0)

    @property
    def robot(self) -> str:
        return self.robot_code or self.client_id

    @property
    def streams_cards(self) -> bool:
        return bool(self.card_template_id)

    @field_validator("aes_key", "aes_key_previous")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            callback_key(key.get_secret_value())
        return key

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for complaint in (self._stream(), self._cards(), self._events()):
            if complaint:
                raise ValueError(complaint)
        return self

    def _stream(self) -> str:
        if self.mode == "stream" and find_spec(STREAM_PACKAGE) is None:
            return 'mode = "stream" needs DingTalk\'s own package: pip install frontdesk[stream]'
        return ""

    def _cards(self) -> str:
        if bool(self.card_template_id) != bool(self.card_key):
            return "card_template_id and card_key belong together: the template, and its streaming variable"
        by_http = self.choice_template_id and self.mode == "http"
        if by_http and not (self.card_secret and self.card_route_key):
            return (
                "choice_template_id needs card_secret and card_route_key: register the callback address with both"
            )
        return ""

    def _events(self) -> str:
        if bool(self.token) != bool(self.aes_key):
            return "token and aes_key belong together: both are on the console's event subscription page"
        return ""
