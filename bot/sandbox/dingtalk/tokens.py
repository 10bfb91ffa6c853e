"""Access tokens: one for the app, the same within its validity, by three calls (§2.5)."""

import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.sandbox.dingtalk.errors import api_error, old_error
from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.serving import Answer, answer_json

TOKEN_LIFE = timedelta(seconds=7200)


class Tokens:
    """*legacy_apart*: the old API takes only tokens of its own call, as some report (§2.5)."""

    def __init__(self, client_id: str, client_secret: str, now: Callable[[], datetime]) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._now = now
        self.life = TOKEN_LIFE
        self.legacy_apart = False
        self._current: dict[str, tuple[str, datetime]] = {}
        self._guard = threading.Lock()

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/v1\.0/oauth2/accessToken", "token", self._on_access_token),
            route("POST", r"/v1\.0/oauth2/[^/]+/token", "token", self._on_unified_token),
            route("GET", r"/gettoken", "token", self._on_gettoken),
        )

    def forget(self) -> None:
        with self._guard:
            self._current.clear()

    def valid(self, given: str, *, legacy: bool = False) -> bool:
        with self._guard:
            token, until = self._current.get(self._kind(legacy), ("", self._now()))
            return bool(given) and given == token and self._now() < until

    def _on_access_token(self, exchange: Exchange) -> Answer:
        body = exchange.incoming.json()
        if member(body, "appKey") != self._client_id or member(body, "appSecret") != self._client_secret:
            raise api_error(400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
        token, left = self._token(legacy=False)
        return answer_json({"accessToken": token, "expireIn": left})

    def _on_unified_token(self, exchange: Exchange) -> Answer:
        body = exchange.incoming.json()
        if member(body, "client_id") != self._client_id or member(body, "client_secret") != self._client_secret:
            raise api_error(400, "invalid.client")
        token, left = self._token(legacy=False)
        return answer_json({"access_token": token, "expires_in": left})

    def _on_gettoken(self, exchange: Exchange) -> Answer:
        asked = exchange.incoming.argument
        if asked("appkey") != self._client_id or asked("appsecret") != self._client_secret:
            raise old_error(40089, "不合法的corpid或corpsecret")
        token, left = self._token(legacy=True)
        return answer_json({"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": left})

    def _token(self, *, legacy: bool) -> tuple[str, int]:
        """The same token within its validity, and the seconds left of it."""
        with self._guard:
            now, kind = self._now(), self._kind(legacy)
            token, until = self._current.get(kind, ("", now))
            if not token or until <= now:
                token, until = secrets.token_hex(16), now + self.life
                self._current[kind] = (token, until)
            return token, int((until - now).total_seconds())

    def _kind(self, legacy: bool) -> str:
        return "legacy" if legacy and self.legacy_apart else "new"
