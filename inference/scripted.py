"""The model's twin in memory: says what it is told to, within the same contract as the real client."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from inference.errors import ModelError, ModelFailed
from inference.values import ChatMessage, Completion, ToolSpec

Line = str | ModelError
"""What one call gives: a text, or an error that is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call as it came in."""

    messages: tuple[ChatMessage, ...]
    conversation: str
    max_tokens: int


class ScriptedModel:
    """Answers each call with the next scripted line, then with *reply* for ever. Thread-safe.

    *delay* is waited before each answer, within the deadline. *up* is what `available` says. *asked* is the log.
    """

    def __init__(
        self,
        reply: str | Callable[[Sequence[ChatMessage]], str] = "Understood.",
        *,
        delay: timedelta = timedelta(),
        up: bool = True,
    ) -> None:
        self.reply = reply
        self.delay = delay
        self.up = up
        self.asked: list[Asked] = []
        self._script: deque[Line] = deque()
        self._lock = threading.Lock()

    def script(self, *lines: Line) -> None:
        """What the next calls give, one each."""
        with self._lock:
            self._script.extend(lines)

    def complete(
        self,
        messages: Sequence[ChatMessage],
        *,
        conversation: str,
        deadline: timedelta,
        max_tokens: int,
        tools: Sequence[ToolSpec] = (),
    ) -> Completion:
        with self._lock:
            self.asked.append(Asked(messages=tuple(messages), conversation=conversation, max_tokens=max_tokens))
            line = self._script.popleft() if self._script else None
        time.sleep(min(self.delay, deadline).total_seconds())
        if self.delay > deadline:
            raise ModelFailed("no whole answer within the deadline")
        if isinstance(line, ModelError):
            raise line
        text = line if line is not None else self._reply_to(messages)
        if not text.strip():
            raise ModelFailed("the answer is empty")
        kept = text[:max_tokens]  # a character is a token here
        return Completion(
            text=kept,
            finish="stop" if kept == text else "length",
            prompt_tokens=sum(len(message.content) for message in messages),
            completion_tokens=len(kept),
        )

    def available(self) -> bool:
        return self.up

    def _reply_to(self, messages: Sequence[ChatMessage]) -> str:
        return self.reply if isinstance(self.reply, str) else self.reply(messages)
