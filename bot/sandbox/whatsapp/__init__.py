"""The WhatsApp Cloud API, played locally (WhatsApp sheet §7.3)."""

from bot.sandbox.whatsapp.platform import WhatsAppPlatform

__all__ = ["WhatsAppPlatform"]
