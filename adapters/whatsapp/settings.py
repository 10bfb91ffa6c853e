"""The `[channels.<name>]` table of a WhatsApp number."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from adapters.channel import ChannelSettings
from adapters.fields import matching

GivenSecret = Annotated[SecretStr, Field(min_length=1)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
"""Meta's ids are opaque: digits today, and announced to become others (sheet §2.8)."""


class WhatsAppSettings(ChannelSettings):
    """One business number. The app secret signs webhooks and belongs to the app, not to the number (sheet §1.2);
    the verify token is asked once, when the webhook's URL is registered, and "" refuses every such check."""

    platform: Literal["whatsapp"] = "whatsapp"
    phone_number_id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    waba_id: Id = ""
    """The WhatsApp Business account of the number. "": `check` asks for it, and news of any account counts."""
    messaging_account_id: Id = ""
    """Sent along if set: demanded from 2027 where the token reaches several accounts (sheet §2.8, reported)."""
    access_token: Annotated[SecretStr, matching(r"[!-~]+", "a token: printable ASCII without spaces")]
    app_secret: GivenSecret
    app_secret_previous: SecretStr | None = None
    verify_token: SecretStr = SecretStr("")
    verify_token_previous: SecretStr | None = None
    api_base: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+[^?#\s]*$")] = (
        "https://graph.facebook.com"
    )
    api_version: str = Field(default="v26.0", pattern=r"^v\d+\.\d+$")
    throughput: int = Field(default=80, ge=1, le=1000)
    """Messages a second of the number: 80, 1000 after Meta's upgrade, 20 where it is also in the phone app."""
    monthly_billed: int = Field(default=0, ge=0)
    """`check` warns once so many messages of this month cost money (sheet §4.2). 0: never."""
    thread_roles: tuple[str, ...] = ("customer_service",)
    """Our roles where several senders share the number's conversations: under any other the bot is silent."""
    media_hosts: tuple[str, ...] = (".fbsbx.com", ".fbcdn.net", ".whatsapp.net")
    """Where customers' files may be fetched from, besides api_base: the access token goes there too."""
    largest_media: int = Field(default=10 * 1024 * 1024, ge=1024, le=100 * 1024 * 1024)
    """Bytes of one customer's file; a larger one is not fetched."""
    split_long_answers: bool = False
    """Whether an answer beyond 4096 characters becomes several messages, each of which may cost money."""
    list_button: str = Field(default="Menu", min_length=1, max_length=20)
    """What is written on the button that opens a list."""
    link_preview: bool = False
    reply_context: bool = False
    """Whether a reply quotes the message that it answers."""
    repeat_typing: bool = False
    """Whether "typing …" is shown again every 20 s while a slow model writes: that it may be is unconfirmed."""
    seen_reaction: str = Field(default="", max_length=16)
    """An emoji that is put on a message when its answer is begun. "": none."""
    reminder_template: str = Field(default="", pattern=r"^[a-z0-9_]{0,512}$")
    """The approved template for reminders after the 24 hours (sheet §4.1): its body has one variable. "": none."""
    reminder_template_language: str = Field(default="en", pattern=r"^[a-z]{2,3}(_[A-Za-z0-9]{2,4})?$")
    reminder_template_parameter: str = Field(default="", pattern=r"^[a-z0-9_]{0,64}$")
    """The name of that variable, where the template names its variables; "": it is `{{1}}`."""
