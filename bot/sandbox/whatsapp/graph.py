"""The Graph API's manners: its errors, its signature, and JSON as Meta's encoder writes it (§1.2, §4.4)."""

import hashlib
import hmac
import json
import secrets
from typing import Any

from bot.sandbox.simulator.calls import Refusal
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.serving import answer_json

VERSIONS = range(21, 28)


def graph_error(status: int, code: int, message: str, details: str = "", *, rule: str = "") -> Refusal:
    """A refusal in the Graph API's shape (§4.4)."""
    error: dict[str, Any] = {
        "message": f"(#{code}) {message}",
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": secrets.token_urlsafe(8),
    }
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return Refusal(answer_json({"error": error}, status), f"{code}: {details or message}", rule=rule)


def missing(what: str) -> Refusal:
    return graph_error(400, 131008, "Required parameter is missing", what, rule="parameter_missing")


def invalid(what: str, rule: str = "parameter_invalid") -> Refusal:
    return graph_error(400, 131009, "Parameter value is not valid", what, rule=rule)


def graph_fault(status: int, code: int, message: str = "") -> Fault:
    """An answer of the Graph API, whatever was asked."""
    return Fault(status=status, json={"error": {"message": f"(#{code}) {message or 'played'}", "code": code}})


def sign(secret: str, body: bytes) -> str:
    """The hex digest of `X-Hub-Signature-256` (§1.2)."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def meta_json(value: Any) -> bytes:
    """JSON as Meta's encoder writes it: everything beyond ASCII, and some of it, escaped (§1.2)."""
    text = json.dumps(value, separators=(",", ":"))
    for plain, escaped in (("/", "\\/"), ("@", "\\u0040"), ("%", "\\u0025"), ("<", "\\u003C")):
        text = text.replace(plain, escaped)
    return text.encode("ascii")
