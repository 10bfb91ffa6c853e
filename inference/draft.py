"""The answer as it grows, event by event: what counts as content, as a sign of life, and as a whole answer."""

import json
from typing import Any

from inference.calls import BadPiece, Calls
from inference.preview import Preview
from inference.readable import readable, without_surrogates
from inference.trouble import (
    CUT_EARLY,
    CUT_LATE,
    FINISHES,
    TOO_LARGE,
    UNREADABLE,
    AttemptFailed,
    of_error_event,
    unknown_finish,
)
from inference.values import Completion, ToolCall

LONGEST_TEXT = 200_000
"""Characters; the largest max_tokens that is asked for makes far fewer."""


class Draft:
    """Takes the events of one attempt. Reasoning (`reasoning`, or `reasoning_content` of old servers) is a sign of
    life, and is kept only to go back with tool calls; calls that nobody *offered* a tool for are dropped.
    *preview* is told of all that comes."""

    def __init__(self, where: str, *, offered: bool = False, preview: Preview | None = None) -> None:
        self._where = where
        self._offered = offered
        self._preview = preview or Preview()
        self._pieces: list[str] = []
        self._thoughts: list[str] = []
        self._calls = Calls()
        self._length = 0
        self._finish: object = None
        self._usage: dict[str, Any] = {}
        self.seen = 0

    @property
    def started(self) -> bool:
        """Whether any word of the answer itself has come."""
        return self._length > 0

    def take(self, data: bytes) -> bool:
        """One event's data. True: the model is at work (the role-only first event and usage are no such sign)."""
        event = self._object(data)
        self.seen += 1
        if event.get("error"):
            raise of_error_event(event["error"], where=self._where, started=self.started)
        if isinstance(usage := event.get("usage"), dict):
            self._usage = usage
        signs = [self._take_choice(choice) for choice in event.get("choices") or ()]
        return any(signs)

    def _object(self, data: bytes) -> dict[str, Any]:
        try:
            event = json.loads(data.decode())
        except (ValueError, RecursionError):
            raise AttemptFailed(UNREADABLE, where=self._where) from None
        if not isinstance(event, dict) or not isinstance(event.get("choices") or [], list):
            raise AttemptFailed(UNREADABLE, where=self._where)
        return event

    def _take_choice(self, choice: Any) -> bool:
        """*choice* of a stream has a delta, a plain completion's has a message; they are alike."""
        if not isinstance(choice, dict):
            raise AttemptFailed(UNREADABLE, where=self._where)
        if choice.get("index"):
            return False
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            raise AttemptFailed(UNREADABLE, where=self._where)
        return any((self._take_thought(delta), self._take_calls(delta), self._take_content(delta)))

    def _take_content(self, delta: dict[str, Any]) -> bool:
        content = delta.get("content")
        if not content:
            return False
        if not isinstance(content, str):
            raise AttemptFailed(UNREADABLE, where=self._where)
        self._pieces.append(content)
        self._length += len(content)
        if self._length > LONGEST_TEXT:
            raise AttemptFailed(TOO_LARGE, where=self._where)
        self._preview.grown(self._pieces)
        return True

    def _take_thought(self, delta: dict[str, Any]) -> bool:
        thought = delta.get("reasoning") or delta.get("reasoning_content")
        if self._offered and isinstance(thought, str):
            self._thoughts.append(thought)
        if thought:
            self._preview.thought()
        return bool(thought)

    def _take_calls(self, delta: dict[str, Any]) -> bool:
        pieces = delta.get("tool_calls")
        if pieces:
            self._preview.called()
        if pieces and self._offered:
            try:
                self._calls.take(pieces)
            except BadPiece:
                raise AttemptFailed(UNREADABLE, where=self._where) from None
        return bool(pieces)

    def must_be_whole(self) -> None:
        """For an answer that came as one piece: without an end it is of the wrong shape, not cut."""
        if self._finish is None:
            raise AttemptFailed(UNREADABLE, where=self._where)

    def completion(self) -> Completion:
        """The whole answer. Its text is empty where the model spent all tokens before the first word. `[DONE]`
        alone is no completion: an aborted stream ends with it, too (§0.1)."""
        finish = self._finish
        if finish is None or finish == "abort":
            raise AttemptFailed(CUT_LATE if self.started else CUT_EARLY, where=self._where)
        calls = self._whole_calls(finish)
        if finish not in ("stop", "length") and not calls:
            rule = FINISHES.get(finish) if isinstance(finish, str) else None
            raise AttemptFailed(rule or unknown_finish(), where=self._where)
        whole = "".join(self._pieces)
        self._preview.whole(whole, finish=finish)
        cut = finish == "length" or ("<|" in whole and not calls)
        return Completion(
            text=readable(whole),
            finish="tool_calls" if calls else "length" if cut else "stop",
            prompt_tokens=_count(self._usage.get("prompt_tokens")),
            completion_tokens=_count(self._usage.get("completion_tokens")),
            tool_calls=calls,
            reasoning=without_surrogates("".join(self._thoughts)) if calls else "",
        )

    def _whole_calls(self, finish: object) -> tuple[ToolCall, ...]:
        """`tool_calls` ends the model's own choice, `stop` a named one (§2). A call that ran out of tokens is cut
        in its arguments, so it is none."""
        if finish not in ("tool_calls", "stop"):
            return ()
        try:
            return tuple(self._calls.whole())
        except BadPiece:
            raise AttemptFailed(UNREADABLE, where=self._where) from None


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
