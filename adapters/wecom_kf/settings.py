"""What the operator says about a customer-service account (微信客服) in the configuration."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from adapters.fields import Seconds
from adapters.wecom.settings import CompanySettings


class WeComKfSettings(CompanySettings):
    """A `[channels.<name>]` table with `platform = "wecom-kf"`. *secret*, *token* and *encoding_aes_key* are those
    of the self-built app that may call the customer-service API. *first_pull*: at the very first start, what
    customers wrote longer ago is not answered. *hand_over*: where a conversation goes that the bot gives up: the
    waiting `pool`, one `servicer` (*servicer_userid*), or nowhere. *other_accounts*: the `wecom-kf` channels of the
    app's other accounts, by their open_kfid: an app has one callback, and it hears of them all."""

    open_kfid: str = Field(min_length=1, max_length=64)
    first_pull: Seconds = timedelta(minutes=10)
    hand_over: Literal["", "pool", "servicer"] = ""
    servicer_userid: str = Field(default="", max_length=64)
    other_accounts: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _servicer_is_named(self) -> "WeComKfSettings":
        if self.hand_over == "servicer" and not self.servicer_userid:
            raise ValueError('servicer_userid: name the servicer, or set hand_over = "pool"')
        return self
