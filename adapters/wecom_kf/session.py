"""Who serves a customer now, and handing over to a human (WeCom sheet §5.5)."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from adapters.payload import text
from adapters.values import Refused, Unknown
from adapters.wecom.api import Result, WeComApi

FRESH = timedelta(seconds=3)
"""For so long a state that was read is believed: a human can take a chat at any moment."""
_MOST = 10_000
NOT_ACCEPTING = "95014"


class State(StrEnum):
    NEW = "0"
    ASSISTANT = "1"
    POOL = "2"
    HUMAN = "3"
    ENDED = "4"


OURS = frozenset({State.NEW, State.ASSISTANT})
HUMANS = frozenset({State.POOL, State.HUMAN})
"""While a customer waits for a human or has one, the bot is silent."""


class Sessions:
    """The sessions of one account. Thread-safe."""

    def __init__(self, api: WeComApi, open_kfid: str, now: Callable[[], datetime]) -> None:
        self._api = api
        self._open_kfid = open_kfid
        self._now = now
        self._seen: dict[str, tuple[datetime, str]] = {}
        self._guard = threading.Lock()

    def state(self, customer: str, *, anew: bool = False) -> str | Refused | Unknown:
        """A :class:`State`, or whatever else the platform says. *anew*: what was read before is known to be old.
        That a human serves is never believed from before: one who left a second ago serves no more."""
        now = self._now()
        with self._guard:
            seen = self._seen.get(customer)
        if seen is not None and now - seen[0] < FRESH and seen[1] not in HUMANS and not anew:
            return seen[1]
        result = self._api.post("/cgi-bin/kf/service_state/get", self._named(customer))
        if isinstance(result, Refused | Unknown):
            return result
        state = text(result, "service_state")
        self._note(customer, state)
        return state

    def hand_over(self, customer: str, servicer: str) -> Result:
        """To *servicer*; to the waiting pool where that one accepts nobody now, or none is named. From the pool the
        platform lets nobody go back to it: who has a human, or waits for one, is handed over already."""
        if self.state(customer, anew=True) in HUMANS:
            return {}
        if servicer:
            result = self._move(customer, State.HUMAN, servicer)
            if not isinstance(result, Refused) or result.code != NOT_ACCEPTING:
                return result
        return self._move(customer, State.POOL, "")

    def _move(self, customer: str, state: State, servicer: str) -> Result:
        fields = {**self._named(customer), "service_state": int(state)}
        if servicer:
            fields["servicer_userid"] = servicer
        result = self._api.post("/cgi-bin/kf/service_state/trans", fields)
        if not isinstance(result, Refused | Unknown):
            self._note(customer, state)
        return result

    def _named(self, customer: str) -> dict[str, object]:
        return {"open_kfid": self._open_kfid, "external_userid": customer}

    def _note(self, customer: str, state: str) -> None:
        with self._guard:
            if len(self._seen) >= _MOST:
                self._seen.clear()
            self._seen[customer] = (self._now(), state)
