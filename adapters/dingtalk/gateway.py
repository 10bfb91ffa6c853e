"""The door to DingTalk's stream: credentials in, an address and a one-time ticket out (DingTalk sheet §4.1)."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.verdict import refusal
from adapters.dingtalk.wire import Wire
from adapters.payload import text
from adapters.tokens import NoToken
from adapters.values import Action, Refused

OPEN = "/v1.0/gateway/connections/open"
ROBOT = "/v1.0/im/bot/messages/get"
CARD = "/v1.0/card/instances/callback"
SUBSCRIPTIONS = (
    {"type": "EVENT", "topic": "*"},
    {"type": "CALLBACK", "topic": ROBOT},
    {"type": "CALLBACK", "topic": CARD},
)
_JSON = {"content-type": "application/json", "accept": "application/json"}
_ENDPOINT = re.compile(r"wss?://[A-Za-z0-9.\[\]:-]{1,260}(/[!-~]{0,1024})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where to connect. The ticket is a credential for 90 s: it appears in no repr."""

    url: str = field(repr=False)


def open_gateway(settings: DingTalkSettings, wire: Wire, now: datetime) -> Door:
    """Asks for a connection. Raises NoToken with the refusal, NotSent or MaybeSent. A log-in, so not metered
    (§2.7)."""
    asked = {
        "clientId": settings.client_id,
        "clientSecret": settings.client_secret.get_secret_value(),
        "subscriptions": SUBSCRIPTIONS,
        "ua": "frontdesk",
        "localIp": "127.0.0.1",  # nobody needs to know a better one
    }
    url = settings.api_base + OPEN
    answer = wire.call("POST", url, body=json.dumps(asked).encode(), headers=_JSON)
    refused = refusal(answer, now)
    if isinstance(refused, Refused):
        raise NoToken(refused)
    endpoint, ticket = text(answer.json, "endpoint"), text(answer.json, "ticket")
    secure = endpoint.startswith("wss://") or settings.api_base.startswith("http://")
    if not (ticket and secure and _ENDPOINT.fullmatch(endpoint)):
        reason = f"HTTP {answer.status} of the stream's gateway without an address and a ticket"
        raise NoToken(Refused(reason=reason, action=Action.RETRY))
    return Door(url=f"{endpoint}{'&' if '?' in endpoint else '?'}ticket={quote(ticket, safe='')}")
