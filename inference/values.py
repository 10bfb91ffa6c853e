"""The values between a question and its answer. Frozen, slotted, keyword-only; aware datetimes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The model's wish to use a tool; *arguments* is its raw JSON text, which nobody has checked yet."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """What the model is told of a tool; *parameters* is the JSON schema of its arguments, an object."""

    name: str
    description: str
    parameters: Mapping[str, object]


Show = Callable[[str], None]
"""Is given the whole readable text so far, now and then, while the answer is written, on the thread that asked. A
text may begin otherwise than the one before: a broken attempt is made anew, and what has grown too long is cut.
What it raises is logged, and ends the showing, not the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a customer sent to be looked at: *mime* as sniffed (image/jpeg, image/png, …), *content* its bytes."""

    mime: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One OpenAI-style chat message; *role* is system, user, assistant or tool. An assistant's message with
    *tool_calls* carries the *reasoning* that led to them (vLLM sheet §2); a tool's answers *tool_call_id*.
    *pictures* go with a user's words."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    reasoning: str = ""
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who asks, as the platform vouches for it: never taken from the model's words. *user* is the verified id."""

    channel: str
    account: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an assistant is asked: the conversation's earlier turns (oldest first), then the *texts* that are to be
    answered together. *conversation* is opaque, and steers it to one replica; *now* is aware; *deadline* bounds the
    whole answer. *turn* names the turn for ever: the same turn asked again, after a crash, has the same name.

    *customer* None, or no *turn*: no tool is used. *pending* is that of the answer before this, or "". *sent_at* is
    when the first of the texts was sent. *origin* is the asker's own, handed to the desk's own tools.

    *quotes* are lines on what the texts reply to: the model reads them, and nothing else goes by them. *pictures*
    belong to the texts; an assistant that does not see leaves them out. *show*, if any, is told the text while it
    is written, never more than the answer may hold."""

    conversation: str
    history: Sequence[ChatMessage]
    texts: Sequence[str]
    now: datetime
    deadline: timedelta
    turn: str = ""
    customer: Customer | None = None
    pending: str = ""
    sent_at: datetime | None = None
    origin: object = None
    quotes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    show: Show | None = None


class Source(StrEnum):
    MODEL = "model"
    FAQ = "faq"
    HANDOVER = "handover"
    TOOL = "tool"  # a fixed sentence about an action


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The text for the customer, in Markdown. *degraded* is "" or the reason why the model, though configured,
    did not answer (for the operator: no customer text). *pending*, if any, is what the customer was asked to
    confirm: opaque, to be kept with the conversation and given back with its next question. *acted*: something was
    changed on the way to this answer, so that the question should not be asked anew without need. *choices*: titles
    that the customer may tap instead of typing; the title as a text means the same."""

    text: str
    source: Source
    degraded: str = ""
    pending: str = ""
    acted: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the model produced: *text* without reasoning, *finish* the honoured finish reason (stop, length,
    tool_calls). With *tool_calls*, *text* may be empty, and *reasoning* goes back with them; it is never shown."""

    text: str
    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""


class Model(Protocol):
    """A chat model. Implemented by the vLLM client and by the scripted twin; one contract suite for both."""

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
        """One answer, or calls of *tools*, within *deadline*, whatever the server does. *show* is told the readable
        text while it grows, without any limit of its length. Raises ModelBusy, ModelFailed, ModelRefused."""
        ...

    def available(self) -> bool:
        """Whether any replica is believed to be up."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of knowledge that fits a question; *score* is 0 to 1."""

    question: str
    answer: str
    score: float


class Knowledge(Protocol):
    """Retrieval, in one method: what is known that fits the question, best first; empty if nothing does."""

    def find(self, question: str, *, most: int = 3) -> Sequence[Passage]: ...
