"""What every :class:`inference.values.Model` does, whoever speaks: the twin and the real client inherit this.

Where a server can be told what to say, it is `ModelContract`; before a real model it is `AnswersContract`.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import cycle, islice, pairwise

import pytest

from inference.errors import ContextTooLong, ModelBusy, ModelError, ModelFailed, ModelRefused
from inference.values import ChatMessage, Completion, Model, Show, ToolSpec

SECRET = "my card number is 4111 1111"


def said(text: str, role: str = "user") -> ChatMessage:
    return ChatMessage(role=role, content=text)


class AnyStage(ABC):
    """A model and what moves it. *cue* is the question that is asked where a test names none; *preamble* is what an
    answer costs before its first word, in tokens."""

    model: Model
    cue: str = "Hello"
    preamble: int = 0

    @abstractmethod
    def say(self, text: str) -> None:
        """Every answer to the cue is *text* from now on; "" is an empty reply."""

    @abstractmethod
    def quiz(self) -> Mapping[str, str]:
        """From now on: questions, and the answer to each."""

    @abstractmethod
    def stall(self) -> None:
        """No answer to the cue ends in good time from now on."""

    @abstractmethod
    def fail(self, error: type[ModelError]) -> None:
        """The next call ends in *error*."""

    def ask(
        self,
        *messages: ChatMessage,
        seconds: float = 10,
        max_tokens: int = 512,
        tools: Sequence[ToolSpec] = (),
    ) -> Completion:
        return self.model.complete(
            messages or (said(self.cue),),
            conversation="whatsapp:1:2",
            deadline=timedelta(seconds=seconds),
            max_tokens=max_tokens,
            tools=tools,
        )

    def watch(
        self, *messages: ChatMessage, show: Show | None = None, tools: Sequence[ToolSpec] = ()
    ) -> tuple[list[str], Completion]:
        """Asks; what was shown meanwhile, and what came of it."""
        shown: list[str] = []
        completion = self.model.complete(
            messages or (said(self.cue),),
            conversation="whatsapp:1:2",
            deadline=timedelta(seconds=60),
            max_tokens=512,
            tools=tools,
            show=show or shown.append,
        )
        return shown, completion


class Stage(AnyStage):
    """A model that says what it is told to."""

    @abstractmethod
    def echo(self) -> None:
        """Every answer is the newest message from now on."""

    @abstractmethod
    def dwell(self, delay: timedelta) -> None:
        """Every answer takes *delay* from now on."""

    @abstractmethod
    def dawdle(self, pause: timedelta) -> None:
        """Every piece of an answer takes *pause* from now on."""

    @abstractmethod
    def heard(self) -> list[list[tuple[str, str]]]:
        """The messages of each call so far, as (role, content)."""

    def quiz(self) -> Mapping[str, str]:
        self.echo()
        self.dwell(timedelta(seconds=0.2))
        return {question: question for question in (f"question {number}" for number in range(64))}

    def stall(self) -> None:
        self.dwell(timedelta(seconds=20))


class AnswersContract:
    """Subclasses give the fixture `stage`."""

    def test_an_answer_is_the_models_text_with_its_usage(self, stage: AnyStage) -> None:
        stage.say("Your parcel leaves today.")
        completion = stage.ask()
        assert (completion.text, completion.finish) == ("Your parcel leaves today.", "stop")
        assert completion.prompt_tokens > 0
        assert completion.completion_tokens > 0

    def test_chinese_and_emoji_come_back_whole(self, stage: AnyStage) -> None:
        stage.say("退款已到账 ✅，请查收 👨‍👩‍👧‍👦。")
        assert stage.ask().text == "退款已到账 ✅，请查收 👨‍👩‍👧‍👦。"

    def test_an_answer_that_ran_out_of_tokens_is_flagged(self, stage: AnyStage) -> None:
        stage.say("one two three four five six seven eight nine ten")
        completion = stage.ask(max_tokens=stage.preamble + 4)
        assert completion.finish == "length"
        assert 0 < len(completion.text) < len("one two three four five six seven eight nine ten")

    def test_an_empty_reply_is_a_failure(self, stage: AnyStage) -> None:
        stage.say("")
        with pytest.raises(ModelFailed):
            stage.ask()

    def test_the_deadline_ends_a_slow_answer(self, stage: AnyStage) -> None:
        stage.stall()
        started = time.monotonic()
        with pytest.raises(ModelError):
            stage.ask(seconds=0.4)
        assert time.monotonic() - started < 3

    @pytest.mark.parametrize("error", [ModelBusy, ModelFailed, ModelRefused, ContextTooLong])
    def test_each_error_is_told_apart_and_the_next_call_is_served(
        self, stage: AnyStage, error: type[ModelError]
    ) -> None:
        stage.fail(error)
        with pytest.raises(ModelError) as caught:
            stage.ask()
        assert type(caught.value) is error
        stage.say("Back again.")
        assert stage.ask().text == "Back again."

    @pytest.mark.parametrize("error", [ModelBusy, ModelFailed, ModelRefused, ContextTooLong])
    def test_no_error_repeats_a_customers_words(self, stage: AnyStage, error: type[ModelError]) -> None:
        stage.fail(error)
        with pytest.raises(error) as caught:
            stage.ask(said(SECRET))
        shown = f"{caught.value!r} {caught.value.__cause__!r}"
        assert "4111" not in shown
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    def test_sixty_four_at_once_each_get_their_own_answer(self, stage: AnyStage) -> None:
        answers = stage.quiz()
        questions = list(islice(cycle(answers), 64))
        with ThreadPoolExecutor(64) as pool:
            given = list(pool.map(lambda text: stage.ask(said(text)).text, questions))
        assert given == [answers[question] for question in questions]

    def test_it_is_available_until_it_is_known_not_to_be(self, stage: AnyStage) -> None:
        assert stage.model.available()
        stage.ask()
        assert stage.model.available()

    def test_what_is_shown_while_it_writes_grows_into_the_answer(self, stage: AnyStage) -> None:
        stage.say("one two three four five six seven eight nine ten")
        stage.ask()  # now it is known that its thoughts stand apart
        shown, completion = stage.watch()
        assert shown
        assert all(later.startswith(sooner) and later != sooner for sooner, later in pairwise(shown))
        assert completion.text.startswith(shown[-1])
        assert completion.text == "one two three four five six seven eight nine ten"

    def test_whoever_watches_may_fail_and_the_answer_is_whole(self, stage: AnyStage) -> None:
        calls: list[str] = []

        def fail(text: str) -> None:
            calls.append(text)
            raise ValueError(text)

        stage.say("Your parcel leaves today.")
        stage.ask()
        assert stage.watch(show=fail)[1].text == "Your parcel leaves today."
        assert len(calls) == 1


class ModelContract(AnswersContract):
    @pytest.mark.parametrize(
        ("raw", "answer"),
        [
            ("<think>They want their money.</think>It is on its way.", "It is on its way."),
            ("It is <b>on</b> its way.<|start|>assistant<|channel|>analysis", "It is <b>on</b> its way."),
            ("On<tool_call>{}</tool_call> its way.", "On its way."),
        ],
    )
    def test_neither_thoughts_nor_markup_are_shown_nor_the_beginning_of_any(
        self, stage: Stage, raw: str, answer: str
    ) -> None:
        stage.ask()
        stage.say(raw)
        stage.dawdle(timedelta(seconds=0.16))
        shown, completion = stage.watch()
        assert completion.text == answer
        assert len(shown) > 1
        assert all(answer.startswith(text) for text in shown)

    def test_a_text_is_shown_while_it_is_written_and_not_when_all_is_done(self, stage: Stage) -> None:
        stage.ask()
        stage.say("one two three four five")
        stage.dawdle(timedelta(seconds=0.2))
        times: list[float] = []
        started = time.monotonic()
        stage.watch(show=lambda _: times.append(time.monotonic() - started))
        took = time.monotonic() - started
        assert times[0] < took / 2
        assert 2 < len(times) <= took / 0.1 + 1

    def test_the_model_hears_every_message_in_order_and_unchanged(self, stage: Stage) -> None:
        messages = [said("规则 {a}", "system"), said("一\n二\t✅ 👩‍👧"), said("", "assistant"), said('"\\ \u2028')]
        stage.ask(*messages)
        assert stage.heard() == [[(message.role, message.content) for message in messages]]
