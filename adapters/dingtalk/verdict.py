"""What became of a message, by DingTalk's answer (DingTalk sheet §2.6)."""

import re
from datetime import datetime

from adapters.dingtalk.rules import ERRCODES, FAMILIES, OPENAPI, PUNISHED, SUB_CODES
from adapters.http import HttpAnswer
from adapters.payload import Json, at, text
from adapters.rules import Rule
from adapters.values import Action, Refused, Unknown

PUNISHMENT = "1111"
_SUB_CODE = re.compile(r"subcode=(\w+)")
_SAFE = re.compile(r"[^\w.:-]")


def refusal(answer: HttpAnswer, now: datetime, *, uncoded: Action = Action.ALERT) -> Refused | Unknown | None:
    """Why DingTalk did not take a call; None if it has no objection. *uncoded* is the action for a client error
    without a code: nobody of DingTalk's API spoke there."""
    if punished(answer):
        return refused(PUNISHED, PUNISHMENT, answer, now)
    code = code_of(answer.json)
    if not code and 200 <= answer.status < 300:
        whole = isinstance(answer.json, dict)
        return None if whole else Unknown(reason=f"HTTP {answer.status} without a readable answer")
    if answer.status == 504:
        return Unknown(reason="HTTP 504: after a gateway's time-out the message may exist")
    rule = rule_of(code, answer.json)
    if rule is not None:
        return refused(rule, code, answer, now)
    return _unlisted(answer, code, now, uncoded)


def _unlisted(answer: HttpAnswer, code: str, now: datetime, uncoded: Action) -> Refused | Unknown:
    status = f"HTTP {answer.status}"
    if answer.status == 429:  # no page documents it for these APIs
        return Refused(reason=f"{status}: too fast", action=Action.RETRY, retry_after=answer.retry_after(now))
    if answer.status >= 500:
        return Unknown(reason=f"{status} without a known code")
    if code:
        return Refused(reason=f"{status} {code}: a code that the table lacks", action=Action.GIVE_UP, code=code)
    next_step = "no DingTalk API answers there: check api_base and oapi_base"
    return Refused(reason=f"{status}: {next_step}", action=uncoded if answer.status >= 400 else Action.ALERT)


def code_of(json: Json) -> str:
    """The error's code, cleaned: `errcode` comes as a number or a string, and 0 is none (§2.1)."""
    code = _SAFE.sub("", text(json, "errcode") or text(json, "code"))[:100]
    return "" if code == "0" else code


def rule_of(code: str, json: Json) -> Rule | None:
    if code == "88":
        found = _SUB_CODE.search(text(json, "errmsg"))
        sub_code = text(json, "sub_code") or (found.group(1) if found else "")
        return SUB_CODES.get(sub_code, ERRCODES[code])
    family = next((rule for start, rule in FAMILIES.items() if code.startswith(start)), None)
    return OPENAPI.get(code) or ERRCODES.get(code) or family


def refused(rule: Rule, code: str, answer: HttpAnswer, now: datetime) -> Refused:
    """The reason is ours but for the code and the names of missing permissions: DingTalk's own text could quote
    the message."""
    said = [f"{code}: {rule.meaning}", _scopes(answer.json), rule.next_step]
    return Refused(
        reason="; ".join(part for part in said if part),
        action=rule.action,
        code=code,
        retry_after=answer.retry_after(now) or rule.wait,
        account=rule.account,
    )


def _scopes(json: Json) -> str:
    found = at(json, "accessdenieddetail", "requiredScopes")
    names = (
        [_SAFE.sub("", each)[:100] for each in found if isinstance(each, str)] if isinstance(found, list) else []
    )
    return f"missing: {', '.join(names)}" if names else ""


def punished(answer: HttpAnswer) -> bool:
    """Whether DingTalk's firewall answered: its JSON, or a page where an API would refuse in JSON. A page that
    claims success says nothing about the message, unless it is the firewall's own."""
    if text(answer.json, "status") == PUNISHMENT or text(answer.json, "punish") == "deny":
        return True
    page = answer.body.lstrip()[:1] == b"<"
    return page and (400 <= answer.status < 500 or (answer.status == 200 and b"punish" in answer.body))
