"""What may become of a frame: refused, unanswered, too fast, with nobody there to say it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.values import (
    Action,
    Delivered,
    Message,
    Refused,
    Unknown,
)
from adapters.wecom_aibot import by_socket
from tests.adapters.aibot_kit import Desk, inner, reply_to
from tests.adapters.aibot_socket import Platform, connected, desk_at, eventually, heard, refused
from tests.adapters.wecom_platform import vector


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as platform:
        yield platform


@pytest.mark.parametrize("code", [846605, 846608])
def test_a_stream_that_is_over_for_the_platform_is_pushed(code: int, platform: Platform) -> None:
    platform.replies["aibot_respond_msg"] = lambda _frame: {"errcode": code, "errmsg": "over"}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
        assert len(platform.commands("aibot_send_msg")) == 1
        assert isinstance(desk.bot.send(reply_to(message, parts=["one", "two"]), 1), Delivered)


def test_the_published_error_of_an_old_stream_is_understood(platform: Platform) -> None:
    frame = vector("ws_err_846608")["frame"]
    platform.replies["aibot_respond_msg"] = lambda _frame: {name: frame[name] for name in ("errcode", "errmsg")}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        assert isinstance(desk.bot.send(reply_to(heard(platform, inbox)), 0), Delivered)
    assert len(platform.commands("aibot_send_msg")) == 1


def test_a_connection_that_is_not_subscribed_any_more_subscribes_anew(platform: Platform) -> None:
    once = iter([{"errcode": 846609}])
    platform.replies["aibot_respond_msg"] = lambda _frame: next(once, {})
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert refused(desk.bot.send(reply_to(message), 0)).action is Action.RETRY
        platform.until(lambda: len(platform.subscribed_at) == 2)
        eventually(lambda: isinstance(desk.bot.send(reply_to(message), 0), Delivered))


def test_a_final_refusal_is_final(platform: Platform) -> None:
    platform.replies["aibot_respond_msg"] = lambda _frame: {"errcode": 40058}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert refused(desk.bot.send(reply_to(message), 0)).permanent
        assert "may have arrived" in refused(desk.bot.send(reply_to(message), 0, again=True)).reason


def test_no_acknowledgement_is_unknown_and_the_same_stream_may_be_said_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "ACK", timedelta(seconds=0.4))
    platform.silent.add("aibot_respond_msg")
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert isinstance(desk.bot.send(reply_to(message), 0), Unknown)
        platform.silent.clear()
        eventually(lambda: isinstance(desk.bot.send(reply_to(message), 0, again=True), Delivered))
    first, *others = platform.streams()
    assert others
    assert all({**each, "feedback": 0} == {**first, "feedback": 0} for each in others)


def test_a_stream_that_the_earlier_try_has_finished_is_not_said_a_second_time(platform: Platform) -> None:
    platform.replies["aibot_respond_msg"] = lambda _frame: {"errcode": 846608, "errmsg": "finished"}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert isinstance(desk.bot.send(reply_to(message), 0, again=True), Delivered)
    assert platform.commands("aibot_send_msg") == []


def test_a_connection_cut_after_the_frame_is_unknown(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_socket, "ACK", timedelta(seconds=0.5))

    def cut(_frame: Any) -> None:
        platform.cut()

    platform.replies["aibot_respond_msg"] = cut
    desk = desk_at(platform)
    with connected(desk) as inbox:
        assert isinstance(desk.bot.send(reply_to(heard(platform, inbox)), 0), Unknown)


CODES = ["-1", "40058", "45009", "48002", "846601", "846602", "846609", "853006", "987654"]


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_known_and_has_a_next_step(code: str, platform: Platform) -> None:
    platform.replies["aibot_respond_msg"] = lambda _frame: {"errcode": int(code), "errmsg": "my pin is 4471"}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        outcome = refused(desk.bot.send(reply_to(heard(platform, inbox), parts=["my pin is 4471"]), 0))
    assert outcome.code in (code, "")
    assert code in outcome.reason
    assert len(outcome.reason) > len(code) + 10
    assert "4471" not in outcome.reason


@pytest.mark.parametrize("said", [{"errcode": None}, {"errcode": "what"}, {"errcode": [0]}, {"errcode": True}])
def test_an_acknowledgement_that_cannot_be_read_is_unknown(
    said: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "ACK", timedelta(seconds=0.3))
    platform.replies["aibot_respond_msg"] = lambda _frame: said
    desk = desk_at(platform)
    with connected(desk) as inbox:
        assert isinstance(desk.bot.send(reply_to(heard(platform, inbox)), 0), Unknown)


def test_many_workers_send_at_once(platform: Platform) -> None:
    desk = desk_at(platform)
    with connected(desk) as inbox:
        messages = [
            heard(platform, inbox, msgid=f"M{n}", req_id=f"R-{n}", **{"from": {"userid": f"u-{n}"}})
            for n in range(20)
        ]
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda m: desk.bot.send(reply_to(m, parts=[m.sender]), 0), messages))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    said = {frame["headers"]["req_id"]: frame["body"]["stream"] for frame in platform.commands("aibot_respond_msg")}
    assert {req_id: each["content"] for req_id, each in said.items()} == {f"R-{n}": f"u-{n}" for n in range(20)}


def test_a_push_without_an_answer_is_repeated_once_at_most(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "ACK", timedelta(seconds=0.2))
    platform.silent.add("aibot_send_msg")
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        desk.clock.pass_(hours=25)
        eventually(lambda: all(each.ok for each in desk.bot.check()))
        outcomes = [desk.bot.send(reply_to(message), 0, again=again) for again in (False, True, True)]
    assert [type(each) for each in outcomes] == [Unknown, Unknown, Refused]
    assert "look at the chat" in refused(outcomes[-1]).reason
    assert len(platform.commands("aibot_send_msg")) == 2


def test_a_chat_is_not_written_to_more_than_thirty_times_a_minute(platform: Platform) -> None:
    desk = desk_at(platform)
    sent = 0
    with connected(desk) as inbox:
        for number in range(40):
            message = heard(platform, inbox, msgid=f"M{number}", req_id=f"R-{number}")
            outcome = desk.bot.send(reply_to(message), 0)
            sent += isinstance(outcome, Delivered)
            if isinstance(outcome, Refused):
                assert outcome.action is Action.RETRY
                assert outcome.retry_after
            desk.clock.pass_(seconds=1.5)
    assert 20 < sent <= 30


def test_nobody_connected_is_a_temporary_refusal_that_names_the_command(platform: Platform) -> None:
    desk = desk_at(platform)
    (message,), _ = Desk().deliver(inner(text={"content": "x"}))
    assert isinstance(message, Message)
    message = replace(message, route={**message.route, "req_id": "R-1"})
    outcome = refused(desk.bot.send(reply_to(message), 0))
    assert outcome.action is Action.RETRY
    assert "frontdesk connect" in outcome.reason
