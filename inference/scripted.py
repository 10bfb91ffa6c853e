"""The model's twin in memory: says what it is told to, within the same contract as the real client."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from inference.errors import ModelError, ModelFailed
from inference.values import ChatMessage, Completion, Show, ToolCall, ToolSpec

Line = str | Completion | ModelError
"""What one call gives: a text, an answer in full (see `calling`), or an error that is raised."""


def calling(*calls: tuple[str, str], reasoning: str = "") -> Completion:
    """An answer that calls tools, each by name and raw JSON arguments."""
    return Completion(
        text="",
        finish="tool_calls",
        tool_calls=tuple(
            ToolCall(id=f"chatcmpl-tool-{index}", name=name, arguments=arguments)
            for index, (name, arguments) in enumerate(calls)
        ),
        reasoning=reasoning,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call as it came in."""

    messages: tuple[ChatMessage, ...]
    conversation: str
    max_tokens: int
    tools: tuple[ToolSpec, ...] = ()


class ScriptedModel:
    """Answers each call with the next scripted line, then with *reply* for ever. Thread-safe.

    *delay* is waited before each answer, within the deadline. *up* is what `available` says. *asked* is the log.
    """

    def __init__(
        self,
        reply: str | Completion | Callable[[Sequence[ChatMessage]], str | Completion] = "Understood.",
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
        show: Show | None = None,
    ) -> Completion:
        asked = Asked(
            messages=tuple(messages), conversation=conversation, max_tokens=max_tokens, tools=tuple(tools)
        )
        with self._lock:
            self.asked.append(asked)
            line = self._script.popleft() if self._script else None
        time.sleep(min(self.delay, deadline).total_seconds())
        if self.delay > deadline:
            raise ModelFailed("no whole answer within the deadline")
        if isinstance(line, ModelError):
            raise line
        said = line if line is not None else self._reply_to(messages)
        return self._whole(asked, said if isinstance(said, Completion) else Completion(text=said, finish="stop"))

    def _whole(self, asked: Asked, said: Completion) -> Completion:
        """Within the limits that the real client holds: calls only where tools were offered, and never nothing."""
        calls = said.tool_calls if asked.tools else ()
        if not said.text.strip() and not calls:
            raise ModelFailed("the answer is empty")
        kept = said.text[: asked.max_tokens]  # a character is a token here
        return replace(
            said,
            text=kept,
            finish=said.finish if kept == said.text else "length",
            prompt_tokens=sum(len(message.content) for message in asked.messages),
            completion_tokens=len(kept),
            tool_calls=calls,
            reasoning=said.reasoning if calls else "",
        )

    def available(self) -> bool:
        return self.up

    def _reply_to(self, messages: Sequence[ChatMessage]) -> str | Completion:
        return self.reply(messages) if callable(self.reply) else self.reply
