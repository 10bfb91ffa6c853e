"""The WhatsApp Business Cloud API. "Sheet" in this package is the WhatsApp fact sheet."""

from adapters.whatsapp.channel import WhatsApp
from adapters.whatsapp.settings import WhatsAppSettings

__all__ = ["WhatsApp", "WhatsAppSettings"]
