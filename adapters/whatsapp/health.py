"""What `frontdesk check` asks Meta about one number, and what it tells the operator (sheet §3.7, §1.5)."""

from collections.abc import Iterator, Sequence

from adapters.channel import Finding, Services
from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.payload import Json, at, objects, text
from adapters.signing import hmac_sha256
from adapters.whatsapp.errors import RULES
from adapters.whatsapp.graph import Graph
from adapters.whatsapp.settings import WhatsAppSettings
from adapters.whatsapp.source import word
from adapters.whatsapp.tokencheck import token_findings
from adapters.whatsapp.verdict import error_code

_FIELDS = (
    "id,display_phone_number,verified_name,quality_rating,throughput,health_status,"
    "whatsapp_business_manager_messaging_limit"
)
_PARAMETER = "set phone_number_id to the number's id (not the phone number, not the account's id), and api_version"
_CONFIGURED = {"100": _PARAMETER, "33": _PARAMETER}
"""What these codes mean here: this request is fixed, so that only the configuration can be wrong."""
_UPGRADED = 1000
_MANAGEMENT = "; the token also needs whatsapp_business_management"


def findings(channel: str, settings: WhatsAppSettings, services: Services, graph: Graph) -> Sequence[Finding]:
    """One line for each thing that was looked at. Never raises."""
    found = [_verify_token(settings)]
    try:
        found.extend(_number(settings, services, graph))
    except (NotSent, MaybeSent) as error:
        step = f"see that this machine reaches {settings.api_base} ({error})"
        found.append(Finding(what="Graph API", ok=False, next_step=step))
    return [*found, *_billed(channel, settings, services)]


def _verify_token(settings: WhatsAppSettings) -> Finding:
    given = bool(settings.verify_token.get_secret_value())
    step = "" if given else "choose a verify_token and enter the same one where the webhook's URL is registered"
    return Finding(what="verify token", ok=given, next_step=step)


def _number(settings: WhatsAppSettings, services: Services, graph: Graph) -> Iterator[Finding]:
    number = graph.get(settings.phone_number_id, {"fields": _FIELDS})
    what = "access token and phone number id"
    if number.status != 200 or not text(number.json, "id"):
        yield Finding(what=what, ok=False, next_step=_next_step(number))
        return
    yield Finding(what=what, ok=True)
    yield _sending(number.json)
    yield from _quality(number.json)
    yield from _throughput(settings, number.json)
    yield from _app_secret(settings, graph)
    app_id, told = token_findings(settings, services, graph)
    yield from told
    if account := _account(settings, number.json):
        yield _subscription(account, app_id, graph)
        yield from _template(settings, account, graph)


def _next_step(answer: HttpAnswer) -> str:
    code = error_code(answer)
    if not code:
        return f"HTTP {answer.status}, and not from the Graph API: check api_base and what stands before it"
    known = RULES.get(code)
    if known is None:
        return f"{code}: look it up in Meta's list of WhatsApp error codes"
    return f"{code} {known.meaning}: {_CONFIGURED.get(code, known.next_step)}"


def _sending(number: Json) -> Finding:
    """AVAILABLE, LIMITED or BLOCKED, with the codes of what is in the way; absent for tokens that may not see."""
    health = at(number, "health_status")
    can = word(health, "can_send_message")
    errors = [error for entity in objects(health, "entities") for error in objects(entity, "errors")]
    codes = ", ".join(dict.fromkeys(word(error, "error_code") for error in errors))
    because = f" ({codes})" if codes else ""
    if can == "BLOCKED":
        step = f"open the number in WhatsApp Manager: its health status names what is blocked and why{because}"
        return Finding(what="sending", ok=False, next_step=step)
    return Finding(what=f"sending {can.lower()}{because}" if can.isalpha() else "sending", ok=True)


def _quality(number: Json) -> Iterator[Finding]:
    rating = word(number, "quality_rating")
    if rating == "RED":
        step = (
            "customers block or report the number: write less, and to nobody who did not ask; Meta limits it next"
        )
        yield Finding(what="quality", ok=False, next_step=step)
    elif rating.isalpha():
        yield Finding(what=f"quality {rating.lower()}", ok=True)


