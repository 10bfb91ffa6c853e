"""The twin keeps the contract."""

from datetime import timedelta

import pytest

from tests.contracts.inbox import InboxContract
from tests.contracts.inbox_kit import Desk, answer, claim_one, offer, status
from tests.sessions.desks import MemoryDesk


class TestMemoryInbox(InboxContract):
    def make_desk(self, request: pytest.FixtureRequest) -> Desk:
        return MemoryDesk()


def test_texts_are_recent_for_half_an_hour() -> None:
    desk = MemoryDesk()
    inbox = desk.inbox()
    offer(inbox, "m1")
    answer(inbox, claim_one(inbox))
    desk.pass_time(timedelta(minutes=31))
    offer(inbox, "m2")
    assert claim_one(inbox).conversation.recent == {}


def test_a_status_update_is_forgotten_after_a_day() -> None:
    desk = MemoryDesk()
    inbox = desk.inbox()
    inbox.observe(status("key", "wamid.1"))
    desk.pass_time(timedelta(hours=23))
    assert inbox.observed("key") == "wamid.1"
    desk.pass_time(timedelta(hours=2))
    assert inbox.observed("key") is None


def test_how_far_a_message_got_is_known_for_eight_days() -> None:
    desk = MemoryDesk()
    inbox = desk.inbox()
    for days, news in ((0, True), (7, False), (7, False), (9, True)):
        desk.pass_time(timedelta(days=days))
        assert inbox.observe(status("key", "wamid.1")).advanced is news
