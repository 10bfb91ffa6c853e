"""How often a temporary refusal is put up with, and for how long (sheet §4.4).

The engine's own backoff knows neither the code nor the customer; what a platform asks for differs by both.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from adapters.values import Action, Refused

REMEMBERED = 10_000
"""Parts whose refusals are counted. An older one starts anew, which only makes its first waits shorter again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The *waits* before each further try, in turn. *ends*: when they are used up, the message is given up;
    otherwise the last one goes on until the engine's own horizon."""

    waits: tuple[timedelta, ...]
    ends: bool = False


def _seconds(*waits: int, ends: bool = False) -> Pace:
    return Pace(waits=tuple(timedelta(seconds=each) for each in waits), ends=ends)


_DOWN = _seconds(2, 4, 8, 16, 32, 60, 60, 60, 60, ends=True)  # about five minutes
THRICE = _seconds(2, 10, 60, ends=True)

PACES: Mapping[str, Pace] = {
    "1": _seconds(5, ends=True),
    "2": _DOWN,
    "131016": _DOWN,
    "133004": _DOWN,
    "131000": THRICE,
    "131053": _seconds(5, ends=True),
    "131057": _seconds(60),
    "4": _seconds(300, 300, ends=True),  # minutes, and a chat reply is stale after ten
    "80007": _seconds(60, 120, 240, 300),
    "130429": _seconds(1, 2, 4),
    "131056": _seconds(1, 4, 16, 64),  # 4^X, X = 0, 1, 2 … for this customer alone
    "132069": _seconds(3600),
    "429": _seconds(1, 4, 16, 64),  # whether the two limits above come with this status is UNCONFIRMED
}


class Patience:
    """Counts the refusals of each part in a row. Thread-safe. In this process only: the turns of one customer run
    one after the other, and mostly here."""

    def __init__(self) -> None:
        self._refusals: OrderedDict[str, int] = OrderedDict()
        self._guard = threading.Lock()

    def judged(self, part_key: str, refused: Refused) -> Refused:
        """*refused* with the wait that is due now, or given up. A wait that the platform named goes before ours."""
        if refused.action is not Action.RETRY or not refused.code:
            return refused
        pace = PACES.get(refused.code, THRICE)
        seen = self._count(part_key)
        if pace.ends and seen > len(pace.waits):
            self.forget(part_key)
            reason = f"{refused.reason} (tried {seen} times)"
            return replace(refused, action=Action.GIVE_UP, retry_after=None, reason=reason)
        wait = refused.retry_after or pace.waits[min(seen, len(pace.waits)) - 1]
        return replace(refused, retry_after=wait)

    def forget(self, part_key: str) -> None:
        with self._guard:
            self._refusals.pop(part_key, None)

    def _count(self, part_key: str) -> int:
        with self._guard:
            seen = self._refusals[part_key] = self._refusals.get(part_key, 0) + 1
            self._refusals.move_to_end(part_key)
            if len(self._refusals) > REMEMBERED:
                self._refusals.popitem(last=False)
            return seen
