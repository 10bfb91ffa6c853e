"""What DingTalk counts per month and organisation (DingTalk sheet §2.7), counted here too.

Only our own calls are seen: other apps of the organisation draw on the same pool. Its months are China's.
"""

from collections.abc import Sequence
from datetime import timedelta, timezone

from adapters.channel import Finding, Services
from adapters.dingtalk.settings import DingTalkSettings

CHINA = timezone(timedelta(hours=8))
API_CALLS = "api_calls"
WEBHOOK_MESSAGES = "webhook_messages"
CARD_CALLS = "card_calls"
BUY = "buy more in DingTalk's admin console, or raise the channel's limit if the edition has a higher one"


class Quota:
    """One channel's counts."""

    def __init__(self, channel: str, settings: DingTalkSettings, services: Services) -> None:
        self._channel = channel
        self._settings = settings
        self._services = services

    @property
    def month(self) -> str:
        return f"{self._services.now().astimezone(CHINA):%Y-%m}"

    def count(self, what: str, count: int = 1) -> None:
        self._services.meter.add(self._channel, what, month=self.month, count=count)

    def cards_may_grow(self) -> bool:
        """Whether this month's budget lets another card be shown while it is written."""
        budget = self._settings.card_monthly_budget
        used = self._services.meter.read(self._channel, month=self.month).get(CARD_CALLS, 0)
        return not budget or used < budget

    def findings(self) -> Sequence[Finding]:
        used = self._services.meter.read(self._channel, month=self.month)
        limits = {
            API_CALLS: self._settings.monthly_api_calls,
            WEBHOOK_MESSAGES: self._settings.monthly_webhook_messages,
        }
        if self._settings.streams_cards:
            limits[CARD_CALLS] = self._settings.card_monthly_budget
        return [self._finding(what, used.get(what, 0), limit) for what, limit in limits.items()]

    def _finding(self, what: str, used: int, limit: int) -> Finding:
        words = what.replace("_", " ")
        said = f"{used} {words} in {self.month}, {f'of {limit}' if limit else 'no limit'}"
        spent = bool(limit) and used >= limit
        if what == CARD_CALLS:
            return Finding(what=said, ok=True)  # answers then come whole, in a message
        return Finding(what=said, ok=not spent, next_step=BUY if spent else "")
