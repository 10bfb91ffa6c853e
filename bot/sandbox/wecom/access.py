"""Tokens of one app, and from which addresses they may be used (§3.1, §3.2)."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json
from bot.sandbox.wecom.errors import ok, refusal

TOKEN_LIFE = timedelta(seconds=7200)
CALLS_AN_HOUR = 2000
"""Of gettoken; then 45009. A bot whose every process fetches its own gets there."""


class Access:
    """*several*: an older token lives on when another is fetched; *trusted_ip* False: every call but gettoken is
    refused with 60020."""

    def __init__(self, corp_id: str, secret: str, now: Callable[[], datetime]) -> None:
        self._corp_id = corp_id
        self._secret = secret
        self._now = now
        self.life = TOKEN_LIFE
        self.several = False
        self.trusted_ip = True
        self.fetched = 0
        self.latency = timedelta()
        """How long gettoken takes; a second one meanwhile is refused with 45033."""
        self._fetching = threading.Lock()
        self._current = ""
        self._expires: datetime | None = None
        self._live: dict[str, datetime] = {}
        self._expired: set[str] = set()
        self._guard = threading.Lock()

    def routes(self) -> Sequence[Route]:
        return (
            route("GET", r"/cgi-bin/gettoken", "token", self._on_gettoken),
            route("GET", r"/cgi-bin/getcallbackip", "getcallbackip", self._on_callback_ip),
        )

    def forget(self) -> None:
        """The tokens in use become invalid early: 40014 for them, a new one from gettoken."""
        with self._guard:
            self._current = ""
            self._live.clear()

    def check(self, incoming: Incoming) -> None:
        given, now = incoming.argument("access_token"), self._now()
        with self._guard:
            until = self._live.get(given)
            expired = given in self._expired or (until is not None and until <= now)
        if not given:
            raise refusal(41001, "access_token missing", incoming.peer, rule="parameter_missing")
        if expired:
            raise refusal(42001, "access_token expired", incoming.peer)
        if until is None:
            raise refusal(40014, "invalid access_token", incoming.peer)
        if not self.trusted_ip:
            raise refusal(60020, "not allow to access from your ip", incoming.peer)

    def _on_gettoken(self, exchange: Exchange) -> Answer:
        incoming = exchange.incoming
        if incoming.argument("corpid") != self._corp_id:
            raise refusal(40013, "invalid corpid", incoming.peer)
        if incoming.argument("corpsecret") != self._secret:
            raise refusal(40001, "invalid credential", incoming.peer)
        if not self._fetching.acquire(blocking=False):
            raise refusal(45033, "api concurrent out of limit", incoming.peer)
        try:
            time.sleep(self.latency.total_seconds())
            return self._fetched(incoming)
        finally:
            self._fetching.release()

    def _fetched(self, incoming: Incoming) -> Answer:
        with self._guard:
            self.fetched += 1
            if self.fetched > CALLS_AN_HOUR:
                raise refusal(45009, "api freq out of limit", incoming.peer, rule="token_fetched_too_often")
            now = self._now()
            if not self._current or self._expires is None or self._expires <= now:
                self._renew(now)
            left = int((self._expires - now).total_seconds()) if self._expires else 0
            return answer_json(ok(access_token=self._current, expires_in=left))

    def _renew(self, now: datetime) -> None:
        if not self.several:
            self._expired |= set(self._live)
            self._live.clear()
        self._current, self._expires = secrets.token_urlsafe(96), now + self.life
        self._live[self._current] = self._expires

    def _on_callback_ip(self, exchange: Exchange) -> Answer:
        self.check(exchange.incoming)
        return answer_json(ok(ip_list=["127.0.0.1"]))
