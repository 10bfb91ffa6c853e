"""The example shop's service, and the example's tools that call it."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bot.cli.run import example_environment
from bot.config import load
from bot.sandbox import example
from bot.sandbox.server import Sandbox
from bot.sandbox.shop import KEY
from bot.toolbox import build_tools, toolbox
from bot.wiring import PLATFORMS
from inference.assistant import Assistant, AssistantSettings
from inference.faq import NoKnowledge
from inference.scripted import ScriptedModel, calling
from inference.tools.http import ToolHttp
from tests.inference.tool_kit import question

SETTINGS = {name: channel.settings_type for name, channel in PLATFORMS.items()}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def call(sandbox: Sandbox, method: str, path: str, **headers: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {KEY}", **headers}
    return requests.request(method, f"{sandbox.url}/shop/customers/{path}", headers=headers, timeout=5)


def test_every_customer_has_orders_of_their_own(sandbox: Sandbox) -> None:
    mine, theirs = (call(sandbox, "GET", f"whatsapp/{user}/orders").json()["orders"] for user in ("ana", "b%2Fen"))
    assert [order["number"] for order in mine] == [order["number"] for order in theirs]
    assert mine != theirs
    assert call(sandbox, "GET", "whatsapp/ana/orders/1001").json() == {"order": mine[0]}


def test_what_is_not_there_and_a_wrong_key_are_refused(sandbox: Sandbox) -> None:
    assert call(sandbox, "GET", "whatsapp/ana/orders/9").status_code == 404
    assert call(sandbox, "POST", "whatsapp/ana/orders/9/cancel").status_code == 404
    assert call(sandbox, "GET", "whatsapp/ana/orders", Authorization="Bearer no").status_code == 401


def test_a_cancellation_is_done_once_for_each_key(sandbox: Sandbox) -> None:
    path = "whatsapp/ana/orders/1001/cancel"
    assert call(sandbox, "POST", path).status_code == 400
    answers = [call(sandbox, "POST", path, **{"Idempotency-Key": "k"}).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert sandbox.shop.acts == {"k": 1}


def test_the_examples_tools_work_against_the_sandbox(sandbox: Sandbox) -> None:
    config = load(None, platforms=SETTINGS, env=example_environment(sandbox.url))
    assert config.assistants["default"].tools == ("order_status", "set_reminder")
    tools = build_tools(config.tools, ToolHttp(), None)
    model = ScriptedModel()
    model.script(calling(("order_status", '{"order_number": "1001"}')))
    assistant = Assistant(model, NoKnowledge(), AssistantSettings(), toolbox(config.assistants["default"], tools))
    assistant.answer(question())
    told = json.loads(model.asked[-1].messages[-1].content)
    assert told == sandbox.shop.of("shop", "ana")["1001"]
    assert KEY not in repr(config)


def test_the_example_as_a_file_says_the_same(tmp_path: Path) -> None:
    text = example.toml("http://127.0.0.1:1")
    assert tomllib.loads(text) == example.config("http://127.0.0.1:1")
    path = tmp_path / "frontdesk.toml"
    path.write_text(text, "utf-8")
    assert set(load(path, platforms=SETTINGS, env={}).tools) == {"order_status", "set_reminder"}
