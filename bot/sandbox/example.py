"""The configuration that wires three channels to the local fakes: what `frontdesk run` uses when there is none."""

import json
from collections.abc import Mapping
from typing import Any

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.wecom import WeComPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform


def config(sandbox_url: str, *, company_name: str = "Example Shop") -> dict[str, Any]:
    """Tables as in frontdesk.toml; *sandbox_url* is where the sandbox server listens."""
    base = sandbox_url.rstrip("/")
    whatsapp, wecom, dingtalk = WhatsAppPlatform(), WeComPlatform(), DingTalkPlatform()
    return {
        "assistants": {"default": {"company_name": company_name}},
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
            },
            "dingtalk": {
                "platform": "dingtalk",
                "client_id": dingtalk.client_id,
                "client_secret": dingtalk.client_secret,
                "corp_id": dingtalk.corp_id,
                "mode": "http",
                "api_base": f"{base}/dingtalk",
                "oapi_base": f"{base}/dingtalk",
            },
        },
    }


def toml(sandbox_url: str, *, company_name: str = "Example Shop") -> str:
    """The same as the text of a frontdesk.toml."""
    return "\n".join(_tables(config(sandbox_url, company_name=company_name))) + "\n"


def _tables(tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    lines: list[str] = []
    for kind, named in tables.items():
        for name, values in named.items():
            lines += ["", f"[{kind}.{name}]"]
            lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return lines[1:]
