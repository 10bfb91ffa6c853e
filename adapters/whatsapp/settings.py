"""The `[channels.<name>]` table of a WhatsApp number."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from adapters.channel import ChannelSettings

GivenSecret = Annotated[SecretStr, Field(min_length=1)]


class WhatsAppSettings(ChannelSettings):
    """One business number. The app secret signs webhooks and belongs to the app, not to the number (sheet §1.2);
    the verify token is asked once, when the webhook's URL is registered, and "" refuses every such check."""

    platform: Literal["whatsapp"] = "whatsapp"
    phone_number_id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    access_token: GivenSecret
    app_secret: GivenSecret
    app_secret_previous: SecretStr | None = None
    verify_token: SecretStr = SecretStr("")
    verify_token_previous: SecretStr | None = None
    api_base: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+[^?#\s]*$")] = (
        "https://graph.facebook.com"
    )
    api_version: str = Field(default="v26.0", pattern=r"^v\d+\.\d+$")
    reply_context: bool = False
    """Whether a reply quotes the message that it answers."""
    reminder_template: str = Field(default="", pattern=r"^[a-z0-9_]{0,512}$")
    """The approved template for reminders after the 24 hours (sheet §4.1): its body has one variable. "": none."""
    reminder_template_language: str = Field(default="en", pattern=r"^[a-z]{2,3}(_[A-Za-z0-9]{2,4})?$")
