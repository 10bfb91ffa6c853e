"""An account that the platform locks, with real processes: nobody is lost, and the operator is told everywhere."""

import time
import urllib.request
from datetime import timedelta

import pytest

from bot.sandbox.simulator.faults import Fault
from tests.acceptance.conftest import Town, customer, until

pytestmark = pytest.mark.acceptance
LOCKED = {"error": {"code": 131031, "type": "OAuthException", "message": "Business Account locked"}}


def asked(town: Town, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{town.port}{path}", timeout=5) as answer:
        assert answer.status == 200
        said: str = answer.read().decode()
        return said


def test_a_locked_account_is_shown_and_its_turns_wait(town: Town) -> None:
    town.names = ("wa", "corp")
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


@pytest.mark.timeout(200)
def test_what_two_accounts_could_not_send_is_sent_once_when_they_are_free_again(town: Town) -> None:
    """WhatsApp locks a number, WeCom no longer knows our address; a probe a minute finds out when that is over."""
    town.names = ("wa", "corp")
    town.start()
    town.whatsapp.faults.add("send", Fault(status=400, json=LOCKED, times=1000))
    town.wecom.trusted_ip = False
    people = {name: [customer(name, number) for number in range(3)] for name in town.names}
    for name, users in people.items():
        for user in users:
            assert town.platforms[name].say("is anybody there?", user=user).status == 200
    until(lambda: asked(town, "/readyz").count("account blocked: ") == 2, 20, lambda: asked(town, "/readyz"))
    checked = town.frontdesk("check")
    assert checked.returncode == 1
    for sign in ("FAIL channel wa: account", "131031", "FAIL channel corp: account", "60020"):
        assert sign in checked.stdout, checked.stdout
    assert town.frontdesk("deadletter", "list").stdout.strip() == "no dead letters"
    assert [town.platforms[name].replies() for name in town.names] == [[], []]
    town.whatsapp.faults.clear()
    town.wecom.trusted_ip = True
    for name, users in people.items():
        town.platforms[name].wait_for_replies(len(users), timedelta(seconds=100))
    time.sleep(2)
    told = {name: sorted(reply.to for reply in town.platforms[name].replies()) for name in town.names}
    assert told == {name: sorted(users) for name, users in people.items()}
    assert asked(town, "/readyz") == "ready\n"
    assert town.log().count('"action": "account_restored"') == 2
