"""A whole Frontdesk to look at: its processes, the sandbox with its page, and a model that says what we want."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bot.sandbox import example
from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Exchange
from bot.sandbox.server import Sandbox
from bot.sandbox.shop import KEY
from bot.sandbox.simulator.media import PNG
from tests.acceptance.conftest import environment, free_port

ANSWER = (
    "Shipping takes **two to four days**.\n\n- to the north: two days\n- to the islands: four days\n\n"
    "Every parcel has a number: *write to us* whenever yours is late, and we look for it together."
)
QUICKLY = 0.005
"""Seconds between two words of the model."""
FAQ = 'question,answer\nWhere is your shop?,"Here: ![the plan](file:plan.png)"\n'
CANCEL = {
    "description": "Cancel an order.",
    "parameters": json.dumps({"type": "object", "properties": {"order_number": {"type": "string"}}}),
    "method": "POST",
    "headers": {"Authorization": f"Bearer {KEY}"},
    "result": "order.state",
    "confirm": True,
    "confirm_text": "cancel order {order_number}",
}


def clerk(exchange: Exchange) -> None:
    """Cancels orders, shows where the shop is, and else tells how long shipping takes, word by word."""
    last = exchange.body["messages"][-1]
    words = _words(last["content"]).casefold()
    if last["role"] == "tool":
        return exchange.speak("Order 1001 is cancelled.")
    if "cancel" in words or "取消" in words:
        return _call(exchange, "cancel_order", {"order_number": "1001"})
    if "your shop" in words:
        return exchange.speak("Here it is. ![the plan](file:plan.png)")
    return exchange.speak(ANSWER)


def _words(content: Any) -> str:
    """What was said, of a message with or without pictures."""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content)


def _call(exchange: Exchange, name: str, arguments: dict[str, Any]) -> None:
    exchange.begin()
    function: dict[str, Any] = {"name": name, "arguments": json.dumps(arguments)}
    exchange.delta({"tool_calls": [{"id": "call-1", "type": "function", "index": 0, "function": function}]})
    exchange.delta({}, "tool_calls")
    exchange.done()


@dataclass(frozen=True, kw_only=True)
class Desk:
    """*sandbox* is played in this process, so that tests can look at what happened; *page* is where the bot's own
    web server shows it."""

    sandbox: Sandbox
    model: ScriptedModelServer
    page: str
    log: Path


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """Starts all of it in *folder*, and ends it."""
    port = free_port()
    sandbox = Sandbox(f"http://127.0.0.1:{port}")
    with ScriptedModelServer() as model, sandbox:
        model.usually = clerk
        model.token_delay = QUICKLY
        (folder / "files").mkdir()
        (folder / "files" / "plan.png").write_bytes(PNG)
        (folder / "faq.csv").write_text(FAQ, "utf-8")
        config = folder / "frontdesk.toml"
        config.write_text(example.toml_of(_tables(sandbox.url, model.url, folder, port)), "utf-8")
        log = folder / "log"
        command = [sys.executable, "-m", "bot.cli", "--config", str(config), "run"]
        around = {**environment(), "FRONTDESK_SANDBOX": sandbox.url}
        with log.open("wb") as told:
            process = subprocess.Popen(command, stdout=told, stderr=told, env=around, cwd=folder)
        try:
            _wait_until_ready(process, port, log)
            yield Desk(sandbox=sandbox, model=model, page=f"http://127.0.0.1:{port}/sandbox/", log=log)
        finally:
            process.terminate()
            process.wait(timeout=45)


def _tables(sandbox: str, model: str, folder: Path, port: int) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = dict(example.config(sandbox))
    tables["channels"]["dingtalk"] |= {"card_template_id": "answer.schema", "card_key": "content"}
    tables["server"] = {"": {"port": port, "data_dir": f"{folder}/var", "files_dir": f"{folder}/files"}}
    tables["model"] = {"": {"replicas": [model], "deadline": 20}}
    url = f"{sandbox}/shop/customers/{{customer.channel}}/{{customer.user}}/orders/{{order_number}}/cancel"
    tables["tools"] = {**tables["tools"], "cancel_order": {**CANCEL, "url": url}}
    assistant = {
        "company_name": "Example Shop",
        "max_reply_chars": 600,
        "faq": f"{folder}/faq.csv",
        "tools": list(tables["tools"]),
    }
    tables["assistants"] = {"default": assistant}
    return tables


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path, limit: float = 60) -> None:
    end = time.monotonic() + limit
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(f"not ready:\n{log.read_text('utf-8')[-4000:]}")
