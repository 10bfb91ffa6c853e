"""An account that the platform locks, with real processes: nobody is lost, and the operator is told everywhere."""

import time
import urllib.request

import pytest

from bot.sandbox.simulator.faults import Fault
from tests.acceptance.conftest import Town

pytestmark = pytest.mark.acceptance
LOCKED = {"error": {"code": 131031, "type": "OAuthException", "message": "Business Account locked"}}


def asked(town: Town, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{town.port}{path}", timeout=5) as answer:
        assert answer.status == 200
        said: str = answer.read().decode()
        return said


def test_a_locked_account_is_shown_and_its_turns_wait(town: Town) -> None:
    town.start()
    assert asked(town, "/readyz") == "ready\n"
    town.whatsapp.faults.add("send", Fault(status=400, json=LOCKED, times=1))
    town.whatsapp.say("hello")
    town.wait_for_log("account_blocked")
    town.whatsapp.say("is anybody there?")
    end = time.monotonic() + 5  # each process looks once a second
    while "account blocked: wa since " not in asked(town, "/readyz"):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert 'frontdesk_account_blocked{channel="wa"} 1.0' in asked(town, "/metrics")
    assert 'frontdesk_account_blocked{channel="corp"} 0.0' in asked(town, "/metrics")
    checked = town.frontdesk("check")
    assert checked.returncode == 1
    assert "FAIL channel wa: account" in checked.stdout
    assert "131031" in checked.stdout
    assert town.whatsapp.replies() == []
    assert town.frontdesk("deadletter", "list").stdout.strip() == "no dead letters"
    assert town.log().count('"action": "account_blocked"') == 1
