"""One tool, and the occasion on which it is used."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from inference.tools.schema import Schema
from inference.values import Customer, ToolSpec

Arguments = Mapping[str, Any]


class ToolFailed(Exception):
    """The action did not succeed. The text goes to the model: plain words, no secret, no address. *outcome* is a
    snake_case word for the operator's log. *unsure*: it may have happened nevertheless."""

    def __init__(self, words: str, *, outcome: str = "failed", unsure: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.outcome = outcome
        self.unsure = unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """For whom and when a tool acts. *key* names this one action for ever: a repeat after a crash has the same.
    *origin* is the asker's own `Question.origin`, for tools that belong to the desk itself."""

    customer: Customer
    conversation: str
    now: datetime
    key: str
    deadline: timedelta
    origin: object = None


Act = Callable[[Arguments, Occasion], object]
"""Acts, and returns a text or a JSON value for the model. Raises :class:`ToolFailed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """*confirm*: what is going to be done, by language, as templates of the arguments; empty: the customer is not
    asked. *reads*: it changes nothing. *largest*: characters of a result that the model is shown."""

    name: str
    description: str
    schema: Schema
    act: Act
    confirm: Mapping[str, str] = field(default_factory=dict)
    reads: bool = False
    timeout: timedelta = timedelta(seconds=10)
    largest: int = 4000

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(name=self.name, description=self.description, parameters=self.schema.parameters)


def canonical(arguments: Arguments) -> str:
    """The same arguments, the same text."""
    return json.dumps(arguments, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def action_key(turn: str, tool: str, arguments: Arguments) -> str:
    """32 hex characters, which fit any service's idempotency key."""
    named = f"{turn} {tool} {canonical(arguments)}"
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:32]