def _throughput(settings: WhatsAppSettings, number: Json) -> Iterator[Finding]:
    """STANDARD or HIGH. A setting above what the number has is paid for with 130429."""
    level = word(number, "throughput", "level")
    if level == "STANDARD" and settings.throughput == _UPGRADED:
        step = "Meta has not upgraded this number: set throughput to 80"
        yield Finding(what="throughput", ok=False, next_step=step)
    elif level.replace("_", "").isalpha():
        hint = f", throughput = {_UPGRADED} would use it" if level == "HIGH" and settings.throughput < 100 else ""
        yield Finding(what=f"throughput {level.lower()}{hint}", ok=True)


def _app_secret(settings: WhatsAppSettings, graph: Graph) -> Iterator[Finding]:
    """`appsecret_proof` is the token's HMAC with the app's secret, and any Graph call may carry it: a wrong one is
    refused, and then no webhook would be verified either. Silent where the server does not speak of it."""
    secret, token = settings.app_secret.get_secret_value(), settings.access_token.get_secret_value()
    proof = hmac_sha256(secret, token.encode()).hex()
    answer = graph.get(settings.phone_number_id, {"fields": "id", "appsecret_proof": proof})
    if answer.status == 200:
        yield Finding(what="app secret", ok=True)
    elif "appsecret_proof" in text(answer.json, "error", "message"):
        step = "set app_secret to the secret of the app that the access token belongs to (App settings, Basic)"
        yield Finding(what="app secret", ok=False, next_step=step)


def _account(settings: WhatsAppSettings, number: Json) -> str:
    entities = objects(at(number, "health_status"), "entities")
    found = next((text(each, "id") for each in entities if text(each, "entity_type") == "WABA"), "")
    return settings.waba_id or (found if found.isalnum() else "")


def _subscription(account: str, app_id: str, graph: Graph) -> Finding:
    """An app that is not subscribed gets the dashboard's tests, but no customer's message (sheet §8)."""
    what = "webhook subscription"
    listed = graph.get(f"{account}/subscribed_apps", {})
    if listed.status != 200:
        step = f"cannot be seen ({_next_step(listed)}){_MANAGEMENT}; and waba_id must be the account's"
        return Finding(what=what, ok=False, next_step=step)
    apps = {text(each, "whatsapp_business_api_data", "id") for each in objects(listed.json, "data")}
    subscribed = (app_id in apps if app_id and apps != {""} else bool(apps)) if apps else False
    step = "" if subscribed else f"subscribe the app: POST /{account}/subscribed_apps with this token"
    return Finding(what=what, ok=subscribed, next_step=step)


def _template(settings: WhatsAppSettings, account: str, graph: Graph) -> Iterator[Finding]:
    """A template that is not approved would only be refused when the first reminder is due."""
    name, language = settings.reminder_template, settings.reminder_template_language
    if not name:
        return
    listed = graph.get(f"{account}/message_templates", {"name": name, "fields": "name,language,status"})
    if listed.status != 200:
        yield Finding(what="reminder template", ok=False, next_step=f"{_next_step(listed)}{_MANAGEMENT}")
        return
    found = [each for each in objects(listed.json, "data") if text(each, "name") == name]
    status = next((word(each, "status") for each in found if text(each, "language") == language), "missing")
    step = "" if status == "APPROVED" else f"{name} in {language} is {status.lower()}: have it approved by Meta"
    yield Finding(what="reminder template", ok=not step, next_step=step)


def _billed(channel: str, settings: WhatsAppSettings, services: Services) -> Iterator[Finding]:
    """Beyond the first thousand delivered messages of a month each costs money, which the statuses tell (sheet
    §4.2)."""
    if not settings.monthly_billed:
        return
    billed = services.meter.read(channel, month=f"{services.now():%Y-%m}").get("billed_regular", 0)
    step = "" if billed < settings.monthly_billed else "raise monthly_billed, or see why so many are sent"
    yield Finding(what=f"{billed} messages billed this month", ok=not step, next_step=step)
