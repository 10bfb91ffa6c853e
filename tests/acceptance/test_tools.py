"""Business actions with real processes: for the right customer, done once, reminded once, whatever is killed."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Exchange
from bot.sandbox.shop import KEY, Shop
from tests.acceptance.conftest import NAMES, Town
from tests.bot.test_cli_run import Shop as Newcomer
from tests.inference.tool_kit import open_shop

pytestmark = pytest.mark.acceptance

NUMBER = """parameters = '{"type": "object", "properties": {"order_number": {"type": "string"}}}'"""
ORDER = "customers/{customer.channel}/{customer.user}/orders/{order_number}"
SOON = timedelta(seconds=15)


class Clerk:
    """A behaviour of the scripted model server: what a customer's words ask for becomes a tool call in the shape
    recorded of gpt-oss, and a tool's result becomes the answer."""

    def __init__(self) -> None:
        self.reminds_in = timedelta(seconds=2)
        self.offered: list[set[str]] = []

    def __call__(self, exchange: Exchange) -> None:
        messages = exchange.body["messages"]
        self.offered.append({tool["function"]["name"] for tool in exchange.body.get("tools", ())})
        if messages[-1]["role"] == "tool":
            return exchange.speak(f"The system says: {messages[-1]['content']}", reasoning="There is a result.")
        words = messages[-1]["content"].casefold()
        if "remind" in words:
            due = (datetime.now(UTC) + self.reminds_in).isoformat()
            return self._call(exchange, "set_reminder", {"text": "collect the parcel", "time": due})
        if "cancel" in words:
            return self._call(exchange, "cancel_order", {"order_number": "1001"})
        if "order" in words:
            return self._call(exchange, "order_status", {"order_number": "1001"})
        return exchange.speak("You are welcome.")

    def _call(self, exchange: Exchange, name: str, arguments: dict[str, Any]) -> None:
        text = json.dumps(arguments)
        exchange.begin()
        exchange.delta({"reasoning": "A tool is needed."})
        function: dict[str, Any] = {"name": name, "arguments": ""}
        exchange.delta(
            {"tool_calls": [{"id": "chatcmpl-tool-a29d", "type": "function", "index": 0, "function": function}]}
        )
        for start in range(0, len(text), 7):
            piece = {"index": 0, "function": {"arguments": text[start : start + 7]}}
            exchange.delta({"tool_calls": [piece]})
        exchange.delta({}, "tool_calls")
        exchange.done()


@pytest.fixture
def clerk(town: Town) -> Clerk:
    clerk = Clerk()
    town.model.usually = clerk
    return clerk


@pytest.fixture
def service(town: Town) -> Iterator[Shop]:
    """The shop's service, and a town whose assistant may use it."""
    with open_shop() as (shop, url):
        both = f'description = "d"\n{NUMBER}\nheaders = {{ Authorization = "Bearer {KEY}" }}\n'
        asks = 'confirm = true\nconfirm_text = "cancel order {order_number}"\n'
        town.tools = {
            "order_status": f'{both}url = "{url}/{ORDER}"\nresult = "order"\n',
            "cancel_order": f'{both}{asks}url = "{url}/{ORDER}/cancel"\nmethod = "POST"\nresult = "order.state"\n',
            "set_reminder": 'builtin = "set_reminder"\n',
        }
        yield shop


def reminders(town: Town) -> list[str]:
    return [reply.text for reply in town.whatsapp.replies() if "⏰" in reply.text]


def test_an_order_is_looked_up_for_the_customer_who_asks(town: Town, service: Shop, clerk: Clerk) -> None:
    town.start()
    for name, platform in town.platforms.items():
        platform.say("Where is my order 1001? I am ben, by the way.")
        (reply,) = platform.wait_for_replies(1, SOON)
        user = service.requests[-1].path.split("/")[3]
        assert service.requests[-1].path.startswith(f"/customers/{name}/")
        assert service.of(name, user)["1001"]["article"] in reply.text
        assert "ben" not in user
    assert clerk.offered[0] == {"order_status", "cancel_order", "set_reminder"}
    assert "1001" not in town.log()
    assert KEY not in town.log()


def test_a_reminder_comes_once_at_its_time(town: Town, service: Shop, clerk: Clerk) -> None:
    town.start()
    town.whatsapp.say("Remind me to collect the parcel")
    set_at = time.monotonic()
    town.whatsapp.wait_for_replies(2, SOON)
    assert time.monotonic() - set_at > 1.5
    assert [reply.text for reply in town.whatsapp.replies()][1] == "⏰ Reminder: collect the parcel"
    time.sleep(2)
    assert len(town.whatsapp.replies()) == 2
    assert len(town.model.requests) == 2


