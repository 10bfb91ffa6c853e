"""DingTalk's OpenAPI and the older API with their access tokens (DingTalk sheet §2.4, §2.5)."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta

from adapters.channel import Services
from adapters.dingtalk.quota import API_CALLS
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.verdict import code_of, refusal
from adapters.dingtalk.wire import FILE_TIME, NOTHING, Wire
from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.payload import Json, text
from adapters.tokens import NoToken, SharedToken
from adapters.values import Action, Refused, Token, Unknown

UNREACHED = "DingTalk was not reached, check the network and api_base"
TOKEN_LIFETIME = timedelta(hours=2)
WRONG_KIND = ("40001", "40014")
"""What the older API says to a token of the new one; sources differ on whether it takes them (§2.5)."""
_JSON = {"content-type": "application/json; charset=utf-8"}


class OpenApi:
    """Calls with the app's token, which all processes share; a token that DingTalk rejects is replaced once."""

    def __init__(self, settings: DingTalkSettings, services: Services, wire: Wire) -> None:
        self._settings = settings
        self._services = services
        self._wire = wire
        shared = f"dingtalk:{settings.client_id}"
        self._token = SharedToken(shared, services.tokens, self.fetch, services.now)
        self._old_token = SharedToken(f"{shared}:old", services.tokens, self._fetch_old, services.now)

    def post(self, path: str, body: bytes, *, counted: Mapping[str, int] = NOTHING) -> HttpAnswer:
        """One call, twice if the token was stale. Raises NoToken, and what PlatformHttp raises."""
        return self._twice(lambda token: self.call("POST", path, token, body=body, counted=counted))

    def put(self, path: str, body: bytes, *, counted: Mapping[str, int] = NOTHING) -> HttpAnswer:
        """As :meth:`post`."""
        return self._twice(lambda token: self.call("PUT", path, token, body=body, counted=counted))

    def upload(self, kind: str, body: bytes, content_type: str) -> HttpAnswer:
        """A file for messages, to the older API: with the new token, and if that does not count there, with an old
        one. Raises as :meth:`post`."""
        answer = self._twice(lambda token: self._upload(kind, body, content_type, token))
        if code_of(answer.json) not in WRONG_KIND:
            return answer
        token = self._old_token.get()
        answer = self._upload(kind, body, content_type, token)
        if code_of(answer.json) in WRONG_KIND:
            answer = self._upload(kind, body, content_type, self._old_token.replace(token))
        return answer

    def call(
        self,
        method: str,
        path: str,
        token: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        counted: Mapping[str, int] = NOTHING,
    ) -> HttpAnswer:
        """One call with *token*."""
        headers = {**_JSON, "x-acs-dingtalk-access-token": token}
        url = self._settings.api_base + path
        return self._wire.call(
            method, url, body=body, headers=headers, params=params, counted={API_CALLS: 1, **counted}
        )

    def fetch(self) -> Token:
        """A token from DingTalk itself, which gives the same one as long as it is valid. Raises NoToken."""
        credentials = {
            "appKey": self._settings.client_id,
            "appSecret": self._settings.client_secret.get_secret_value(),
        }
        url = f"{self._settings.api_base}/v1.0/oauth2/accessToken"
        body = json.dumps(credentials).encode()
        answer = self._asked(lambda: self._wire.call("POST", url, body=body, headers=_JSON))
        return self._read(answer, "accessToken", "expireIn")

    def _fetch_old(self) -> Token:
        """The older API's own token. Its secret travels in the address, so no error may tell that."""
        credentials = {
            "appkey": self._settings.client_id,
            "appsecret": self._settings.client_secret.get_secret_value(),
        }
        url = f"{self._settings.oapi_base}/gettoken"
        return self._read(self._asked(lambda: self._wire.call("GET", url, params=credentials)), *_OLD_FIELDS)

    def _twice(self, call: Callable[[str], HttpAnswer]) -> HttpAnswer:
        token = self._token.get()
        answer = call(token)
        verdict = refusal(answer, self._services.now())
        if isinstance(verdict, Refused) and verdict.action is Action.TOKEN:
            answer = call(self._token.replace(token))
        return answer

    def _upload(self, kind: str, body: bytes, content_type: str, token: str) -> HttpAnswer:
        return self._wire.call(
            "POST",
            f"{self._settings.oapi_base}/media/upload",
            body=body,
            headers={"content-type": content_type},
            params={"access_token": token, "type": kind},
            counted={API_CALLS: 1},
            total=FILE_TIME,
        )

    def _asked(self, call: Callable[[], HttpAnswer]) -> HttpAnswer:
        try:
            return call()
        except (NotSent, MaybeSent) as error:
            reason = f"no access token: {UNREACHED}: {error}"
            raise NoToken(Refused(reason=reason, action=Action.RETRY)) from None

    def _read(self, answer: HttpAnswer, value_field: str, seconds_field: str) -> Token:
        verdict = refusal(answer, self._services.now())
        if isinstance(verdict, Refused):
            raise NoToken(verdict)
        value = text(answer.json, value_field)
        if isinstance(verdict, Unknown) or not value:
            reason = f"no access token: HTTP {answer.status} without one"
            raise NoToken(Refused(reason=reason, action=Action.RETRY))
        seconds = text(answer.json, seconds_field)
        lifetime = timedelta(seconds=int(seconds[:5])) if seconds.isdigit() else TOKEN_LIFETIME
        return Token(value=value, expires_at=self._services.now() + min(lifetime, TOKEN_LIFETIME))


_OLD_FIELDS = ("access_token", "expires_in")


def written(body: Mapping[str, Json]) -> bytes:
    """*body* as JSON with Chinese as itself: escaped, each character would take six bytes."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
