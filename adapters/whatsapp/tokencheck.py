"""What kind of access token is configured: the dashboard's ends after a day, in production (sheet §3.1, §8)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from adapters.channel import Finding, Services
from adapters.http import HttpAnswer
from adapters.payload import Json, at, text
from adapters.whatsapp.graph import Graph
from adapters.whatsapp.settings import WhatsAppSettings

_WHAT = "token kind"
_SOON = timedelta(days=7)
_NEEDED = "whatsapp_business_messaging"
_PERMANENT = "put a system user's permanent token with whatsapp_business_messaging into access_token"


def token_findings(settings: WhatsAppSettings, services: Services, graph: Graph) -> tuple[str, Sequence[Finding]]:
    """The app that the token belongs to ("" if it is not told), and what is wrong with the token. It inspects
    itself; where that is not allowed (it is UNCONFIRMED for every kind), nothing is found."""
    answer = graph.get("debug_token", {"input_token": settings.access_token.get_secret_value()})
    told = _told(answer)
    if told is None:
        return "", ()
    return text(told, "app_id"), list(_judged(told, services.now()))


def _told(answer: HttpAnswer) -> Json:
    data = at(answer.json, "data") if answer.status == 200 else None
    return data if isinstance(data, dict) and isinstance(at(data, "is_valid"), bool) else None


def _judged(told: Json, now: datetime) -> Iterator[Finding]:
    if at(told, "is_valid") is False:
        yield Finding(what=_WHAT, ok=False, next_step=f"the token is not valid any more: {_PERMANENT}")
        return
    ends = _ends(told)
    if ends is not None and ends - now < _SOON:
        yield Finding(what=_WHAT, ok=False, next_step=f"the token ends on {ends:%Y-%m-%d %H:%M} UTC: {_PERMANENT}")
    else:
        yield Finding(what=_WHAT if ends is None else f"{_WHAT}, ends on {ends:%Y-%m-%d}", ok=True)
    scopes = at(told, "scopes")
    if isinstance(scopes, list) and _NEEDED not in scopes:
        step = f"the token lacks the permission {_NEEDED}: {_PERMANENT}"
        yield Finding(what="token permission", ok=False, next_step=step)


def _ends(told: Json) -> datetime | None:
    """None: never, which is written as 0."""
    given = text(told, "expires_at")
    try:
        return datetime.fromtimestamp(int(given), UTC) if given not in ("", "0") else None
    except (ValueError, OverflowError, OSError):
        return None