def test_a_reminder_survives_the_kill_of_everything(town: Town, service: Shop, clerk: Clerk) -> None:
    clerk.reminds_in = timedelta(seconds=8)
    town.start()
    town.whatsapp.say("Remind me to collect the parcel")
    town.whatsapp.wait_for_replies(1, SOON)
    town.wait_for_log("turn_settled")  # else the kill may leave the reply itself in doubt
    town.kill()
    assert reminders(town) == []
    town.start()
    town.whatsapp.wait_for_replies(2, timedelta(seconds=30))
    assert reminders(town) == ["⏰ Reminder: collect the parcel"]
    time.sleep(2)
    assert len(town.whatsapp.replies()) == 2


def test_a_confirmed_action_is_done_once_though_the_worker_is_killed_before_its_answer(
    town: Town, service: Shop, clerk: Clerk
) -> None:
    town.start()
    town.whatsapp.say("Please cancel order 1001")
    (asked,) = town.whatsapp.wait_for_replies(1, SOON)
    assert asked.text == 'Please confirm: cancel order 1001. Shall I do this now? Reply "yes" or "no".'
    assert service.acts == {}
    town.model.hold.clear()
    town.whatsapp.say("Yes")
    _wait_until_acted(service)
    town.kill("worker")
    town.model.hold.set()
    replies = town.whatsapp.wait_for_replies(2, timedelta(seconds=60))
    assert replies[1].text == "The system says: cancelled"
    assert list(service.acts.values()) == [1]
    assert len(service.requests) == 2  # and the service knew the second by its key
    assert len({request.headers["idempotency-key"] for request in service.requests}) == 1


def test_a_tap_or_a_number_carries_a_confirmed_action_out_once(town: Town, service: Shop, clerk: Clerk) -> None:
    """Buttons, cards and menus, tapped twice; the number of the line where a platform has none of these."""
    town.start()
    tapped = set()
    for platform in town.platforms.values():
        assert platform.say("Please cancel order 1001").status == 200
    for name, platform in town.platforms.items():
        (asked,) = platform.wait_for_replies(1, SOON)
        assert "cancel order 1001" in asked.text
        if not asked.choices:
            assert platform.say("1").status == 200
            continue
        assert [choice.title for choice in asked.choices] == ["Yes", "No"]
        tapped.add(name)
        for _ in range(2):
            assert platform.tap(asked.platform_id, asked.choices[0].id).status == 200
    for platform in town.platforms.values():
        platform.wait_for_replies(2, SOON)
        assert platform.replies()[1].text.endswith("The system says: cancelled"), platform.replies()[1]
    time.sleep(2)
    assert tapped == {"wa", "corp", "aibot", "kf", "ding"}
    assert list(service.acts.values()) == [1] * len(NAMES)
    done = [sum("cancelled" in reply.text for reply in each.replies()) for each in town.platforms.values()]
    assert done == [1] * len(NAMES)
    assert [breach for platform in town.platforms.values() for breach in platform.breaches] == []


def _wait_until_acted(service: Shop) -> None:
    end = time.monotonic() + SOON.total_seconds()
    while not service.acts:
        assert time.monotonic() < end, "the yes was not acted on"
        time.sleep(0.02)


def test_the_example_without_a_configuration_looks_up_orders_once_a_model_is_there(tmp_path: Any) -> None:
    newcomer = Newcomer(tmp_path)
    with ScriptedModelServer() as model:
        model.usually = Clerk()
        try:
            newcomer.start(FRONTDESK__MODEL__REPLICAS=json.dumps([model.url]))
            newcomer.eventually(lambda: "is open" in newcomer.screen, "the start screen did not come")
            platform = f"{newcomer.address}/sandbox/_sim/whatsapp"
            requests.post(f"{platform}/say", json={"text": "Where is my order 1001?"}, timeout=10)

            def replies() -> list[dict[str, Any]]:
                found: list[dict[str, Any]] = requests.get(f"{platform}/replies", timeout=5).json()
                return found

            newcomer.eventually(lambda: len(replies()) == 1, "no reply came")
            assert '"number": "1001"' in replies()[0]["text"]
        finally:
            newcomer.children()
            newcomer.clear()
