"""Calls to WeCom's API: the access token goes in, the errcode is read, and what it means comes out.

HTTP status is 200 even for errors; `errmsg` is not stable and is quoted nowhere but for the caller's IP address
(WeCom sheet §3).
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address

from pydantic import SecretStr

from adapters.channel import Services
from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.payload import Json, text
from adapters.tokens import NoToken, SharedToken
from adapters.values import Action, Refused, Token, Unknown
from adapters.wecom.codes import GETTOKEN_RULES, RULES, Rule, unknown_code

Result = dict[str, Json] | Refused | Unknown
"""The answer's JSON with errcode 0, or why there is none."""

_CODE = re.compile(r"-?\d{1,9}")
_FROM_IP = re.compile(r"from ip: ?([0-9a-fA-F.:]{2,45}?)[.,]?(?:\s|$)")


class WeComApi:
    """One app's calls. *name* is the token's in the shared store: one per company and app, never per company."""

    def __init__(self, *, base: str, corp_id: str, secret: SecretStr, name: str, services: Services) -> None:
        self._base = base.rstrip("/")
        self._credentials = (corp_id, secret)
        self._http = services.http
        self._now = services.now
        self._token = SharedToken(name, services.tokens, self._gettoken, services.now)

    def get(self, path: str, **params: str) -> Result:
        return self._with_token(lambda token: self._exchange("GET", path, token, params))

    def post(self, path: str, body: bytes) -> Result:
        """*body* is UTF-8 JSON without \\u escapes (errcode 40033)."""
        return self._with_token(lambda token: self._exchange("POST", path, token, {}, body))

    def token(self) -> Refused | None:
        """Asks for a token, unless there is one; says why there is none."""
        try:
            self._token.get()
        except NoToken as error:
            return error.refused
        return None

    def _with_token(self, call: Callable[[str], Result]) -> Result:
        """One refresh and one repeat at most: others recursed for ever here (WeCom sheet §10 row 7)."""
        try:
            token = self._token.get()
        except NoToken as error:
            return error.refused
        result = call(token)
        if not isinstance(result, Refused) or result.action is not Action.TOKEN:
            return result
        try:
            return _twice_rejected(call(self._token.replace(token)))
        except NoToken as error:
            return error.refused if error.refused.code else _twice_rejected(result)

    def _exchange(
        self, method: str, path: str, token: str, params: Mapping[str, str], body: bytes | None = None
    ) -> Result:
        headers = {"Content-Type": "application/json; charset=utf-8"} if body is not None else {}
        try:
            answer = self._http.call(
                method,
                f"{self._base}{path}",
                body=body,
                headers=headers,
                params={**params, "access_token": token},
            )
        except NotSent as error:
            return Refused(reason=f"WeCom was not reached ({error}): check the network", action=Action.RETRY)
        except MaybeSent as error:
            return Unknown(reason=f"no complete answer from WeCom ({error})")
        return judged(answer, RULES, self._now())

    def _gettoken(self) -> Token:
        """One call of gettoken. A lost answer is as harmless as a refusal: nothing was sent to a customer."""
        corp_id, secret = self._credentials
        params = {"corpid": corp_id, "corpsecret": secret.get_secret_value()}
        try:
            answer = self._http.call("GET", f"{self._base}/cgi-bin/gettoken", params=params)
        except (NotSent, MaybeSent) as error:
            raise NoToken(_token_refused(f"WeCom was not reached ({error}): check the network")) from None
        result = judged(answer, {**RULES, **GETTOKEN_RULES}, self._now())
        if isinstance(result, Unknown):
            raise NoToken(_token_refused(result.reason))
        if isinstance(result, Refused):
            raise NoToken(result)
        value, seconds = text(result, "access_token"), text(result, "expires_in")
        if not value or not _CODE.fullmatch(seconds):
            raise NoToken(_token_refused("WeCom's answer to gettoken holds no token"))
        return Token(value=value, expires_at=self._now() + timedelta(seconds=int(seconds)))


def judged(answer: HttpAnswer, rules: Mapping[int, Rule], now: datetime) -> Result:
    """What *answer* comes to. A code of the table counts whatever the HTTP status; without one, the status does:
    5xx may have been heard, 4xx and redirects come from a proxy or a wrong address."""
    found = answer.json
    code = text(found, "errcode")
    if isinstance(found, dict) and _CODE.fullmatch(code):
        if int(code) == 0:
            return found if answer.status < 300 else Unknown(reason=f"HTTP {answer.status} with errcode 0")
        rule = rules.get(int(code))
        if rule or answer.status < 500:
            ip = _caller_ip(text(found, "errmsg"))
            return _refused(int(code), rule or unknown_code(int(code)), ip, answer.retry_after(now))
    if answer.status == 429:
        return Refused(
            reason="HTTP 429: too many calls",
            action=Action.RETRY,
            code="429",
            retry_after=answer.retry_after(now),
        )
    if 300 <= answer.status < 500:
        reason = f"HTTP {answer.status} without an errcode: check `api_base` and any proxy before it"
        return Refused(reason=reason, action=Action.ALERT, code=str(answer.status))
    return Unknown(reason=f"HTTP {answer.status} without an errcode")


def _refused(code: int, rule: Rule, ip: str, asked: timedelta | None) -> Refused:
    seen = f" (WeCom sees {ip})" if ip and code == 60020 else ""
    waits = [wait for wait in (rule.retry_after, asked) if wait is not None]
    return Refused(
        reason=f"{code} {rule.meaning}{seen}: {rule.next_step}",
        action=rule.action,
        code=str(code),
        retry_after=max(waits, default=None),
    )


def _caller_ip(errmsg: str) -> str:
    """The address that the platform names, or "" (WeCom sheet §3.2)."""
    found = _FROM_IP.search(errmsg)
    try:
        return str(ip_address(found.group(1))) if found else ""
    except ValueError:
        return ""


def _token_refused(reason: str) -> Refused:
    return Refused(reason=f"no access token: {reason}", action=Action.RETRY)


def _twice_rejected(result: Result) -> Result:
    """A fresh token that is rejected for its credential is no matter of age: the secret is wrong (40001)."""
    if isinstance(result, Refused) and result.code == "40001":
        return _refused(40001, GETTOKEN_RULES[40001], "", None)
    return result
