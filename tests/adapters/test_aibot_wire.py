"""Whatever may happen to a long connection: it is lost, replaced, refused, silent, and made anew."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from adapters.values import (
    ControlEvent,
    Delivered,
)
from adapters.wecom_aibot import by_socket
from tests.adapters.aibot_kit import Desk, reply_to
from tests.adapters.aibot_socket import (
    QUICK,
    SECRET,
    Inbox,
    Platform,
    connected,
    desk_at,
    eventually,
    frame_body,
    heard,
)
from tests.adapters.wecom_platform import vector


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as platform:
        yield platform


def test_a_lost_connection_is_made_anew_for_ever(platform: Platform) -> None:
    with connected(desk_at(platform)) as inbox:
        for number in range(4):
            heard(platform, inbox, msgid=f"M{number}")
            platform.cut()
            platform.until(lambda wanted=number + 2: len(platform.subscribed_at) >= wanted)  # type: ignore[misc]
    assert len(inbox.messages()) == 4


def test_a_server_that_is_away_is_tried_until_it_is_back() -> None:
    with Platform() as platform:
        desk = desk_at(platform)
    with connected(desk):  # nobody listens there any more
        threading.Event().wait(0.3)


def test_a_wrong_secret_is_not_tried_in_a_loop(platform: Platform) -> None:
    with connected(desk_at(platform, secret="wrong")):
        platform.until(lambda: len(platform.subscribed_at) == 2)
    first, second = platform.subscribed_at[:2]
    assert second - first >= QUICK.refused.total_seconds()


def test_a_connection_that_was_replaced_does_not_come_back_at_once(platform: Platform) -> None:
    with connected(desk_at(platform)) as inbox:
        platform.send(vector("ws_event_disconnected")["frame"])
        eventually(lambda: inbox.events)
        platform.until(lambda: len(platform.subscribed_at) == 2)
    first, second = platform.subscribed_at[:2]
    assert second - first >= QUICK.replaced.total_seconds()
    (event,) = inbox.events
    assert isinstance(event, ControlEvent)
    assert event.what == "disconnected_event"


def test_two_missed_pings_end_a_connection(platform: Platform) -> None:
    platform.silent.add("ping")
    with connected(desk_at(platform)):
        platform.until(lambda: len(platform.subscribed_at) == 2)
    assert len(platform.commands("ping")) >= 2


def test_a_ping_that_finds_no_subscription_ends_the_connection(platform: Platform) -> None:
    once = iter([{"errcode": 846609}])
    platform.replies["ping"] = lambda _frame: next(once, {})
    with connected(desk_at(platform)) as inbox:
        platform.until(lambda: len(platform.subscribed_at) == 2)
        heard(platform, inbox)


def test_pings_that_are_answered_keep_it(platform: Platform) -> None:
    with connected(desk_at(platform)):
        platform.until(lambda: len(platform.commands("ping")) >= 6)
    assert len(platform.subscribed_at) == 1


def test_a_desk_that_keeps_nothing_does_not_keep_the_connection_from_ending(platform: Platform) -> None:
    inbox = Inbox()
    inbox.closed.set()
    begun = time.monotonic()
    with connected(desk_at(platform), inbox):
        platform.call(frame_body())
        eventually(lambda: inbox.tries > 0)
    assert time.monotonic() - begun < 10


def test_a_stream_that_nobody_ends_is_ended_by_the_connection(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "SHOW_EVERY", 0.0)
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        writing = desk.bot.writing([message], "key")
        assert writing
        writing.show("Until")
        platform.until(lambda: len(platform.streams()) == 1)
        desk.clock.pass_(minutes=5, seconds=30)
        platform.until(lambda: len(platform.streams()) == 2)
        writing.show("Until six")
        assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
    ended = platform.streams()[-1]
    assert ended["finish"] is True
    assert ended["content"].startswith("Until\n\n")
    (pushed,) = platform.commands("aibot_send_msg")
    assert pushed["body"]["markdown"]["content"] == "Until six."


def test_no_secret_and_no_word_is_ever_logged(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), connected(desk_at(platform)) as inbox:
        heard(platform, inbox, text={"content": "my pin is 4471"})
    assert SECRET not in caplog.text
    assert "4471" not in caplog.text


def test_the_check_says_whether_the_connection_is_held(platform: Platform) -> None:
    desk = desk_at(platform)
    (finding,) = desk.bot.check()
    assert not finding.ok
    assert "frontdesk connect" in finding.next_step
    with connected(desk):
        eventually(lambda: all(each.ok for each in desk.bot.check()))


def test_only_this_mode_has_a_connection(platform: Platform) -> None:
    assert desk_at(platform).bot.connection() is not None
    assert Desk().bot.connection() is None
