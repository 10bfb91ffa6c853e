"""The model behind vLLM: streaming chat completions from one or more replicas, within one deadline.

Everything an attempt can meet is a row of :mod:`inference.trouble`; this file decides on the attempts. A repeat
is made where it is safe and cheap; whoever sees the answer grow sees it begin anew.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Self

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    wait_exponential,
    wait_random,
)

from inference.budget import LARGER_BUDGET
from inference.deadline import Clock
from inference.errors import ContextTooLong, ModelBusy, ModelError, ModelFailed, ModelRefused
from inference.exchange import Limits, Wire
from inference.preview import Manners, Preview
from inference.prober import Prober
from inference.replicas import Replica, Replicas
from inference.request import Voice, conversation_fields
from inference.trouble import NO_REPLICA, TOO_LATE, AttemptFailed, Health, Repeat
from inference.values import ChatMessage, Completion, Show, ToolSpec

RESULTS: Mapping[type[ModelError], str] = {
    ModelBusy: "busy",
    ModelFailed: "failed",
    ModelRefused: "refused",
    ContextTooLong: "too_long",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request and what became of it, for whoever counts. *result*: answered, or one of RESULTS."""

    replica: str
    result: str
    completion: Completion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often an answer is tried for, and the pause where no other replica stands ready: from *first*, doubling
    to *longest*, plus jitter of up to *first*."""

    attempts: int = 4
    first: timedelta = timedelta(seconds=0.5)
    longest: timedelta = timedelta(seconds=8)

    def pause(self, state: RetryCallState) -> float:
        first, longest = self.first.total_seconds(), self.longest.total_seconds()
        return (wait_exponential(multiplier=first, max=longest) + wait_random(0, first))(state)


class VllmModel:
    """A :class:`~inference.values.Model`. Thread-safe: all turns of a process share one. It has no thread but the
    prober's, and that only while a replica is out.

    *replicas* are base URLs ending in /v1. *connections*: kept open a replica. *watch* is told of every attempt:
    what vLLM counts misses those that it refused or that were given up (sheet §6).
    """

    def __init__(
        self,
        replicas: Sequence[str],
        name: str,
        api_key: str = "",
        *,
        limits: Limits | None = None,
        patience: Patience | None = None,
        connections: int = 1000,
        watch: Callable[[Attempt], None] = lambda _: None,
    ) -> None:
        self._replicas = Replicas(replicas)
        self._wire = Wire(api_key, limits or Limits(), connections=connections)
        self._patience = patience or Patience()
        self._watch = watch
        self._prober = Prober(self._replicas, lambda replica: self._wire.probe(replica.url, name))
        self._manners: defaultdict[str, Manners] = defaultdict(Manners)
        self.voice = Voice(model=name)

    def tuned(self, voice: Voice) -> Self:
        """The same replicas and connections for another voice: one an assistant."""
        twin = copy(self)
        twin.voice = voice
        return twin

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
        body = conversation_fields(messages, tools, max_tokens) | self.voice.fields()
        call = _Call(
            wire=self._wire,
            replicas=self._replicas,
            prober=self._prober,
            patience=self._patience,
            watch=self._watch,
            conversation=conversation,
            clock=Clock(deadline),
            preview=partial(Preview, show, self._manners[body["model"]], offered=bool(tools)),
        )
        completion = call.run(body)
        if not completion.text and completion.finish == "length":
            completion = _again(call, body | {"max_tokens": max_tokens * LARGER_BUDGET})
        if not completion.text and not completion.tool_calls:
            raise ModelFailed(f"the answer is empty (finish_reason {completion.finish})")
        return completion

    def available(self) -> bool:
        return self._replicas.available()

    def close(self) -> None:
        self._prober.close()
        self._wire.close()


def _again(call: "_Call", larger: dict[str, Any]) -> Completion:
    """A budget that is larger than the server's whole context is refused, and no fault of the request before."""
    try:
        return call.run(larger)
    except ContextTooLong:
        raise
    except ModelRefused:
        raise ModelFailed("all tokens went into thinking, and the server allows no more") from None


@dataclass(slots=True, kw_only=True)
class _Call:
    """One answer: as many attempts as are safe, within the deadline."""

    wire: Wire
    replicas: Replicas
    prober: Prober
    patience: Patience
    watch: Callable[[Attempt], None]
    conversation: str
    clock: Clock
    preview: Callable[[], Preview]
    failed_at: list[Replica] = field(default_factory=list)
    repeated: bool = False

    def run(self, body: dict[str, Any]) -> Completion:
        retrying = Retrying(
            retry=retry_if_exception(self._may_repeat),
            stop=self._enough,
            wait=self._wait,
            reraise=True,
        )
        try:
            return retrying(self._attempt, body)
        except AttemptFailed as failed:
            raise failed.error from None

    def _attempt(self, body: dict[str, Any]) -> Completion:
        if not self.clock.left:
            raise AttemptFailed(TOO_LATE)
        with self.replicas.serving(self.conversation, avoid=self.failed_at) as replica:
            if replica is None:
                raise AttemptFailed(NO_REPLICA)
            began = self.replicas.now()
            try:
                completion = self.wire.ask(
                    f"{replica.url}/chat/completions",
                    body,
                    where=replica.name,
                    session=sha256(self.conversation.encode("utf-8", "replace")).hexdigest()[:32],
                    clock=self.clock,
                    alive=lambda: self.replicas.note(replica, Health.UP, began=began),
                    lost=lambda: self._lost(replica),
                    preview=self.preview(),
                )
            except AttemptFailed as failed:
                self.watch(Attempt(replica=replica.name, result=RESULTS[failed.rule.error]))
                self.failed_at.append(replica)
                self.replicas.note(replica, failed.rule.health, failed.retry_after)
                if failed.rule.health in (Health.DOWN, Health.DRAINING):
                    self.prober.wake()
                raise
            self.watch(Attempt(replica=replica.name, result="answered", completion=completion))
            return completion

    def _lost(self, replica: Replica) -> bool:
        """Asked where *replica* keeps silent. Until a probe has looked, the answer is no."""
        if self.replicas.lost(replica):
            return True
        if self.replicas.doubt(replica):
            self.prober.wake()
        return False

    def _may_repeat(self, error: BaseException) -> bool:
        rule = error.rule if isinstance(error, AttemptFailed) else None
        if rule is None or rule.repeat is Repeat.NEVER:
            return False
        if rule.repeat is Repeat.FREELY:
            return True
        allowed = not self.repeated and (rule.repeat is Repeat.ONCE or self._another_is_ready())
        self.repeated = True
        return allowed

    def _wait(self, state: RetryCallState) -> float:
        """None where another replica stands ready, else a growing one, and never less than Retry-After."""
        if self._another_is_ready():
            return 0.0
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, AttemptFailed) else None
        return max(self.patience.pause(state), asked.total_seconds() if asked else 0.0)

    def _enough(self, state: RetryCallState) -> bool:
        most = max(self.patience.attempts, len(self.replicas) + 1)
        return state.attempt_number >= most or state.upcoming_sleep >= self.clock.left.total_seconds()

    def _another_is_ready(self) -> bool:
        return bool(self.failed_at) and self.replicas.another(self.failed_at[-1])
