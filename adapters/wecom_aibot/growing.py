"""An answer that is written into the stream which the platform polls."""

import time
from collections.abc import Sequence

from adapters.growth import Growth
from adapters.wecom_aibot.shown import DIALECT, Shown, clipped, far
from adapters.wecom_aibot.words import answered_below

PACE = 0.25
"""Seconds between two writes: nobody reads faster, and the platform asks about once a second."""


class AnswerWriting:
    """What a worker shows of the answer to the newest message of a turn (*name*; "": that one has no stream). The
    *earlier* ones are answered with it: when the writing ends, their streams point at it."""

    def __init__(self, growth: Growth, name: str, *, lang: str, earlier: Sequence[tuple[str, str]]) -> None:
        self._growth = growth
        self._name = name
        self._lang = lang
        self._earlier = earlier
        self._next = 0.0
        self._longest: int | None = None

    def show(self, text: str) -> None:
        """One small write to the store, at the pace; what comes between is in the next one, or in the reply. A try
        that begins anew shows nothing until it has come as far as the one before: no text shrinks."""
        if not self._name or time.monotonic() < self._next:
            return
        content = clipped(DIALECT.render(text))
        if content.strip() and len(content) >= self._least():
            self._next = time.monotonic() + PACE
            self._longest = len(content)
            self._growth.grow(self._name, Shown(content=content, lang=self._lang).dump())

    def _least(self) -> int:
        """The length of what is shown already, maybe by a worker that is no more."""
        if self._longest is None:
            known = self._growth.read(self._name)
            self._longest = far(known.text) if known else 0
        return self._longest

    def end(self) -> None:
        for name, lang in self._earlier:
            pointer = Shown(content=answered_below(lang), lang=lang).dump()
            self._growth.open(name, pointer)  # it may not be there yet: then its first answer is this
            self._growth.grow(name, pointer, finished=True)
