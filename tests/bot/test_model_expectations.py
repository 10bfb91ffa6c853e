"""`frontdesk check` and the model: what the configuration expects and the server does not give is found."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.channel import Finding
from bot.cli.port import any_free
from bot.config import Config
from bot.sandbox.model import METRICS, ScriptedModelServer
from bot.sandbox.model_exchange import Behaviour, Exchange
from bot.serving.model_expectations import examine, expected
from bot.wiring import read_config


@pytest.fixture
def server() -> Iterator[ScriptedModelServer]:
    with ScriptedModelServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FRONTDESK")]:
        monkeypatch.delenv(name)


TOOLS = """
[tools.orders]
description = "Looks up an order."
url = "http://127.0.0.1:9/orders"
[assistants.default]
tools = ["orders"]
"""


@pytest.fixture
def configured(tmp_path: Path) -> Any:
    def read(text: str) -> Config:
        path = tmp_path / "frontdesk.toml"
        path.write_text(text)
        return read_config(path)

    return read


def about(server: ScriptedModelServer, config: Config, word: str) -> Finding:
    """The one finding that is about *word*."""
    (finding,) = (it for it in examine(server.url, expected(config), "") if word in it.what)
    return finding


def message(**fields: Any) -> Behaviour:
    def answers(exchange: Exchange) -> None:
        choice = {"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": "stop"}
        exchange.answer(200, {"object": "chat.completion", "choices": [choice]})

    return answers


def refuses(text: str) -> Behaviour:
    return lambda exchange: exchange.error(400, text, "BadRequestError")


def test_a_server_that_gives_all_that_is_expected_passes_with_every_line(
    server: ScriptedModelServer, configured: Any
) -> None:
    findings = examine(server.url, expected(configured("[worker]\nturns = 100")), "")
    assert all(finding.ok and not finding.next_step for finding in findings)
    assert len(findings) == 4


def test_a_context_that_is_too_short_names_the_assistant_and_the_length_it_needs(
    server: ScriptedModelServer, configured: Any
) -> None:
    config = configured("[assistants.default]\n[assistants.talker]\nhistory_tokens = 9000\nmax_tokens = 2000")
    server.max_model_len = 16384
    finding = about(server, config, "context")
    assert not finding.ok
    assert "assistants.talker" in finding.next_step
    needed = int(finding.next_step.split(" need ")[1].split()[0])
    assert 9000 + 9000 + 3 * 2000 < needed < 27_000
    server.max_model_len = needed
    assert about(server, config, "context").ok


def test_an_adapter_that_is_not_loaded_is_named_with_its_setting(
    server: ScriptedModelServer, configured: Any
) -> None:
    config = configured('[assistants.default]\nmodel = "night-lora"')
    finding = about(server, config, "night-lora")
    assert not finding.ok
    assert "assistants.default.model" in finding.next_step
    server.adapters = ["night-lora"]
    assert about(server, config, "night-lora").ok


def test_a_server_without_a_tool_parser_is_found_by_its_refusal(
    server: ScriptedModelServer, configured: Any
) -> None:
    server.usually = refuses(
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    )
    finding = about(server, configured(TOOLS), "question")
    assert not finding.ok
    assert "--tool-call-parser" in finding.next_step


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "ping"}</tool_call>',
        '{"name": "ping", "arguments": {}}',
        "<|channel|>commentary to=functions.ping",
        "<think>They want a ping.</think>OK",
    ],
)
def test_markup_in_the_answer_shows_a_wrong_parser(server: ScriptedModelServer, configured: Any, text: str) -> None:
    server.usually = message(content=text)
    finding = about(server, configured(TOOLS), "question")
    assert not finding.ok
    assert "reasoning_parser" in finding.next_step


def test_a_tool_that_is_called_is_seen(server: ScriptedModelServer, configured: Any) -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "ping", "arguments": "{}"}}
    server.usually = message(content=None, tool_calls=[call])
    assert about(server, configured(TOOLS), "calls a tool").ok
    assert server.requests[0]["tools"][0]["function"]["strict"] is True


def test_a_model_that_calls_no_tool_this_time_is_no_failure_but_said(
    server: ScriptedModelServer, configured: Any
) -> None:
    finding = about(server, configured(TOOLS), "question")
    assert finding.ok
    assert "parsers" in finding.next_step


def test_without_tools_none_is_offered(server: ScriptedModelServer, configured: Any) -> None:
    assert about(server, configured(""), "question").ok
    assert "tools" not in server.requests[0]
    assert "priority" not in server.requests[0]


def test_a_server_that_takes_no_priorities_is_found(server: ScriptedModelServer, configured: Any) -> None:
    server.usually = refuses("Got priority 1 but Priority scheduling is not enabled.")
    finding = about(server, configured("[model]\npriority = true"), "question")
    assert not finding.ok
    assert "--scheduling-policy priority" in finding.next_step


def test_a_full_queue_in_the_past_is_told(server: ScriptedModelServer, configured: Any) -> None:
    server.metrics = METRICS.replace(" 0.0", " 7.0", 1)
    finding = about(server, configured(""), "queue")
    assert "7 requests" in finding.what
    assert "max_num_queued_reqs" in finding.next_step


def test_more_turns_than_the_queue_holds_are_told(server: ScriptedModelServer, configured: Any) -> None:
    finding = about(server, configured("[worker]\nturns = 1000\n[model.serve]\nmax_num_queued_reqs = 256"), "queue")
    assert finding.ok
    assert "1000" in finding.next_step
    shared = configured(
        f"[worker]\nturns = 1000\n[model]\nreplicas = {json.dumps([server.url, 'http://b/v1'])}\n"
        "[model.serve]\nmax_num_queued_reqs = 500"
    )
    assert about(server, shared, "queue").next_step == ""


def test_a_gateway_without_metrics_is_no_failure(server: ScriptedModelServer, configured: Any) -> None:
    server.metrics = "<html>"
    assert about(server, configured(""), "queue").ok


@pytest.mark.parametrize(
    "broken", [lambda exchange: exchange.cut(), lambda exchange: exchange.answer(200, b"[]"), refuses("no")]
)
def test_whatever_the_question_meets_is_a_finding_with_a_next_step(
    server: ScriptedModelServer, configured: Any, broken: Behaviour
) -> None:
    server.usually = broken
    failed = [it for it in examine(server.url, expected(configured("")), "") if not it.ok]
    assert len(failed) == 1
    assert failed[0].next_step


def test_a_server_that_is_not_there_is_asked_no_further(configured: Any) -> None:
    (finding,) = examine(f"http://127.0.0.1:{any_free(0)}/v1", expected(configured("")), "")
    assert not finding.ok
