"""The `[channels.<name>]` table of an AI bot, and what each of its two modes needs."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from adapters.channel import ChannelSettings
from adapters.fields import Base
from adapters.wecom.settings import CallbackKey


def _filled(given: SecretStr) -> SecretStr:
    if not given.get_secret_value():
        raise ValueError("is empty: copy it from the bot's page in the console")
    return given


Secret = Annotated[SecretStr, AfterValidator(_filled)]


class WeComAiBotSettings(ChannelSettings):
    """`platform = "wecom-aibot"`. The console offers one *mode* or the other: "url" (callbacks to our address)
    needs *token* and *encoding_aes_key*, "websocket" (a long connection from us) needs *secret*, the bot's own.

    *bot_name* is what stands behind the @ in groups, if it has spaces in it. *media_hosts*: where customers' files
    may lie. *buttons* off: choices are numbered lines. *feedback*: customers see the thumbs below an answer.
    """

    bot_id: str = Field(min_length=1, max_length=64)
    mode: Literal["url", "websocket"] = "url"
    token: Secret | None = None
    token_previous: Secret | None = None
    encoding_aes_key: CallbackKey | None = None
    encoding_aes_key_previous: CallbackKey | None = None
    secret: Secret | None = None
    api_base: Base = "https://qyapi.weixin.qq.com"
    ws_url: str = Field(
        default="wss://openws.work.weixin.qq.com", pattern=r"^wss?://[A-Za-z0-9.\[\]:-]+(/[\w./~-]*)?$"
    )
    bot_name: str = ""
    # No page lists the hosts of media URLs (unconfirmed): those of the published samples, and Tencent's own.
    media_hosts: tuple[str, ...] = (".weixin.qq.com", ".work.weixin.qq.com", ".qpic.cn", ".myqcloud.com")
    # Documented, but some mobile clients were seen to show the text without the card (2026): hence the switch.
    buttons: bool = True
    feedback: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = ("token", "encoding_aes_key") if self.mode == "url" else ("secret",)
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(
                f'mode = "{self.mode}" needs {" and ".join(missing)}: copy from the bot\'s page in the console'
            )
        return self
