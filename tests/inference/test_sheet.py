"""The twelve things that a client of vLLM must know (vLLM sheet §0), point by point."""

import select
import time
from datetime import UTC, datetime, timedelta

import pytest

from bot.config import Model
from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Exchange
from bot.sandbox.model_faults import BEHAVIOURS, BUSY, TOO_LONG, TOO_LONG_HARMONY, error_event, events, says
from bot.serving import model_health, serve_model
from inference.assistant import Assistant, AssistantSettings
from inference.errors import ModelBusy, ModelError, ModelFailed, ModelRefused
from inference.exchange import Limits
from inference.values import ChatMessage, Completion, Passage, Question, Source, ToolSpec
from inference.vllm import VllmModel
from tests.contracts.model import said
from tests.inference.conftest import Connect

FINE = "Thank you for your message. How can I help?"


def ask(model: VllmModel, *, seconds: float = 10, tools: tuple[ToolSpec, ...] = ()) -> Completion:
    return model.complete(
        [said("hi")], conversation="c", deadline=timedelta(seconds=seconds), max_tokens=100, tools=tools
    )


@pytest.fixture
def model(server: ScriptedModelServer, connect: Connect) -> VllmModel:
    return connect(server.url)


# 1: HTTP 200 does not mean success


@pytest.mark.parametrize("code", [503, 500])
def test_point_1_an_error_event_before_the_first_word_is_another_try(
    server: ScriptedModelServer, model: VllmModel, code: int
) -> None:
    server.script(error_event(code, BUSY))
    assert ask(model).text == FINE
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "end",
    [
        ({"content": "Your order "}, "[DONE]"),
        ({"content": "Your order "}, '{"error":{"message":"x","code":500}}', "[DONE]"),
        ({"content": "Your order ", "finish_reason": "stop"}, '{"error":{"message":"x","code":503}}', "[DONE]"),
        ({"content": "Your order "}, {"finish_reason": "abort"}, "[DONE]"),
    ],
)
def test_point_1_a_stream_is_whole_only_with_a_finish_reason_and_without_an_error(
    server: ScriptedModelServer, model: VllmModel, end: tuple[object, ...]
) -> None:
    server.usually = events(*end)
    with pytest.raises(ModelFailed):
        ask(model)


# 2: not streaming, the same conditions are real statuses


@pytest.mark.parametrize(("status", "error"), [(503, ModelBusy), (500, ModelFailed)])
def test_point_2_a_status_with_an_error_object_is_what_it_says(
    server: ScriptedModelServer, model: VllmModel, status: int, error: type[ModelError]
) -> None:
    server.usually = lambda exchange: exchange.error(status, BUSY)
    with pytest.raises(error):
        ask(model)


# 3: overload is a 503 without Retry-After; a 429 is a gateway's


@pytest.mark.parametrize("name", ["busy", "busy in a 200", "429"])
def test_point_3_overload_without_retry_after_is_tried_again_after_a_pause_of_our_own(
    server: ScriptedModelServer, model: VllmModel, name: str
) -> None:
    server.script(name, name)
    started = time.monotonic()
    assert ask(model).text == FINE
    assert len(server.requests) == 3
    assert time.monotonic() - started >= 0.06  # 20 ms, then 40 ms, as this client is told to pause


# 4: bodies of errors have several shapes


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"m","type":"t","param":null,"code":401}}',
        b'{"error":"Unauthorized"}',
        b'{"detail":"Not Found"}',
        b'{"detail":[{"loc":["body"],"msg":"m"}]}',
        b'{"error":null}',
        b'{"error":7}',
        b"[]",
        b"<html>",
        b"",
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize(("status", "error"), [(400, ModelRefused), (401, ModelRefused), (503, ModelBusy)])
def test_point_4_any_shape_of_an_errors_body_leaves_the_status_to_decide(
    server: ScriptedModelServer, model: VllmModel, body: bytes, status: int, error: type[ModelError]
) -> None:
    server.usually = lambda exchange: exchange.answer(status, body)
    with pytest.raises(error, match=str(status)):
        ask(model)


# 5: validation is 400, under two names


@pytest.mark.parametrize("kind", ["BadRequestError", "Bad Request"])
def test_point_5_a_validation_error_is_final_whatever_its_type_is_called(
    server: ScriptedModelServer, model: VllmModel, kind: str
) -> None:
    server.usually = lambda exchange: exchange.error(400, "temperature must be non-negative", kind)
    with pytest.raises(ModelRefused):
        ask(model)
    assert len(server.requests) == 1


# 6: "too long" has two texts


@pytest.mark.parametrize("text", [TOO_LONG, TOO_LONG_HARMONY])
def test_point_6_too_long_a_conversation_loses_its_oldest_turns_and_is_asked_once_more(
    server: ScriptedModelServer, model: VllmModel, text: str
) -> None:
    server.script(lambda exchange: exchange.error(400, text, "BadRequestError"))
    history = [
        ChatMessage(role=role, content=f"{role} {number} " + "word " * 40)
        for number in range(30)
        for role in ("user", "assistant")
    ]
    answer = Assistant(model, Nothing(), AssistantSettings(history_tokens=8000)).answer(question(history))
    assert (answer.text, answer.source) == (FINE, Source.MODEL)
    first, second = (body["messages"] for body in server.requests)
    assert second[0] == first[0]
    assert 2 < len(second) < len(first) / 2
    assert second[1:] == first[-len(second) + 1 :]
    assert second[1]["role"] == "user"


