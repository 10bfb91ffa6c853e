"""Tool calls as they grow: only the first piece of a call has its id and name, later ones only more of the
arguments, and several calls may grow by turns; `index` tells them apart (vLLM sheet §2)."""

import json
from collections.abc import Sequence
from typing import Any

from inference.values import ToolCall

MOST_CALLS = 32
"""Beside each other in one answer; more is a model in a loop."""
LONGEST_ARGUMENTS = 64 * 1024
"""Characters, all calls together."""


class BadPiece(Exception):
    """A piece is of the wrong shape, or there are too many."""


class _Growing:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []


class Calls:
    """All calls of one answer."""

    def __init__(self) -> None:
        self._calls: dict[int, _Growing] = {}
        self._length = 0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def take(self, pieces: object) -> None:
        """The `tool_calls` of one event, or of a whole message, where no call has an index. Raises BadPiece."""
        if not isinstance(pieces, list):
            raise BadPiece
        for position, piece in enumerate(pieces):
            function = piece.get("function") if isinstance(piece, dict) else None
            index = piece.get("index", position) if isinstance(piece, dict) else None
            if not isinstance(function, dict) or not isinstance(index, int):
                raise BadPiece
            self._grow(index, piece.get("id"), function)

    def _grow(self, index: int, given_id: object, function: dict[str, Any]) -> None:
        call = self._calls.setdefault(index, _Growing())
        arguments = function.get("arguments") or ""
        if isinstance(arguments, dict):  # some gateways parse them
            arguments = json.dumps(arguments, ensure_ascii=False)
        if not isinstance(arguments, str) or len(self._calls) > MOST_CALLS:
            raise BadPiece
        call.id = call.id or _text(given_id)
        call.name = call.name or _text(function.get("name"))
        call.arguments.append(arguments)
        self._length += len(arguments)
        if self._length > LONGEST_ARGUMENTS:
            raise BadPiece

    def whole(self) -> Sequence[ToolCall]:
        """In their order. Raises BadPiece where one has no name."""
        calls = [self._calls[index] for index in sorted(self._calls)]
        if not all(call.name for call in calls):
            raise BadPiece
        return [
            ToolCall(id=call.id or f"call-{place}", name=call.name, arguments="".join(call.arguments) or "{}")
            for place, call in enumerate(calls)
        ]


def _text(value: object) -> str:
    """Without the Harmony markup that gpt-oss leaves behind a name when it forgets a message's header."""
    return value.split("<|", 1)[0].strip() if isinstance(value, str) else ""
