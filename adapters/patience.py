"""How often a temporary refusal is put up with, and for how long: by the platform's code.

The engine's own backoff knows neither the code nor the customer; what a platform asks for differs by both. A
platform's paces are data, beside its error table.
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


def pace(*seconds: int, ends: bool = False) -> Pace:
    return Pace(waits=tuple(timedelta(seconds=each) for each in seconds), ends=ends)


class Patience:
    """Counts each part's refusals with the same code in a row. *otherwise* is for codes without a pace of their
    own; None: the engine judges those. Thread-safe. In this process only: the turns of one customer run one after
    the other, and mostly here."""

    def __init__(self, paces: Mapping[str, Pace], *, otherwise: Pace | None = None) -> None:
        self._paces = paces
        self._otherwise = otherwise
        self._refusals: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._guard = threading.Lock()

    def judged(self, part_key: str, refused: Refused) -> Refused:
        """*refused* with the wait that is due now, or given up. A wait that the platform named goes before ours."""
        found = self._paces.get(refused.code, self._otherwise)
        if refused.action is not Action.RETRY or not refused.code or found is None:
            return refused
        seen = self._count(part_key, refused.code)
        if found.ends and seen > len(found.waits):
            self.forget(part_key)
            reason = f"{refused.reason} (tried {seen} times)"
            return replace(refused, action=Action.GIVE_UP, retry_after=None, reason=reason)
        wait = refused.retry_after or found.waits[min(seen, len(found.waits)) - 1]
        return replace(refused, retry_after=wait)

    def forget(self, part_key: str) -> None:
        with self._guard:
            self._refusals.pop(part_key, None)

    def _count(self, part_key: str, code: str) -> int:
        with self._guard:
            last, seen = self._refusals.get(part_key, (code, 0))
            seen = seen + 1 if last == code else 1
            self._refusals[part_key] = (code, seen)
            self._refusals.move_to_end(part_key)
            if len(self._refusals) > REMEMBERED:
                self._refusals.popitem(last=False)
            return seen
