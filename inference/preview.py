"""The answer while it is still being written, as far as a customer may see it then.

Three things are known only later, so what could be one of them waits: markup of which a part has come; a thought in
the content, where nobody knows yet that this model keeps its thoughts apart; and the words before a tool is called,
which are no answer.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from inference.budget import text_tokens
from inference.readable import decided, readable, thinks_aloud
from inference.values import Show

EVERY = timedelta(milliseconds=150)
"""No platform takes edits faster, and to an eye it is at once."""
BEFORE_A_CALL = 24
"""Tokens by our estimate: "Let me look that up for you, one moment please." is 15."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Manners:
    """How one model behaves, as its whole answers have shown. *apart*: its content holds no thought without a
    beginning. Shared by all threads: each learns the same, so no lock is needed."""

    apart: bool | None = None

    def learn(self, content: str, *, whole: bool) -> None:
        """Once it has thought aloud, it will again. A cut answer may not have come to its thought's end."""
        if thinks_aloud(content):
            self.apart = False
        elif whole and content and self.apart is None:
            self.apart = True


class Preview:
    """Of one attempt. *offered*: tools may be called. Without *show* it only learns *manners*."""

    def __init__(
        self,
        show: Show | None = None,
        manners: Manners | None = None,
        *,
        offered: bool = False,
        every: timedelta = EVERY,
    ) -> None:
        self._show = show
        self._manners = manners or Manners()
        self._offered = offered
        self._every = every.total_seconds()
        self._next = 0.0
        self._apart = bool(self._manners.apart)
        self._shown = ""

    def thought(self) -> None:
        """A thought has come beside the content, where it belongs."""
        self._apart = True

    def called(self) -> None:
        """A tool is being called: what was written is no answer."""
        self._show = None

    def grown(self, pieces: Sequence[str]) -> None:
        """*pieces* are the whole content so far. Joined and cleaned only when it is time to show something."""
        if self._show is None or (now := time.monotonic()) < self._next:
            return
        self._next = now + self._every
        content = "".join(pieces)
        if not self._apart and "</think>" not in content:
            return
        text = readable(decided(content))
        if self._offered and text_tokens(text) < BEFORE_A_CALL:
            return
        self._offered = False
        if text and text != self._shown:
            self._shown = text
            self._tell(self._show, text)

    def whole(self, content: str, *, finish: object) -> None:
        self._manners.learn(content, whole=finish == "stop")

    def _tell(self, show: Show, text: str) -> None:
        try:
            show(text)
        except Exception as error:  # noqa: BLE001  whoever watches may fail; the answer is for the customer
            self._show = None
            _log.warning("action=show_failed error=%s", type(error).__name__)
