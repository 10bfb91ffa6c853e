"""An answer shown while it is written: one AI card (DingTalk sheet §3.2), known to all by the reply's key.

The card's state lies in the shared growth store, so that `send` finds in any process what another began:

making   the call that makes the card was begun: it may exist
shown    the card is there, with some text
done     it holds the final text
failed   it could not be made or finished: the answer goes out as a message
"""

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from adapters.dingtalk.cards import CARD_TEXT, Card, Cards, card_text
from adapters.dingtalk.quota import Quota
from adapters.dingtalk.route import Route
from adapters.growth import Growth
from adapters.text import split
from adapters.values import Action, Refused, Unknown

BETWEEN = timedelta(milliseconds=800)
PAUSE = timedelta(seconds=2)
"""After a refusal for too many calls (§3.2)."""


class Step(StrEnum):
    MAKING = "making"
    SHOWN = "shown"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the card of one reply is. *length* is that of the longest text that it was given, *tries* how often
    the final one was refused for a while."""

    step: Step
    carrier: str = ""
    length: int = 0
    tries: int = 0


class Ledger:
    """The progress of one channel's cards, by the reply's key."""

    def __init__(self, channel: str, growth: Growth) -> None:
        self._channel = channel
        self._growth = growth

    def begin(self, key: str) -> Progress:
        """The card's progress; a card that nobody began is begun now."""
        return _read(self._growth.open(self._name(key), _written(Progress(step=Step.MAKING))).text)

    def read(self, key: str) -> Progress | None:
        found = self._growth.read(self._name(key))
        return _read(found.text) if found else None

    def note(self, key: str, progress: Progress) -> None:
        self._growth.grow(self._name(key), _written(progress), finished=progress.step in (Step.DONE, Step.FAILED))

    def _name(self, key: str) -> str:
        return f"dingtalk:{self._channel}:{key}"


def _written(progress: Progress) -> str:
    return json.dumps(asdict(progress))


def _read(text: str) -> Progress:
    found: dict[str, Any] = json.loads(text)
    return Progress(**{**found, "step": Step(found["step"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Easel:
    """What every growing answer of a channel is made with. *template* and *variable* as in the settings."""

    cards: Cards
    ledger: Ledger
    quota: Quota
    template: str
    variable: str
    render: Callable[[str], str]

    def make(self, key: str, route: Route, text: str) -> Card | Refused | Unknown:
        data = {self.variable: "", "flowStatus": "1"}
        return self.cards.create(key, self.template, route, data, text)

    def fitting(self, markdown: str) -> str:
        """The beginning of *markdown* that a card takes."""
        first = split(card_text(self.render(markdown)), CARD_TEXT)
        return first[0] if first else ""


class CardWriting:
    """Implements `adapters.writing.Writing` on a thread of its own, which begins with the first text."""

    def __init__(self, easel: Easel, key: str, route: Route) -> None:
        self._easel = easel
        self._key = key
        self._route = route
        self._changed = threading.Condition()
        self._text = ""
        self._ended = False
        self._pool: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None
        self._calls = 0
        self._content = ""
        self._progress = Progress(step=Step.MAKING)

    def show(self, text: str) -> None:
        with self._changed:
            if self._ended or not text.strip():
                return
            self._text = text
            self._changed.notify_all()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="dingtalk-card")
                self._running = self._pool.submit(self._run)

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._pool is not None and self._running is not None:
            wait([self._running])  # what it raised (the store being down) is no reason to lose the reply
            self._pool.shutdown()

    def _run(self) -> None:
        """Shows the newest text, again and again, until there is no more or the card takes no more."""
        shown = ""
        if not self._made():
            return
        while (text := self._newer_than(shown)) is not None:
            pause = self._put(text)
            if pause is None:
                return
            if pause == BETWEEN:
                shown = text
            self._sleep(pause)

    def _newer_than(self, shown: str) -> str | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._text != shown)
            return None if self._ended else self._text

    def _sleep(self, pause: timedelta) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout=pause.total_seconds())

    def _made(self) -> bool:
        """Whether the card is there, made now or by an earlier try of the same turn."""
        ledger = self._easel.ledger
        while (left := self._easel.cards.wait()) > timedelta():
            self._sleep(left)
            if self._ended:
                return False
        self._progress = ledger.begin(self._key)
        if self._progress.step is not Step.MAKING:
            return self._progress.step is Step.SHOWN
        card = self._easel.make(self._key, self._route, self._text)
        if isinstance(card, Card):
            self._note(step=Step.SHOWN, carrier=card.carrier)
            return True
        if isinstance(card, Refused):
            self._note(step=Step.FAILED)
        return False  # Unknown: it may be there, and `send` will see

    def _note(self, **changes: Any) -> None:
        self._progress = replace(self._progress, **changes)
        self._easel.ledger.note(self._key, self._progress)

    def _put(self, text: str) -> timedelta | None:
        """How long to rest after showing *text*, or having skipped it; None: the card takes no more. An answer that
        is begun anew (its stream broke, its process died) is shown again once it is longer than before: nothing
        shrinks before the customer's eyes."""
        content = self._easel.fitting(text)
        if content == self._content or len(content) < self._progress.length:
            return BETWEEN
        if not self._easel.quota.cards_may_grow():
            return None
        left = self._easel.cards.wait()
        if left > timedelta():
            return left
        self._calls += 1
        self._note(length=len(content))
        self._content = content
        refused = self._easel.cards.stream(self._key, content, step=f"show{self._calls}")
        if isinstance(refused, Refused):
            self._content = ""
            return PAUSE if refused.action is Action.RETRY and not refused.account else None
        return BETWEEN
