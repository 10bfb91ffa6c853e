"""The values between a question and its answer. Frozen, slotted, keyword-only; aware datetimes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One OpenAI-style chat message; *role* is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an assistant is asked: the conversation's earlier turns (oldest first), then the *texts* that are to be
    answered together. *conversation* is opaque, and steers it to one replica; *now* is aware, in the shop's zone;
    *deadline* bounds the whole answer."""

    conversation: str
    history: Sequence[ChatMessage]
    texts: Sequence[str]
    now: datetime
    deadline: timedelta


class Source(StrEnum):
    MODEL = "model"
    FAQ = "faq"
    HANDOVER = "handover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The text for the customer, in Markdown. *degraded* is "" or the reason why the model, though configured,
    did not answer (for the operator: no customer text)."""

    text: str
    source: Source
    degraded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the model produced: *text* without reasoning, *finish* the honoured finish reason (stop, length)."""

    text: str
    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Model(Protocol):
    """A chat model. Implemented by the vLLM client and by the scripted twin; one contract suite for both."""

    def complete(
        self, messages: Sequence[ChatMessage], *, conversation: str, deadline: timedelta, max_tokens: int
    ) -> Completion:
        """One answer within *deadline*, whatever the server does. Raises ModelBusy, ModelFailed, ModelRefused."""
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
