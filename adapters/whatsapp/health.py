"""What `frontdesk check` asks Meta about one number, and what it tells the operator (sheet §3.7, §1.5)."""

from collections.abc import Callable, Mapping, Sequence

from adapters.channel import Finding
from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.payload import at, objects, text
from adapters.whatsapp.errors import RULES
from adapters.whatsapp.outbound import error_code
from adapters.whatsapp.settings import WhatsAppSettings

Get = Callable[[str, Mapping[str, str]], HttpAnswer]

_FIELDS = "id,display_phone_number,verified_name,quality_rating,throughput,health_status"
_PARAMETER = "set phone_number_id to the number's id (not the phone number, not the account's id), and api_version"
_CONFIGURED = {"100": _PARAMETER, "33": _PARAMETER}
"""What these codes mean here: this request is fixed, so that only the configuration can be wrong."""


def findings(settings: WhatsAppSettings, get: Get) -> Sequence[Finding]:
    """One line for each thing that was looked at. Never raises."""
    found = [_verify_token(settings)]
    try:
        number = get(settings.phone_number_id, {"fields": _FIELDS})
        found.append(_number(number))
        if found[-1].ok:
            found.append(_sending(number))
            found.extend(_subscription(number, get))
    except (NotSent, MaybeSent) as error:
        step = f"see that this machine reaches {settings.api_base} ({error})"
        found.append(Finding(what="Graph API", ok=False, next_step=step))
    return found


def _verify_token(settings: WhatsAppSettings) -> Finding:
    given = bool(settings.verify_token.get_secret_value())
    step = "" if given else "choose a verify_token and enter the same one where the webhook's URL is registered"
    return Finding(what="verify token", ok=given, next_step=step)


def _number(answer: HttpAnswer) -> Finding:
    what = "access token and phone number id"
    if answer.status == 200 and text(answer.json, "id"):
        return Finding(what=what, ok=True)
    return Finding(what=what, ok=False, next_step=_next_step(answer))


def _next_step(answer: HttpAnswer) -> str:
    code = error_code(answer)
    if not code:
        return f"HTTP {answer.status}, and not from the Graph API: check api_base and what stands before it"
    known = RULES.get(code)
    if known is None:
        return f"{code}: look it up in Meta's list of WhatsApp error codes"
    return f"{code} {known.meaning}: {_CONFIGURED.get(code, known.next_step)}"


def _sending(answer: HttpAnswer) -> Finding:
    """AVAILABLE, LIMITED or BLOCKED; absent for tokens that may not see it."""
    can = text(answer.json, "health_status", "can_send_message")
    if can == "BLOCKED":
        step = "open the number in WhatsApp Manager: its health status names what is blocked and why"
        return Finding(what="sending", ok=False, next_step=step)
    return Finding(what=f"sending {can.lower()}" if can.isalpha() else "sending", ok=True)


def _subscription(answer: HttpAnswer, get: Get) -> Sequence[Finding]:
    """An app that is not subscribed gets the dashboard's tests, but no customer's message (sheet §8)."""
    entities = objects(at(answer.json, "health_status"), "entities")
    account = next((text(each, "id") for each in entities if text(each, "entity_type") == "WABA"), "")
    if not account.isalnum():
        return ()
    listed = get(f"{account}/subscribed_apps", {})
    if listed.status != 200:
        step = f"cannot be seen ({_next_step(listed)}); the token also needs whatsapp_business_management"
        return (Finding(what="webhook subscription", ok=False, next_step=step),)
    subscribed = any(True for _ in objects(listed.json, "data"))
    step = "" if subscribed else f"subscribe the app: POST /{account}/subscribed_apps with this token"
    return (Finding(what="webhook subscription", ok=subscribed, next_step=step),)
