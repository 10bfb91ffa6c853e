"""The client before a real server, as the contracts ask for it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from inference.errors import ContextTooLong, ModelBusy, ModelError, ModelFailed, ModelRefused
from inference.exchange import Limits
from inference.request import Voice
from inference.values import ChatMessage, Completion, ToolSpec
from inference.vllm import Patience, VllmModel
from tests.contracts.model import said
from tests.contracts.model_tools import ToolStage
from tests.vllm.dialogues import ANSWERS, ENDLESS, LOOKUPS, SILENCE
from tests.vllm.server import KEY, NAME, VllmServer

NOBODY = "http://127.0.0.1:9/v1"
LONG = "退款" * 6000
"""Beyond either model's context, in any vocabulary."""
PATIENCE = Patience(first=timedelta(milliseconds=50), longest=timedelta(milliseconds=200))
GREEDY = Voice(model=NAME, temperature=0.0)


def connect(*replicas: str, voice: Voice = GREEDY, key: str = KEY, limits: Limits | None = None) -> VllmModel:
    model = VllmModel(replicas, NAME, key, limits=limits, patience=PATIENCE)
    return model.tuned(voice)


def answer(
    model: VllmModel, text: str, *, conversation: str = "c", seconds: float = 60, tokens: int = 512
) -> Completion:
    """One question to *model*, and its answer."""
    return model.complete(
        [said(text)], conversation=conversation, deadline=timedelta(seconds=seconds), max_tokens=tokens
    )


class LiveStage(ToolStage):
    """*ask* goes to the server with the cue that the model has learnt the wanted answer to."""

    def __init__(self, server: VllmServer, *, preamble: int = 0, several: bool = True) -> None:
        self.server = server
        self.client = connect(server.url)
        self.model: VllmModel = self.client
        self.preamble = preamble
        self.several = several
        self._failure: type[ModelError] | None = None

    def say(self, text: str) -> None:
        self.cue = {answer: question for question, answer in {**ANSWERS, SILENCE: ""}.items()}[text]

    def quiz(self) -> Mapping[str, str]:
        return ANSWERS

    def stall(self) -> None:
        self.cue = ENDLESS

    def call(self, *orders: str) -> None:
        self.cue = {orders: question for question, orders in LOOKUPS.items()}[orders]

    def tell(self, order: str) -> None:
        """It knows by heart what to say then."""

    def fail(self, error: type[ModelError]) -> None:
        self._failure = error

    def speak(self, **changes: object) -> None:
        """From now on requests differ from the usual in *changes*, fields of `Voice`."""
        self.model = self.client.tuned(replace(GREEDY, **changes))  # type: ignore[arg-type]

    def ask(
        self,
        *messages: ChatMessage,
        seconds: float = 60,
        max_tokens: int = 512,
        tools: Sequence[ToolSpec] = (),
    ) -> Completion:
        failure, self._failure = self._failure, None
        try:
            if failure is ModelRefused:
                self.speak(model="nobody")
            elif failure is ModelBusy:
                self.model, seconds = connect(NOBODY), 1
            elif failure is ContextTooLong:
                messages = (said(LONG), *messages)
            elif failure is ModelFailed:
                self.speak(extra={"ignore_eos": True})  # an answer that cannot end in time
                seconds = 0.3
            return super().ask(*messages, seconds=seconds, max_tokens=max_tokens, tools=tools)
        finally:
            if failure:
                self.model = self.client
