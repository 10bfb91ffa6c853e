"""Calls to WeCom's API: the access token goes in, the errcode is read, and what it means comes out.

HTTP status is 200 even for errors; `errmsg` is not stable and is quoted nowhere but for the caller's IP address
(WeCom sheet §3).
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TypeVar

from pydantic import SecretStr

from adapters.channel import Services
from adapters.errors import Malformed
from adapters.http import LARGEST_ANSWER, HttpAnswer, MaybeSent, NotSent, TooLarge
from adapters.payload import Json, read_json, text
from adapters.rules import Rule, honest, uncoded
from adapters.tokens import NoToken, SharedToken
from adapters.values import Action, Refused, Token, Unknown
from adapters.wecom.codes import GETTOKEN_RULES, RULES, unknown_code

Result = dict[str, Json] | Refused | Unknown
"""The answer's JSON with errcode 0, or why there is none."""
Fetched = HttpAnswer | Refused | Unknown
T = TypeVar("T")

JSON = "application/json; charset=utf-8"
TOO_LARGE = "too_large"
DUPLICATE = "duplicate_msgid"
"""`kf/send_msg` has that message already. Which errcode says so is not documented, so its words are looked at."""
_DUPLICATE = re.compile(r"msg_?id\W.{0,40}(duplicat|repeat|exist)|(duplicat|repeat)\w*\W.{0,20}msg_?id", re.I)
_CODE = re.compile(r"-?\d{1,9}")
_FROM_IP = re.compile(r"from ip: ?([0-9a-fA-F.:]{2,45}?)[.,]?(?:\s|$)")


def encoded(fields: Mapping[str, object]) -> bytes:
    """UTF-8 JSON without \\u escapes (errcode 40033); a lone surrogate, which has no UTF-8, becomes "?"."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class WeComApi:
    """One app's calls. Its token is shared under the company's and the secret's name: one per app, never one per
    company (WeCom sheet §3.1), and a new one as soon as the secret changes."""

    def __init__(self, *, base: str, corp_id: str, secret: SecretStr, services: Services) -> None:
        self._base = base.rstrip("/")
        self._credentials = (corp_id, secret)
        self._http = services.http
        self._now = services.now
        digest = hashlib.sha256(secret.get_secret_value().encode()).hexdigest()[:16]
        self._token = SharedToken(f"wecom:{corp_id}:{digest}", services.tokens, self._gettoken, services.now)

    def get(self, path: str, **params: str) -> Result:
        return self._with_token(lambda token: self._judged(self._exchange("GET", path, token, params)))

    def post(self, path: str, fields: Mapping[str, object]) -> Result:
        body = encoded(fields)
        return self._with_token(lambda token: self._judged(self._exchange("POST", path, token, {}, body, JSON)))

    def upload(self, path: str, body: bytes, content_type: str, **params: str) -> Result:
        """A multipart *body*."""
        return self._with_token(
            lambda token: self._judged(self._exchange("POST", path, token, params, body, content_type))
        )

    def file(self, path: str, *, most: int, span: str = "", **params: str) -> Fetched:
        """A file of at most *most* bytes; with *span* ("bytes=0-99") a part of it. What is refused is told by JSON
        with HTTP 200 (WeCom sheet §7)."""

        def call(token: str) -> Fetched:
            answer = self._exchange("GET", path, token, params, span=span, most=most)
            told = isinstance(answer, HttpAnswer) and _tells_an_error(answer)
            if isinstance(answer, HttpAnswer) and (told or answer.status not in (200, 206)):
                result = self._judged(answer)
                return result if isinstance(result, Refused | Unknown) else Unknown(reason="neither file nor error")
            return answer

        return self._with_token(call)

    def token(self) -> Refused | None:
        """Asks for a token, unless there is one; says why there is none."""
        try:
            self._token.get()
        except NoToken as error:
            return error.refused
        return None

    def _with_token(self, call: Callable[[str], T]) -> T | Refused:
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
        self,
        method: str,
        path: str,
        token: str,
        params: Mapping[str, str],
        body: bytes | None = None,
        content_type: str = "",
        *,
        span: str = "",
        most: int = LARGEST_ANSWER,
    ) -> Fetched:
        headers = {"Content-Type": content_type, "Range": span}

        def call() -> HttpAnswer | Refused:
            try:
                return self._http.call(
                    method,
                    f"{self._base}{path}",
                    body=body,
                    headers={name: value for name, value in headers.items() if value},
                    params={**params, "access_token": token},
                    most=most,
                )
            except TooLarge:
                return Refused(reason=f"larger than {most} bytes", action=Action.GIVE_UP, code=TOO_LARGE)

        return honest("WeCom", call)

    def _judged(self, answer: Fetched) -> Result:
        return judged(answer, RULES, self._now()) if isinstance(answer, HttpAnswer) else answer

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
    """What *answer* comes to. A code of the table counts whatever the HTTP status; without one, the status does."""
    found = _json(answer)
    code = text(found, "errcode")
    if isinstance(found, dict) and _CODE.fullmatch(code):
        if int(code) == 0:
            return found if answer.status < 300 else Unknown(reason=f"HTTP {answer.status} with errcode 0")
        rule = rules.get(int(code))
        if rule or answer.status < 500:
            return _refused(int(code), rule or unknown_code(int(code)), text(found, "errmsg"), answer, now)
    return uncoded(answer, now)


def _json(answer: HttpAnswer) -> Json:
    """One customer's odd character must not hide a thousand messages of a page for ever."""
    try:
        return read_json(answer.body, forgiving=True)
    except Malformed:
        return None


def _tells_an_error(answer: HttpAnswer) -> bool:
    """A customer's own JSON file comes as an attachment."""
    return "content-disposition" not in answer.headers and bool(text(answer.json, "errcode"))


def _refused(code: int, rule: Rule, errmsg: str, answer: HttpAnswer, now: datetime) -> Refused:
    if _DUPLICATE.search(errmsg):
        return Refused(reason=f"{code}: WeCom has a message of this msgid", action=Action.GIVE_UP, code=DUPLICATE)
    waits = [wait for wait in (rule.wait, answer.retry_after(now)) if wait is not None]
    refused = rule.refused(str(code), max(waits, default=None))
    ip = _caller_ip(errmsg) if code == 60020 else ""
    return replace(refused, reason=f"{refused.reason} (WeCom sees {ip})") if ip else refused


def _caller_ip(errmsg: str) -> str:
    """The address that the platform names, or "" (WeCom sheet §3.2)."""
    found = _FROM_IP.search(errmsg)
    try:
        return str(ip_address(found.group(1))) if found else ""
    except ValueError:
        return ""


def _token_refused(reason: str) -> Refused:
    return Refused(reason=f"no access token: {reason}", action=Action.RETRY)


def _twice_rejected(result: T) -> T | Refused:
    """A fresh token that is rejected for its credential is no matter of age: the secret is wrong (40001)."""
    if isinstance(result, Refused) and result.code == "40001":
        return GETTOKEN_RULES[40001].refused("40001")
    return result
