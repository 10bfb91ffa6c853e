"""Tools on the wire: what is asked, how calls grow in a stream, and what goes back. Shapes as recorded."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Exchange
from bot.sandbox.model_faults import events
from inference.calls import LONGEST_ARGUMENTS
from inference.errors import ModelFailed
from inference.values import ChatMessage, Completion, ToolCall, ToolSpec
from tests.contracts.model import said
from tests.inference.conftest import Connect

ORDER = ToolSpec(
    name="get_order",
    description="查询订单",
    parameters={"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
)


class Desk:
    """A client that offers a tool."""

    def __init__(self, server: ScriptedModelServer, connect: Connect) -> None:
        self.server = server
        self.model = connect(server.url)

    def ask(self, *messages: ChatMessage, tools: Sequence[ToolSpec] = (ORDER,)) -> Completion:
        return self.model.complete(
            messages or (said("查一下订单A1024"),),
            conversation="c",
            deadline=timedelta(seconds=10),
            max_tokens=100,
            tools=tools,
        )

    def stream(self, *data: object) -> Completion:
        self.server.script(events(*data, "[DONE]"))
        return self.ask()


@pytest.fixture
def desk(server: ScriptedModelServer, connect: Connect) -> Desk:
    return Desk(server, connect)


def piece(index: int, arguments: str | None = None, **first: str) -> dict[str, Any]:
    """One piece of one call; *first* holds what only the first piece has."""
    function = {"name": first.pop("name")} if "name" in first else {}
    if arguments is not None:
        function["arguments"] = arguments
    kind = {"type": "function"} if first else {}
    return {"tool_calls": [{**first, **kind, "index": index, "function": function}]}


ROLE = {"role": "assistant", "content": ""}
END = {"finish_reason": "tool_calls"}
CALL = ToolCall(id="t1", name="get_order", arguments='{"order_id":"A1024"}')


def test_tools_are_offered_with_strict_schemas_and_the_choice_is_the_models(desk: Desk) -> None:
    desk.ask()
    (body,) = desk.server.requests
    function = {
        "name": "get_order",
        "description": "查询订单",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
        "strict": True,
    }
    assert body["tools"] == [{"type": "function", "function": function}]
    assert body["tool_choice"] == "auto"


def test_without_tools_the_request_has_no_word_of_them(desk: Desk) -> None:
    desk.ask(tools=())
    (body,) = desk.server.requests
    assert not {"tools", "tool_choice"} & {*body}


def test_a_call_grows_by_its_index_and_its_thought_comes_with_it(desk: Desk) -> None:
    completion = desk.stream(
        ROLE,
        {"reasoning": "用户"},
        {"reasoning": "要查订单。"},
        piece(0, "", id="t1", name="get_order"),
        piece(0, '{"order'),
        piece(0, '_id":"A1024"}'),
        END,
    )
    assert completion.tool_calls == (CALL,)
    assert (completion.text, completion.finish) == ("", "tool_calls")
    assert completion.reasoning == "用户要查订单。"


def test_parallel_calls_that_grow_by_turns_are_kept_apart(desk: Desk) -> None:
    completion = desk.stream(
        ROLE,
        piece(1, '{"order_id"', id="t2", name="get_order"),
        piece(0, '{"order_id"', id="t1", name="get_order"),
        piece(1, ':"B77"}'),
        piece(0, ':"A1024"}'),
        END,
    )
    assert completion.tool_calls == (CALL, ToolCall(id="t2", name="get_order", arguments='{"order_id":"B77"}'))


def test_the_hermes_parsers_first_piece_has_no_arguments_and_a_null_content(desk: Desk) -> None:
    first = piece(0, id="t1", name="get_order") | {"content": None}
    assert desk.stream(ROLE, first, piece(0, CALL.arguments), END).tool_calls == (CALL,)


def test_a_named_choice_ends_with_stop_and_is_a_call_all_the_same(desk: Desk) -> None:
    completion = desk.stream(ROLE, piece(0, CALL.arguments, id="t1", name="get_order"), {"finish_reason": "stop"})
    assert (completion.tool_calls, completion.finish) == ((CALL,), "tool_calls")


def test_words_before_a_call_are_kept_beside_it(desk: Desk) -> None:
    completion = desk.stream({"content": "我查一下。"}, piece(0, CALL.arguments, id="t1", name="get_order"), END)
    assert (completion.text, completion.tool_calls) == ("我查一下。", (CALL,))


def test_a_call_in_an_answer_that_is_not_streamed_is_understood(desk: Desk) -> None:
    def whole(exchange: Exchange) -> None:
        function = {"name": "get_order", "arguments": CALL.arguments}
        calls = [{"id": "t1", "type": "function", "function": function}]
        message = {"role": "assistant", "content": None, "tool_calls": calls, "reasoning": "hm"}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        exchange.answer(200, {"object": "chat.completion", "choices": [choice]})

    desk.server.script(whole)
    completion = desk.ask()
    assert (completion.tool_calls, completion.reasoning) == ((CALL,), "hm")


def test_a_call_that_ran_out_of_tokens_is_asked_for_again_with_more(desk: Desk) -> None:
    cut = (piece(0, '{"order', id="t1", name="get_order"), {"finish_reason": "length"}, "[DONE]")
    desk.server.script(events(*cut))
    assert desk.stream(piece(0, CALL.arguments, id="t1", name="get_order"), END).tool_calls == (CALL,)
    assert [body["max_tokens"] for body in desk.server.requests] == [100, 300]


def test_a_call_cut_by_the_connection_is_made_again_and_never_half_passed_on(desk: Desk) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.begin()
        exchange.delta(piece(0, '{"order_id":"A', id="t0", name="get_order"))
        exchange.cut()

    desk.server.script(cut)
    assert desk.stream(piece(0, CALL.arguments, id="t1", name="get_order"), END).tool_calls == (CALL,)


def test_harmony_markup_behind_a_name_is_cut_off(desk: Desk) -> None:
    first = piece(0, CALL.arguments, id="t1", name="get_order<|channel|>commentary")
    assert desk.stream(first, END).tool_calls == (CALL,)


def test_a_call_without_arguments_or_id_still_has_both(desk: Desk) -> None:
    assert desk.stream(piece(0, name="get_order"), END).tool_calls == (
        ToolCall(id="call-0", name="get_order", arguments="{}"),
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"tool_calls": "get_order"},
        {"tool_calls": [7]},
        {"tool_calls": [{"index": "0", "function": {"name": "x"}}]},
        {"tool_calls": [{"index": 0, "function": "get_order"}]},
        {"tool_calls": [{"index": 0, "function": {"name": "x", "arguments": [1]}}]},
        {"tool_calls": [{"index": index, "function": {"name": "x"}} for index in range(100)]},
        {"tool_calls": [{"index": 0, "function": {"name": "x", "arguments": "x" * (LONGEST_ARGUMENTS + 1)}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ],
)
def test_calls_of_a_wrong_shape_are_a_failure_and_no_crash(desk: Desk, bad: dict[str, Any]) -> None:
    with pytest.raises(ModelFailed):
        desk.stream(bad, END)


def test_what_led_to_a_call_goes_back_with_it_and_other_reasoning_does_not(desk: Desk) -> None:
    desk.ask(
        ChatMessage(role="user", content="hi"),
        ChatMessage(role="assistant", content="Hello.", reasoning="greet"),
        ChatMessage(role="user", content="A1024?"),
        ChatMessage(role="assistant", content="", tool_calls=(CALL,), reasoning="look it up"),
        ChatMessage(role="tool", content='{"state":"已发货"}', tool_call_id="t1"),
    )
    function = {"name": "get_order", "arguments": CALL.arguments}
    assert desk.server.requests[0]["messages"][1:] == [
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "A1024?"},
        {
            "role": "assistant",
            "content": None,
            "reasoning": "look it up",
            "tool_calls": [{"id": "t1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": '{"state":"已发货"}'},
    ]
