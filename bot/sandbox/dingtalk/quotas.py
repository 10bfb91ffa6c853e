"""What a month and a second allow: API calls, webhook messages, calls a second, and an address that is punished
(§2.6, §2.7). Nothing is limited until a limit is set."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.sandbox.dingtalk.errors import PUNISHED, QPS, api_error, old_error
from bot.sandbox.simulator.calls import Refusal
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.serving import Incoming, answer_json

CALLS_A_SECOND = 20


class Quotas:
    """*api_calls* and *webhook_messages* are the month's limits, 0: none. *punished*: this address made too many
    calls and is refused everything. *missing_scope*: the permission that the app lacks, "" if none."""

    def __init__(self, now: Callable[[], datetime], *, rate_holds: Callable[[], bool]) -> None:
        self._now = now
        self._rate_holds = rate_holds
        self.api_calls = 0
        self.webhook_messages = 0
        self.punished = False
        self.missing_scope = ""
        self._counted: Counter[str] = Counter()
        self._rates: dict[str, Bucket] = {}
        self._guard = threading.Lock()

    def counted(self) -> dict[str, int]:
        """This month's totals."""
        month = f"{self._now():%Y-%m}"
        with self._guard:
            return {name.partition(" ")[0]: count for name, count in self._counted.items() if name.endswith(month)}

    def check_api(self, incoming: Incoming) -> None:
        """Before a call of the new API. A call that the rate limit refuses is not counted."""
        if self.punished:
            raise Refusal(answer_json(PUNISHED), "punished: more than 10,000 calls in 20 seconds")
        if self.missing_scope:
            raise api_error(
                403,
                "Forbidden.AccessDenied.AccessTokenPermissionDenied",
                "没有调用该接口的权限",
                accessdenieddetail={"requiredScopes": [self.missing_scope]},
            )
        with self._guard:
            rate = self._rates.setdefault(
                incoming.path, Bucket(CALLS_A_SECOND, timedelta(seconds=1) / CALLS_A_SECOND)
            )
            allowed = not self._rate_holds() or rate.take(self._now())
        if not allowed:
            raise api_error(403, QPS, f"more than {CALLS_A_SECOND} calls a second")
        if self._over("api_calls", self.api_calls):
            raise api_error(403, "Forbidden.AccessDenied.ApiCountLimitForOrg", "本月调用量已用完")

    def check_webhook(self) -> None:
        """Before a message by session webhook."""
        if self.punished:
            raise Refusal(answer_json(PUNISHED), "punished: more than 10,000 calls in 20 seconds")
        if self._over("webhook_messages", self.webhook_messages):
            raise old_error(90030, "本月 webhook 调用量已用完")

    def inbound_exhausted(self) -> bool:
        """Whether the robot gets no more words this month, but frames with errorCode 20001 (§1.3)."""
        return self._over("webhook_messages", self.webhook_messages)

    def _over(self, what: str, limit: int) -> bool:
        month = f"{what} {self._now():%Y-%m}"
        with self._guard:
            if limit and self._counted[month] >= limit:
                return True
            self._counted[month] += 1
            return False
