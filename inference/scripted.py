"""The model's twin in memory: says what it is told to, within the same contract as the real client."""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from inference.errors import ModelError, ModelFailed
from inference.preview import Manners, Preview
from inference.readable import readable
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


_WELL_BRED = Manners(apart=True)
_PIECE = re.compile(r"\s*(?:[!-~]{1,6}|\S)|\s+")


class ScriptedModel:
    """Answers each call with the next scripted line, then with *reply* for ever. Thread-safe.

    *delay* is waited before each answer, *pace* before each piece of it, within the deadline. *up* is what
    `available` says. *asked* is the log.
    """

    def __init__(
        self,
        reply: str | Completion | Callable[[Sequence[ChatMessage]], str | Completion] = "Understood.",
        *,
        delay: timedelta = timedelta(),
        pace: timedelta = timedelta(),
        up: bool = True,
    ) -> None:
        self.reply = reply
        self.delay = delay
        self.pace = pace
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
        ends = time.monotonic() + deadline.total_seconds()
        time.sleep(min(self.delay, deadline).total_seconds())
        if self.delay > deadline:
            raise ModelFailed("no whole answer within the deadline")
        if isinstance(line, ModelError):
            raise line
        reply = line if line is not None else self._reply_to(messages)
        said = reply if isinstance(reply, Completion) else Completion(text=reply, finish="stop")
        said = replace(said, text=said.text[:max_tokens], finish=_finish(said, max_tokens))
        if show is not None or self.pace:
            self._write(said.text, Preview(show, _WELL_BRED, offered=bool(tools), every=timedelta()), ends)
        return self._whole(asked, said)

    def _write(self, text: str, preview: Preview, ends: float) -> None:
        pieces: list[str] = []
        for piece in _PIECE.findall(text):
            time.sleep(self.pace.total_seconds())
            if time.monotonic() > ends:
                raise ModelFailed("no whole answer within the deadline")
            pieces.append(piece)
            preview.grown(pieces)

    def _whole(self, asked: Asked, said: Completion) -> Completion:
        """Within the limits that the real client holds: calls only where tools were offered, and never nothing."""
        calls = said.tool_calls if asked.tools else ()
        text = readable(said.text)
        if not text and not calls:
            raise ModelFailed("the answer is empty")
        return replace(
            said,
            text=text,
            prompt_tokens=sum(len(message.content) for message in asked.messages),
            completion_tokens=len(said.text),
            tool_calls=calls,
            reasoning=said.reasoning if calls else "",
        )

    def available(self) -> bool:
        return self.up

    def _reply_to(self, messages: Sequence[ChatMessage]) -> str | Completion:
        return self.reply(messages) if callable(self.reply) else self.reply


def _finish(said: Completion, max_tokens: int) -> str:
    """A character is a token here."""
    return said.finish if len(said.text) <= max_tokens else "length"
