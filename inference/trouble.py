"""What one attempt at one replica can meet, and what follows from it: which error, whether another attempt is safe,
and what it says about the replica's health. The tables are the vLLM sheet's §0, §4 and §12."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Any

from inference.errors import ContextTooLong, ModelBusy, ModelError, ModelFailed, ModelRefused

LONGEST_RETRY_AFTER = timedelta(minutes=2)
"""openai-python's limit (sheet §12); a gateway that asks for more is not waited for."""


class Repeat(Enum):
    """Whether another attempt may follow, within the deadline and the number of attempts."""

    FREELY = auto()  # the request was not worked on, or nothing of an answer came
    ONCE = auto()  # a 500 may be a bug that this very request triggers
    ELSEWHERE = auto()  # half an answer or silence: once, and only where another replica can do it
    NEVER = auto()


class Health(Enum):
    """What the attempt says about the replica."""

    UP = auto()
    UNKNOWN = auto()
    BUSY = auto()
    DRAINING = auto()  # it finishes what it has and takes nothing new; its /health says 200 meanwhile (sheet §5)
    DOWN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a table. *meaning* is for the operator, with the next step where there is one."""

    error: type[ModelError]
    repeat: Repeat
    health: Health
    meaning: str


class AttemptFailed(Exception):
    """One attempt went wrong; *error* is what the caller gets if it was the last."""

    def __init__(self, rule: Rule, *, where: str = "", retry_after: timedelta | None = None) -> None:
        text = f"{where}: {rule.meaning}" if where else rule.meaning
        super().__init__(text)
        self.rule = rule
        self.retry_after = retry_after
        self.error = ModelBusy(text, retry_after=retry_after) if rule.error is ModelBusy else rule.error(text)


def _busy(meaning: str, health: Health = Health.BUSY, repeat: Repeat = Repeat.FREELY) -> Rule:
    return Rule(error=ModelBusy, repeat=repeat, health=health, meaning=meaning)


def _failed(meaning: str, repeat: Repeat = Repeat.NEVER, health: Health = Health.UP) -> Rule:
    return Rule(error=ModelFailed, repeat=repeat, health=health, meaning=meaning)


def _refused(meaning: str) -> Rule:
    return Rule(error=ModelRefused, repeat=Repeat.NEVER, health=Health.UP, meaning=meaning)


UNREACHABLE = _busy("cannot be reached", Health.DOWN)
NO_REPLICA = _busy("every replica is down; is vLLM running?", Health.DOWN)
DRAINING = _busy("HTTP 500: the server is being stopped and takes nothing new", Health.DRAINING)
DROPPED = _busy("closed the connection before any answer", Health.UNKNOWN)
"""Also what a kept-alive connection meets when the server ends it in the same instant (sheet §5): says little."""
CUT_EARLY = _busy("closed the connection before the first word", Health.DOWN)
CUT_LATE = _failed("closed the connection in the middle of the answer", Repeat.ELSEWHERE, Health.DOWN)
SILENT = _failed("sent nothing for too long", Repeat.ELSEWHERE, Health.DOWN)
TOO_LATE = _failed("no whole answer within the deadline", health=Health.UNKNOWN)
TOO_LARGE = _failed("the answer is larger than any that was asked for")
UNREADABLE = _failed("the answer is neither an event stream nor a chat completion")
UNCLEAN_REDIRECT = "answers with a redirect: give the final address under model.replicas"

STATUSES: Mapping[int, Rule] = {
    400: _refused("HTTP 400: the request is not valid for this model; see the model server's log"),
    401: _refused("HTTP 401: the key is missing or wrong; set model.api_key to the server's --api-key"),
    403: _refused("HTTP 403: the server forbids this; see its flags and the gateway before it"),
    404: _refused("HTTP 404: no such model or path; compare model.name with GET /v1/models, replicas end in /v1"),
    405: _refused("HTTP 405: not a chat completions address; replicas end in /v1"),
    408: _busy("HTTP 408: the gateway gave up waiting", repeat=Repeat.NEVER),
    413: _refused("HTTP 413: the gateway refuses the size of the request"),
    415: _refused("HTTP 415: the server takes no JSON"),
    422: _refused("HTTP 422: the server cannot process the request"),
    429: _busy("HTTP 429: a gateway's rate limit"),
    500: _failed("HTTP 500: the engine broke down or is being stopped", Repeat.ONCE, Health.DOWN),
    501: _refused("HTTP 501: this model server does not have the feature"),
    502: _busy("HTTP 502: the gateway has no model server behind it", Health.DOWN),
    503: _busy("HTTP 503: the queue is full"),
    504: _busy("HTTP 504: the gateway's model server was too slow", Health.DOWN),
}

FINISHES: Mapping[str, Rule] = {
    "content_filter": _failed("finish_reason content_filter: the answer was withheld"),
    "tool_calls": _failed("finish_reason tool_calls: without a call of a tool that was offered"),
}
"""The ends that are no answer. `stop` and `length` are answers; `abort` and none at all are a cut."""


def unknown_finish() -> Rule:
    return _failed("ended for a finish_reason that is not known")  # its word is the server's, so it is not repeated


def of_status(status: int, body: bytes, headers: Mapping[str, str], *, where: str) -> AttemptFailed:
    """What an HTTP status other than 200 means."""
    given = headers.get("retry-after", "")
    return _classified(status, _parsed(body), where=where, retry_after=retry_after(given, datetime.now(UTC)))


def of_error_event(error: object, *, where: str, started: bool) -> AttemptFailed:
    """What `data: {"error": …}` inside a 200 means; *started*: words of the answer had come already (§0.1)."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) else 500
    failed = _classified(status, {"error": error}, where=where, retry_after=None)
    return AttemptFailed(CUT_LATE, where=where) if started and failed.rule.error is not ModelRefused else failed


def _classified(status: int, body: Any, *, where: str, retry_after: timedelta | None) -> AttemptFailed:
    if status == 400 and _too_long(body):
        meaning = "HTTP 400: the conversation is longer than the model's context"
        rule = Rule(error=ContextTooLong, repeat=Repeat.NEVER, health=Health.UP, meaning=meaning)
    elif status == 500 and _draining(body):
        rule = DRAINING
    elif 300 <= status < 400:
        rule = _refused(f"HTTP {status}: {UNCLEAN_REDIRECT}")
    else:
        other = STATUSES[500] if status > 500 else STATUSES[400]
        rule = STATUSES.get(status) or _failed(
            f"HTTP {status}: not an answer of vLLM's; what stands at this address?", other.repeat, other.health
        )
    return AttemptFailed(rule, where=where, retry_after=retry_after)


def _too_long(body: Any) -> bool:
    """Two texts (§0.6). Everything after is the server's quoting of the request."""
    return "maximum context length" in _message(body)


def _draining(body: Any) -> bool:
    return "cannot schedule new futures after shutdown" in _message(body)


def _message(body: Any) -> str:
    """The beginning of the error's text: an object's message, a string (§0.4), or FastAPI's detail."""
    error = (body.get("error") or body.get("detail")) if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message[:200] if isinstance(message, str) else ""


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def retry_after(given: str, now: datetime) -> timedelta | None:
    """`Retry-After` as seconds or as a date (RFC 9110 §10.2.3); None where it is absent or makes no sense."""
    try:
        wait = timedelta(seconds=float(given))
    except (ValueError, OverflowError):
        try:
            wait = parsedate_to_datetime(given) - now
        except (ValueError, TypeError):
            return None
    return wait if timedelta() < wait <= LONGEST_RETRY_AFTER else None
