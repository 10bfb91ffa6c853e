"""What a real vLLM 0.32 answered, byte for byte, replayed: a Llama-shaped model, and one of gpt-oss's architecture
on the Harmony path. Each record holds what the client must make of it; a stream's events are a line each there."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Exchange
from inference import errors
from inference.values import ToolSpec
from tests.contracts.model import said
from tests.inference.conftest import Connect

RECORDS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "vllm" / "recorded.json").read_text("utf-8")
)
TOOL = ToolSpec(name="get_order", description="查询订单", parameters={"type": "object"})


@pytest.mark.parametrize("record", RECORDS, ids=[record["name"] for record in RECORDS])
def test_a_recorded_answer_comes_to_what_it_must(
    server: ScriptedModelServer, connect: Connect, record: dict[str, Any]
) -> None:
    def replay(exchange: Exchange) -> None:
        streamed = record["kind"].startswith("text/event-stream")
        body = record["body"].replace("\n", "\n\n") + "\n\n" if streamed else record["body"]
        exchange.answer(record["status"], body.encode(), kind=record["kind"])

    server.usually = replay
    assert made_of(connect(server.url), tools=[TOOL] if record["tools"] else []) == record["expected"]


def made_of(model: Any, *, tools: list[ToolSpec]) -> dict[str, Any]:
    try:
        completion = model.complete(
            [said("x")], conversation="c", deadline=timedelta(seconds=10), max_tokens=10, tools=tools
        )
    except errors.ModelError as error:
        return {"error": type(error).__name__}
    calls = [[call.name, call.arguments] for call in completion.tool_calls]
    return {"text": completion.text, "finish": completion.finish, "calls": calls}


def test_the_records_hold_both_models_streams_and_whole_answers() -> None:
    kinds = {(record["name"].split(":")[0], record["kind"].split("/")[0]) for record in RECORDS}
    assert len(kinds) == 4
    assert sum("error" in record["expected"] for record in RECORDS) > 15
    assert sum(bool(record["expected"].get("calls")) for record in RECORDS) >= 8


def test_no_record_makes_markup_or_thoughts_visible() -> None:
    shown = [record["expected"].get("text", "") for record in RECORDS]
    assert not any("<" in text for text in shown)
    thoughts = [json.loads(record["body"])["choices"][0]["message"].get("reasoning") for record in plain_answers()]
    assert sum(bool(thought) for thought in thoughts) > 5
    assert not any(thought and thought in text for thought in thoughts for text in shown)


def plain_answers() -> list[dict[str, Any]]:
    return [record for record in RECORDS if record["status"] == 200 and "json" in record["kind"]]
