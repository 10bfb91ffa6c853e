"""What every fake platform has: faults, redelivery, a bounded journal, and a server that goes away cleanly."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.simulator import journal
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import Call, Journal, Sign
from bot.sandbox.simulator.platform import Platform
from bot.sandbox.wecom import WeComPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform
from tests.fakes import Answer, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[WhatsAppPlatform]:
    with WhatsAppPlatform(webhook_url=bot.url) as fake:
        fake.statuses = False
        yield fake


def send(platform: WhatsAppPlatform, session: requests.Session | None = None) -> requests.Response:
    body = {"messaging_product": "whatsapp", "to": "+14155550123", "type": "text", "text": {"body": "Hello"}}
    return (session or requests).post(
        f"{platform.url}/v26.0/{platform.phone_number_id}/messages",
        json=body,
        headers={"Authorization": f"Bearer {platform.access_token}"},
        timeout=10,
    )


def test_a_lost_reply_is_shown_although_nothing_comes_back(platform: WhatsAppPlatform) -> None:
    platform.faults.add("send", Fault(cut_after_accept=True))
    with pytest.raises(requests.ConnectionError):
        send(platform)

    assert len(platform.replies()) == 1
    assert platform.calls[-1].status == 0
    assert send(platform).status_code == 200


def test_a_cut_before_accepting_shows_nothing(platform: WhatsAppPlatform) -> None:
    platform.faults.add("send", Fault(cut=True))
    with pytest.raises(requests.ConnectionError):
        send(platform)

    assert platform.replies() == []


def test_a_played_answer_replaces_the_real_one_as_often_as_asked(platform: WhatsAppPlatform) -> None:
    platform.faults.add("send", Fault(status=503, json={"error": {"code": 2}}, times=2))
    platform.faults.add("send", Fault(status=502, text="<html>Bad gateway</html>", headers={"Retry-After": "7"}))
    answers = [send(platform) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [503, 503, 502, 200]
    assert answers[0].json() == {"error": {"code": 2}}
    assert answers[2].headers["content-type"].startswith("text/html")
    assert answers[2].headers["retry-after"] == "7"
    assert len(platform.replies()) == 1


def test_a_delay_alone_accepts_first_and_answers_late(platform: WhatsAppPlatform) -> None:
    platform.faults.add("send", Fault(delay=timedelta(milliseconds=300)))
    began = time.monotonic()
    answer = send(platform)

    assert answer.status_code == 200
    assert time.monotonic() - began >= 0.3
    assert platform.calls[-1].elapsed >= timedelta(milliseconds=300)


def test_a_fault_of_another_endpoint_waits_for_it(platform: WhatsAppPlatform) -> None:
    platform.faults.add("token", Fault(status=500))

    assert send(platform).status_code == 200
    assert platform.faults.waiting() == {"token": 1}


def test_a_bot_that_is_away_is_told_apart_from_one_that_is_slow(bot: RecordingServer) -> None:
    with WhatsAppPlatform(webhook_url="http://127.0.0.1:9") as away:
        assert (away.say("Hi").status, away.say("Hi").error) == (0, "refused")
    bot.faults.append(Answer(delay=3))
    with WhatsAppPlatform(webhook_url=bot.url) as impatient:
        impatient.patience = timedelta(milliseconds=200)  # type: ignore[misc]
        assert impatient.say("Hi").error == "timeout"


@pytest.mark.parametrize("kind", [WhatsAppPlatform, WeComPlatform, DingTalkPlatform])
def test_an_unanswered_webhook_stays_so_unless_redelivery_is_on(
    kind: type[Platform[Any]], bot: RecordingServer
) -> None:
    bot.faults.append(Answer(status=503))
    with kind(webhook_url=bot.url) as platform:
        assert platform.say("Hi").status == 503
        assert platform.pending == 0
    assert len(bot.calls) == 1


def test_every_kept_answer_comes_over_one_connection(platform: WhatsAppPlatform) -> None:
    with requests.Session() as session:
        for _ in range(20):
            assert send(platform, session).status_code == 200
        [pool] = session.get_adapter(platform.url).poolmanager.pools._container.values()  # type: ignore[attr-defined]
        assert pool.num_connections == 1


def test_a_stopped_platform_refuses_even_kept_connections(platform: WhatsAppPlatform) -> None:
    with requests.Session() as session:
        send(platform, session)
        platform.stop()
        with pytest.raises(requests.ConnectionError):
            send(platform, session)


def test_an_unknown_path_is_refused_and_noted(platform: WhatsAppPlatform) -> None:
    answer = requests.get(f"{platform.url}/nowhere/at/all", timeout=10)

    assert answer.status_code == 400
    assert (platform.calls[-1].endpoint, platform.calls[-1].reason) == (
        "unknown",
        "the platform has no such endpoint",
    )


def test_waiting_for_replies_says_how_many_came(platform: WhatsAppPlatform) -> None:
    send(platform)

    assert len(platform.wait_for_replies(1, timeout=1)) == 1
    with pytest.raises(TimeoutError, match="1 of 2 replies"):
        platform.wait_for_replies(2, timeout=0.05)


def test_the_journal_keeps_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LONGEST", 10)
    kept, now = Journal(), WhatsAppPlatform().clock.now()
    for number in range(25):
        kept.add(Sign(what="read", user="u", message_id=str(number), at=now))

    assert [number for number, _ in kept.after(0)] == list(range(16, 26))
    assert [number for number, _ in kept.after(23)] == [24, 25]
    assert kept.after(25) == []


def test_a_call_is_noted_whole(platform: WhatsAppPlatform) -> None:
    send(platform)

    [call] = platform.calls
    assert isinstance(call, Call)
    assert call.method == "POST"
    assert call.headers["authorization"] == f"Bearer {platform.access_token}"
    assert b"Hello" in call.body
    assert b"wamid." in call.answer


def test_many_customers_at_once_are_all_heard(bot: RecordingServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with WhatsAppPlatform(webhook_url=bot.url) as platform, ThreadPoolExecutor(20) as pool:
        heard = list(pool.map(lambda n: platform.say("Hi", user=f"1415555{n:04d}"), range(200)))

    assert {delivery.status for delivery in heard} == {200}
    wait_until(lambda: len(bot.calls) == 200)
