"""The client before what a real vLLM sent for a model of gpt-oss's shape (tests/vllm/recording.py), replayed."""

import json

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Exchange
from inference.errors import ModelFailed
from tests.contracts.model_tools import ORDER_STATUS
from tests.inference.conftest import Connect
from tests.inference.test_vllm import ServerStage
from tests.vllm.dialogues import ANSWERS, THOUGHT
from tests.vllm.recording import CASES, recorded

HELLO = ANSWERS["Hello"]
RECORDED = recorded()

SHOWN = {
    "a thought and an answer": HELLO,
    "a longer thought": HELLO,
    "a thought that is not sent": HELLO,
}
CALLED = ("a call", "a call that is demanded", "a call that is named")
USELESS = {  # and how often it is asked for
    "no word in the answer": 1,
    "cut in the thought": 2,
    "cut in a header": 2,
    "a call cut in its header": 2,
    "a call cut in its arguments": 2,
}
FORBIDDEN = ("a call that is forbidden",)


@pytest.fixture
def stage(server: ScriptedModelServer, connect: Connect, request: pytest.FixtureRequest) -> ServerStage:
    def replay(exchange: Exchange) -> None:
        exchange.open_stream()
        for choice in RECORDED[request.node.callspec.params["case"]]:
            exchange.event(exchange.piece({}) | {"choices": [choice]})
        exchange.done()

    server.usually = replay
    return ServerStage(server, connect(server.url))


def test_every_recording_has_a_case() -> None:
    assert {*CASES} == {*RECORDED} == {*SHOWN, *CALLED, *USELESS, *FORBIDDEN}


@pytest.mark.parametrize("case", SHOWN)
def test_the_answer_is_shown_and_the_thought_is_not(stage: ServerStage, case: str) -> None:
    assert stage.ask().text == SHOWN[case]


@pytest.mark.parametrize("case", CALLED)
def test_a_call_is_taken_with_the_thought_that_led_to_it(stage: ServerStage, case: str) -> None:
    completion = stage.ask(tools=[ORDER_STATUS])
    (call,) = completion.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("order_status", {"order_id": "A1024"})
    assert (completion.text, completion.finish, completion.reasoning) == ("", "tool_calls", THOUGHT)


@pytest.mark.parametrize("case", USELESS)
def test_neither_markup_nor_half_a_call_is_an_answer(stage: ServerStage, case: str) -> None:
    with pytest.raises(ModelFailed):
        stage.ask(tools=[ORDER_STATUS])
    assert len(stage.server.requests) == USELESS[case]


@pytest.mark.parametrize("case", FORBIDDEN)
def test_a_call_of_a_tool_that_was_not_offered_is_no_answer(stage: ServerStage, case: str) -> None:
    with pytest.raises(ModelFailed):
        stage.ask()
    assert len(stage.server.requests) == 1
