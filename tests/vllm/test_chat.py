"""The client before a real vLLM with a Llama-shaped model: the contract, then what needs this server to be seen.
The last test ends the server."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from bot.sandbox.model import ScriptedModelServer
from inference.errors import ModelBusy, ModelError, ModelFailed, ModelRefused
from tests.contracts.model import AnswersContract, said
from tests.contracts.model_tools import ORDER_STATUS, ToolContract
from tests.vllm.dialogues import ALOUD, ANSWERS, DESKS, ENDLESS, OBJECT, OBJECT_SCHEMA, TICK, WHO
from tests.vllm.server import NAME, QUEUE, VllmServer, wait_until
from tests.vllm.stage import GREEDY, LiveStage, answer, connect

SPARE = "The spare one answers."
LONGEST = 1900
"""Tokens: nearly the whole context."""


@pytest.fixture
def stage(chat: VllmServer) -> LiveStage:
    return LiveStage(chat)


class TestAnswers(AnswersContract):
    """As every model does it."""


class TestTools(ToolContract):
    """As every model does it."""


def test_a_plain_answer_is_the_streamed_one(stage: LiveStage) -> None:
    streamed = stage.ask()
    stage.speak(extra={"stream": False, "stream_options": None})
    assert stage.ask() == streamed


def test_a_thought_in_the_content_is_not_shown(chat: VllmServer, stage: LiveStage) -> None:
    with chat.post(ALOUD) as response:
        assert "<think>The customer" in response.json()["choices"][0]["message"]["content"]
    assert stage.ask(said(ALOUD)).text == "That is done."


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "order_status"}}])
def test_a_call_that_is_demanded_is_made(stage: LiveStage, choice: object) -> None:
    stage.speak(extra={"tool_choice": choice})
    (call,) = stage.ask(said("Where is order A1024?"), tools=[ORDER_STATUS]).tool_calls
    assert (call.name, json.loads(call.arguments)) == ("order_status", {"order_id": "A1024"})


def test_a_call_that_ran_out_of_tokens_is_no_call(stage: LiveStage) -> None:
    stage.call("A1024")
    with pytest.raises(ModelFailed):
        stage.ask(tools=[ORDER_STATUS], max_tokens=6)


def test_json_keeps_to_its_schema(stage: LiveStage) -> None:
    schema = {"name": "intent", "strict": True, "schema": OBJECT_SCHEMA}
    stage.speak(extra={"response_format": {"type": "json_schema", "json_schema": schema}})
    assert json.loads(stage.ask(said(OBJECT)).text) == {"intent": "order", "open": True}


@pytest.mark.parametrize("adapter", DESKS)
def test_each_adapter_answers_under_its_own_name(stage: LiveStage, adapter: str) -> None:
    stage.speak(model=adapter or NAME)
    assert stage.ask(said(WHO)).text == DESKS[adapter]


def test_a_wrong_key_and_an_unknown_model_are_refused_with_what_to_mend(chat: VllmServer) -> None:
    with pytest.raises(ModelRefused, match="api_key"):
        answer(connect(chat.url, key="wrong"), "Hello")
    with pytest.raises(ModelRefused, match=r"model\.name"):
        answer(connect(chat.url, voice=replace(GREEDY, model="nobody")), "Hello")


def test_a_priority_and_a_cache_salt_are_taken(stage: LiveStage) -> None:
    stage.speak(priority=-1, cache_salt="shop")
    assert stage.ask().text == ANSWERS["Hello"]


def test_a_client_that_gives_up_frees_its_place(chat: VllmServer, stage: LiveStage) -> None:
    stage.speak(extra={"ignore_eos": True})
    before = chat.metric("generation_tokens_total")
    with ThreadPoolExecutor(1) as pool, chat.held() as engine:
        asked = pool.submit(stage.ask, said(ENDLESS), seconds=10, max_tokens=LONGEST)
        engine.until(lambda: chat.running() == 1, seconds=10)
        with pytest.raises(ModelFailed):
            asked.result()
    wait_until(lambda: chat.running() == 0, seconds=60)
    assert 0 < chat.metric("generation_tokens_total") - before < LONGEST


def is_full(chat: VllmServer) -> bool:
    with chat.post("Hello", stream=True) as response:
        return response.status_code == 503


@contextmanager
def full_queue(chat: VllmServer) -> Iterator[None]:
    with chat.held(), ExitStack() as streams:
        for _ in range(QUEUE):
            streams.enter_context(chat.post(ENDLESS, stream=True, max_tokens=LONGEST, ignore_eos=True))
        wait_until(lambda: is_full(chat), seconds=30)
        yield
    wait_until(lambda: not is_full(chat), seconds=30)


def test_a_full_queue_is_told_from_a_failure_and_the_spare_replica_answers(chat: VllmServer) -> None:
    with full_queue(chat), ScriptedModelServer(reply=SPARE) as spare:
        with pytest.raises(ModelBusy, match="queue is full"):
            answer(connect(chat.url), "Hello", seconds=1)
        both = connect(chat.url, spare.url)
        assert {answer(both, "Hello", conversation=f"c{number}").text for number in range(16)} == {SPARE}
    assert answer(connect(chat.url), "Hello").text == ANSWERS["Hello"]


def test_a_crowd_beyond_the_queue_is_served_or_told_that_it_is_full(chat: VllmServer) -> None:
    """Of requests that come together, some pass the first look at the queue and are refused inside a 200."""
    model = connect(chat.url)

    def outcome(number: int) -> object:
        try:
            return answer(model, ENDLESS, conversation=f"c{number}", tokens=200).finish
        except ModelBusy:
            return ModelBusy

    with ThreadPoolExecutor(3 * QUEUE) as pool, chat.held() as engine:
        crowd = [pool.submit(outcome, number) for number in range(3 * QUEUE)]
        wait_until(lambda: sum(it.done() for it in crowd) >= QUEUE, seconds=60)
        engine.go()
        outcomes = Counter(it.result() for it in crowd)
    assert set(outcomes) == {"length", ModelBusy}
    assert outcomes["length"] >= QUEUE
    assert chat.metric("admission_rejections_total") >= outcomes[ModelBusy]


def test_a_draining_server_ends_what_it_began_and_the_rest_goes_elsewhere(chat: VllmServer) -> None:
    tokens = 1500
    spare, pool = ScriptedModelServer(reply=SPARE), ThreadPoolExecutor(4)
    with spare, pool, chat.held() as engine:
        begun = [pool.submit(answer, connect(chat.url), ENDLESS, tokens=tokens) for _ in range(4)]
        engine.until(lambda: chat.running() == 4, seconds=30)
        chat.terminate()
        wait_until(lambda: chat.post("Hello", stream=True).status_code == 500, seconds=10)
        with pytest.raises(ModelError):
            answer(connect(chat.url), "Hello", seconds=5)
        both = connect(chat.url, spare.url)
        started = time.monotonic()
        assert {answer(both, "Hello", conversation=f"c{number}").text for number in range(16)} == {SPARE}
        assert time.monotonic() - started < 5
        engine.go()
        for it in begun:
            completion = it.result()
            assert (completion.text, completion.finish) == ((TICK * tokens).strip(), "length")
    assert chat.exit_code(within=120) == 0
