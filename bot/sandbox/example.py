"""The configuration that wires a channel for each platform and two tools to the local fakes: what `frontdesk run`
uses when there is none. The tools are used once a model is configured."""

import json
from collections.abc import Mapping
from typing import Any

from bot.sandbox import shop
from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.feishu import FeishuPlatform
from bot.sandbox.telegram import TelegramPlatform
from bot.sandbox.wecom import WeComAiBotPlatform, WeComKfPlatform, WeComPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform

WELCOME = "您好，这里是示例商店，有什么可以帮您？\nHello, this is the Example Shop. How can I help you?"
CHOICE_TEMPLATE = "sandbox-choices.schema"
"""The simulated DingTalk draws every template."""


def config(sandbox_url: str, *, company_name: str = "Example Shop") -> dict[str, Any]:
    """Tables as in frontdesk.toml; *sandbox_url* is where the sandbox server listens."""
    base = sandbox_url.rstrip("/")
    whatsapp, wecom, dingtalk = WhatsAppPlatform(), WeComPlatform(), DingTalkPlatform()
    feishu, telegram = FeishuPlatform(), TelegramPlatform()
    aibot, kf = WeComAiBotPlatform(), WeComKfPlatform()
    return {
        "assistants": {"default": {"company_name": company_name, "tools": ["order_status", "set_reminder"]}},
        "tools": {"order_status": order_status(f"{base}/shop"), "set_reminder": {"builtin": "set_reminder"}},
        "channels": {
            "whatsapp": {
                "platform": "whatsapp",
                "phone_number_id": whatsapp.phone_number_id,
                "access_token": whatsapp.access_token,
                "app_secret": whatsapp.app_secret,
                "verify_token": whatsapp.verify_token,
                "api_base": f"{base}/whatsapp",
            },
            "wecom": {
                "platform": "wecom",
                "corp_id": wecom.corp_id,
                "agent_id": wecom.agent_id,
                "secret": wecom.secret,
                "token": wecom.token,
                "encoding_aes_key": wecom.encoding_aes_key,
                "api_base": f"{base}/wecom",
                "welcome": WELCOME,
            },
            "wecom-aibot": {
                "platform": "wecom-aibot",
                "bot_id": aibot.bot_id,
                "token": aibot.token,
                "encoding_aes_key": aibot.encoding_aes_key,
                "bot_name": "Frontdesk",
                "api_base": f"{base}/wecom-aibot",
                "welcome": WELCOME,
            },
            "wecom-kf": {
                "platform": "wecom-kf",
                "corp_id": kf.corp_id,
                "secret": kf.secret,
                "token": kf.token,
                "encoding_aes_key": kf.encoding_aes_key,
                "open_kfid": kf.open_kfid,
                "api_base": f"{base}/wecom-kf",
                "welcome": WELCOME,
            },
            "dingtalk": {
                "platform": "dingtalk",
                "client_id": dingtalk.client_id,
                "client_secret": dingtalk.client_secret,
                "corp_id": dingtalk.corp_id,
                "mode": "http",
                "choice_template_id": CHOICE_TEMPLATE,
                "card_route_key": "frontdesk",
                "card_secret": dingtalk.card_secret,
                "token": dingtalk.event_token,
                "aes_key": dingtalk.event_aes_key,
                "api_base": f"{base}/dingtalk",
                "oapi_base": f"{base}/dingtalk",
            },
            "feishu": {
                "platform": "feishu",
                "app_id": feishu.app_id,
                "app_secret": feishu.app_secret,
                "verification_token": feishu.verification_token,
                "encrypt_key": feishu.encrypt_key,
                "bot_open_id": feishu.bot_open_id,
                "api_base": f"{base}/feishu",
            },
            "telegram": {
                "platform": "telegram",
                "bot_token": telegram.bot_token,
                "webhook_secret": telegram.webhook_secret,
                "username": telegram.username,
                "api_base": f"{base}/telegram",
            },
        },
    }


def order_status(shop_url: str) -> dict[str, Any]:
    """The tool's table. The customer in the address comes from the platform, never from the model."""
    number = {"type": "string", "pattern": "^[0-9]{1,12}$", "description": "The order's number"}
    return {
        "description": "Look up one order of this customer: what it is, where it is, when it comes.",
        "parameters": json.dumps({"type": "object", "properties": {"order_number": number}}),
        "url": f"{shop_url}/customers/{{customer.channel}}/{{customer.user}}/orders/{{order_number}}",
        "headers": {"Authorization": f"Bearer {shop.KEY}"},
        "result": "order",
    }


def toml(sandbox_url: str, *, company_name: str = "Example Shop") -> str:
    """The same as the text of a frontdesk.toml."""
    return toml_of(config(sandbox_url, company_name=company_name))


def toml_of(tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Named tables of each kind as TOML; a table named "" is the kind's own (`[server]`)."""
    return "\n".join(_tables(tables)) + "\n"


def _tables(tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    lines: list[str] = []
    for kind, named in tables.items():
        for name, values in named.items():
            lines += ["", f"[{kind}.{name}]" if name else f"[{kind}]"]
            lines += [f"{key} = {_written(value)}" for key, value in values.items()]
    return lines[1:]


def _written(value: Any) -> str:
    """A value as TOML, which writes all but tables as JSON does."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_written(each)}" for name, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
