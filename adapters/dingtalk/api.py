"""DingTalk's OpenAPI with its access token (DingTalk sheet §2.4, §2.5)."""

import json
from collections.abc import Mapping
from datetime import timedelta

from adapters.channel import Finding, Services
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.verdict import refusal
from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.payload import text
from adapters.tokens import NoToken, SharedToken
from adapters.values import Action, Refused, Token, Unknown

UNREACHED = "DingTalk was not reached, check the network and api_base"
TOKEN_LIFETIME = timedelta(hours=2)
_JSON = {"content-type": "application/json; charset=utf-8"}


class OpenApi:
    """Calls with the app's token, which all processes share; a token that DingTalk rejects is replaced once."""

    def __init__(self, settings: DingTalkSettings, services: Services) -> None:
        self._settings = settings
        self._services = services
        self._token = SharedToken(f"dingtalk:{settings.client_id}", services.tokens, self.fetch, services.now)

    def post(self, path: str, body: bytes) -> HttpAnswer:
        """One call, twice if the token was stale. Raises NoToken, and what PlatformHttp raises."""
        token = self._token.get()
        answer = self._call("POST", path, body, None, token)
        verdict = refusal(answer, self._services.now())
        if isinstance(verdict, Refused) and verdict.action is Action.TOKEN:
            answer = self._call("POST", path, body, None, self._token.replace(token))
        return answer

    def _call(
        self, method: str, path: str, body: bytes | None, params: Mapping[str, str] | None, token: str
    ) -> HttpAnswer:
        headers = {**_JSON, "x-acs-dingtalk-access-token": token}
        url = self._settings.api_base + path
        return self._services.http.call(method, url, body=body, headers=headers, params=params)

    def fetch(self) -> Token:
        """A token from DingTalk itself, which gives the same one as long as it is valid. Raises NoToken."""
        credentials = {
            "appKey": self._settings.client_id,
            "appSecret": self._settings.client_secret.get_secret_value(),
        }
        url = f"{self._settings.api_base}/v1.0/oauth2/accessToken"
        try:
            answer = self._services.http.call("POST", url, body=json.dumps(credentials).encode(), headers=_JSON)
        except (NotSent, MaybeSent) as error:
            reason = f"no access token: {UNREACHED}: {error}"
            raise NoToken(Refused(reason=reason, action=Action.RETRY)) from None
        return self._read(answer)

    def _read(self, answer: HttpAnswer) -> Token:
        verdict = refusal(answer, self._services.now())
        if isinstance(verdict, Refused):
            raise NoToken(verdict)
        value = text(answer.json, "accessToken")
        if isinstance(verdict, Unknown) or not value:
            reason = f"no access token: HTTP {answer.status} without one"
            raise NoToken(Refused(reason=reason, action=Action.RETRY))
        seconds = text(answer.json, "expireIn")
        lifetime = timedelta(seconds=int(seconds[:5])) if seconds.isdigit() else TOKEN_LIFETIME
        return Token(value=value, expires_at=self._services.now() + min(lifetime, TOKEN_LIFETIME))

    def findings(self) -> tuple[Finding, ...]:
        """Whether the credentials, the permission and the robot hold. Reads the state of a message that does not
        exist: the cheapest call that needs the permission to send and looks at the robot's code (§7)."""
        try:
            token = self.fetch()
        except NoToken as error:
            return (Finding(what="access token", ok=False, next_step=error.refused.reason),)
        valid = Finding(what="access token", ok=True)
        params = {"robotCode": self._settings.robot, "processQueryKey": "frontdesk-check"}
        try:
            answer = self._call("GET", "/v1.0/robot/oToMessages/readStatus", None, params, token.value)
        except (NotSent, MaybeSent) as error:
            return (valid, Finding(what="robot", ok=False, next_step=f"{UNREACHED}: {error}"))
        return (valid, _robot(refusal(answer, self._services.now())))


def _robot(verdict: Refused | Unknown | None) -> Finding:
    """Any other objection (that message does not exist) shows that the robot was found and may be used."""
    if not isinstance(verdict, Refused) or not verdict.code:
        return Finding(what="robot", ok=True)
    fails = verdict.action in (Action.ALERT, Action.TOKEN) or "robotCode" in verdict.code
    return Finding(what="robot", ok=not fails, next_step=verdict.reason if fails else "")
