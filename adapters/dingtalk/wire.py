"""Every call to DingTalk goes through here: it is counted, and none is made while DingTalk punishes this address.

More than 10,000 calls in 20 s block an IP address for five minutes (DingTalk sheet §2.6): for the whole machine, so
that all processes hear of it.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from adapters.channel import Services
from adapters.dingtalk.quota import Quota
from adapters.dingtalk.rules import PUNISHED, REST
from adapters.dingtalk.verdict import PUNISHMENT, code_of, punished, rule_of
from adapters.http import HttpAnswer, NotSent
from adapters.tokens import NoToken
from adapters.values import Action, Refused

SHARED = "dingtalk:punished"
NOTHING: Mapping[str, int] = MappingProxyType({})
LONG_AGO = datetime.fromtimestamp(0, UTC)
FILE_TIME = timedelta(minutes=1)
"""For what may have 20 MB."""
LOOK_EVERY = 1.0
"""Seconds between two looks at what other processes learnt."""


class Resting(NoToken):
    """No call may be made now: DingTalk punishes this address."""


class Wire:
    """One channel's way out."""

    def __init__(self, services: Services, quota: Quota) -> None:
        self._services = services
        self._quota = quota
        self._looked = -LOOK_EVERY
        self._until: datetime | None = None

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        counted: Mapping[str, int] = NOTHING,
        total: timedelta | None = None,
    ) -> HttpAnswer:
        """One exchange, *counted* as what DingTalk bills. Raises :class:`Resting`, NotSent or MaybeSent."""
        self._rest()
        self._count(counted)  # before: with the store down, nothing is sent of which nobody would know
        try:
            answer = self._services.http.call(method, url, body=body, headers=headers, params=params, total=total)
        except NotSent:
            self._count(counted, -1)
            raise
        if punished(answer):
            self._begin_rest()
        if _free(answer):
            self._count(counted, -1)
        return answer

    def download(self, url: str, most: int) -> HttpAnswer:
        """What lies at *url*, up to *most* bytes. A customer chose the bytes, and a store's errors are pages: none
        of that says anything about our standing. Raises as :meth:`call`."""
        self._rest()
        return self._services.http.call("GET", url, most=most, total=FILE_TIME)

    def _count(self, counted: Mapping[str, int], times: int = 1) -> None:
        for what, count in counted.items():
            self._quota.count(what, count * times)

    def _rest(self) -> None:
        self._look()
        left = self._until - self._services.now() if self._until else timedelta()
        if left > timedelta():
            reason = f"{PUNISHMENT}: {PUNISHED.meaning}; {PUNISHED.next_step}"
            refused = Refused(
                reason=reason, action=Action.RETRY, code=PUNISHMENT, retry_after=left, account=PUNISHED.account
            )
            raise Resting(refused)

    def _look(self) -> None:
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        told = self._services.growth.read(SHARED)
        if told is not None:
            self._until = max(datetime.fromisoformat(told.text), self._until or LONG_AGO)

    def _begin_rest(self) -> None:
        self._until = self._services.now() + REST
        said = self._until.isoformat()
        self._services.growth.open(SHARED, said)
        self._services.growth.grow(SHARED, said)


def _free(answer: HttpAnswer) -> bool:
    """Calls that a rate limit refused are not billed (§2.7)."""
    rule = rule_of(code_of(answer.json), answer.json) if answer.status < 500 else None
    return punished(answer) or (rule is not None and rule.action is Action.RETRY)