class Nothing:
    def find(self, question: str, *, most: int = 3) -> list[Passage]:
        return []


def question(history: list[ChatMessage]) -> Question:
    return Question(
        conversation="c", history=history, texts=["And now?"], now=datetime.now(UTC), deadline=timedelta(seconds=10)
    )


# 7: thinking is in `reasoning`, and may eat everything


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_point_7_thinking_is_never_part_of_the_answer(
    server: ScriptedModelServer, model: VllmModel, field: str
) -> None:
    server.script(events({field: "They want a refund."}, {"content": "Yes."}, {"finish_reason": "stop"}, "[DONE]"))
    completion = ask(model)
    assert completion.text == "Yes."
    assert "refund" not in repr(completion)


def test_point_7_null_content_at_the_limit_is_asked_again_with_more_tokens_within_the_deadline(
    server: ScriptedModelServer, model: VllmModel
) -> None:
    server.script(
        events({"content": None, "reasoning": "hm"}, {"content": None, "finish_reason": "length"}, "[DONE]")
    )
    assert ask(model).text == FINE
    assert [body["max_tokens"] for body in server.requests] == [100, 300]


def test_point_7_a_larger_budget_than_the_server_has_is_a_failure_and_no_wrong_request(
    server: ScriptedModelServer, model: VllmModel
) -> None:
    text = "max_tokens=300 cannot be greater than max_model_len=200. Please request fewer output tokens."
    server.script("thinking ate the budget", lambda exchange: exchange.error(400, text, "BadRequestError"))
    with pytest.raises(ModelFailed):
        ask(model)


# 8: raw Harmony markup as content


@pytest.mark.parametrize(
    "text", ["<|start|>assistant", "<|channel|>analysis<|message|>hm", "Yes.<|start|>assistant<|channel|>final"]
)
def test_point_8_no_markup_is_shown(server: ScriptedModelServer, model: VllmModel, text: str) -> None:
    server.script(says(text, finish="length"))
    assert ask(model).text in ("Yes.", FINE)


# 9: arguments are held to the schema only where asked to


def test_point_9_every_tool_is_strict(server: ScriptedModelServer, model: VllmModel) -> None:
    tools = tuple(
        ToolSpec(name=name, description="d", parameters={"type": "object"}) for name in ("one", "another")
    )
    ask(model, tools=tools)
    assert [tool["function"]["strict"] for tool in server.requests[0]["tools"]] == [True, True]


# 10: disconnecting frees the GPU


@pytest.mark.parametrize("started", [False, True])
def test_point_10_an_answer_that_is_given_up_is_disconnected_at_once(
    server: ScriptedModelServer, connect: Connect, started: bool
) -> None:
    left: list[float] = []

    def waits(exchange: Exchange) -> None:
        if started:
            exchange.begin()
        connection = exchange._handler.connection
        select.select([connection], [], [], 20)
        assert connection.recv(1) == b""
        left.append(time.monotonic())

    server.script(waits)
    with pytest.raises(ModelFailed):
        ask(connect(server.url, limits=Limits()), seconds=0.4)
    gave_up = time.monotonic()
    until = gave_up + 5
    while not left and time.monotonic() < until:
        time.sleep(0.01)
    assert left[0] - gave_up < 0.5


# 11: loading refuses, draining is a 500, a stopped server may hang


def test_point_11_a_server_that_is_loading_refuses_and_another_answers(connect: Connect) -> None:
    with ScriptedModelServer() as up:
        model = connect("http://127.0.0.1:9/v1", up.url)
        assert [ask(model).text for _ in range(5)] == [FINE] * 5


def test_point_11_draining_is_told_from_a_broken_engine(connect: Connect) -> None:
    for name, tries in (("drains", 5), ("500", 2)):
        with ScriptedModelServer() as server:
            server.usually = BEHAVIOURS[name]
            with pytest.raises(ModelError):
                ask(connect(server.url))
            assert len(server.requests) in range(2, tries + 1)


def test_point_11_a_stream_that_hangs_ends_at_the_limit_between_tokens(
    server: ScriptedModelServer, connect: Connect
) -> None:
    server.script("silent midway")
    started = time.monotonic()
    with pytest.raises(ModelFailed, match="nothing for too long"):
        ask(connect(server.url, limits=Limits(between=timedelta(seconds=0.3))), seconds=20)
    assert time.monotonic() - started < 3


# 12: the key guards /v1 only


def test_point_12_a_wrong_key_is_found_at_v1_though_health_is_open(server: ScriptedModelServer) -> None:
    server.api_key = "right"
    finding = model_health.examine(server.url, "gpt-oss-20b", "wrong")
    assert not finding.ok
    assert "model.api_key" in finding.next_step
    assert [call.path for call in server.calls] == ["/health", "/v1/models"]
    assert "authorization" not in server.calls[0].headers


def test_point_12_the_server_that_we_start_listens_to_this_machine_only() -> None:
    arguments = serve_model.command(Model())
    assert arguments[arguments.index("--host") + 1] == "127.0.0.1"
