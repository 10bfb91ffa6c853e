"""The inbox contract: what the platforms say of our messages afterwards."""

from dataclasses import replace
from itertools import permutations
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.values import DeliveryState, StatusUpdate
from sessions.inbox import Inbox, Noted
from tests.contracts.inbox_kit import NOON, Contract, Desk, status

SENT, DELIVERED, READ, PLAYED, FAILED = (
    DeliveryState.SENT,
    DeliveryState.DELIVERED,
    DeliveryState.READ,
    DeliveryState.PLAYED,
    DeliveryState.FAILED,
)
NEWS, NO_NEWS = Noted(advanced=True, priced=False), Noted(advanced=False, priced=False)


def update(
    state: DeliveryState, of: str = "wamid.1", *, channel: str = "shop", reply_key: str = "", pricing: str = ""
) -> StatusUpdate:
    return StatusUpdate(channel=channel, platform_id=of, state=state, at=NOON, reply_key=reply_key, pricing=pricing)


def advances(inbox: Inbox, *states: DeliveryState, of: str = "wamid.1") -> list[bool]:
    return [inbox.observe(update(state, of)).advanced for state in states]


def farthest(inbox: Inbox, of: str) -> DeliveryState | None:
    """What is known, found out by telling what is nearer than all else first; this changes it."""
    known = None
    for state in (SENT, FAILED, DELIVERED, READ, PLAYED):
        if not advances(inbox, state, of=of)[0]:
            known = state
    return known


class StatusContract(Contract):
    def test_a_status_update_without_any_name_is_no_news(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert inbox.observe(replace(status("", ""), pricing="regular")) == NO_NEWS
        assert inbox.observed("") is None

    def test_a_status_update_without_a_key_names_no_part(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert inbox.observe(status("", "wamid.1")) == NEWS
        assert inbox.observed("") is None

    def test_a_status_update_is_remembered_by_the_parts_key(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert inbox.observed("key.1") is None
        inbox.observe(status("key.1", "wamid.{1}"))
        assert (inbox.observed("key.1"), inbox.observed("key"), inbox.observed("key.2")) == (
            "wamid.{1}",
            None,
            None,
        )

    def test_each_step_is_news_once(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for state in (SENT, DELIVERED, READ, PLAYED):
            assert advances(inbox, state, state) == [True, False]

    def test_an_early_step_that_comes_late_is_no_news(self, desk: Desk) -> None:
        assert advances(desk.inbox(), READ, SENT, DELIVERED, READ) == [True, False, False, False]

    def test_a_failure_ends_what_was_sent(self, desk: Desk) -> None:
        assert advances(desk.inbox(), SENT, FAILED, FAILED, SENT) == [True, True, False, False]

    @pytest.mark.parametrize("state", [DELIVERED, READ, PLAYED])
    def test_what_was_delivered_has_not_failed(self, desk: Desk, state: DeliveryState) -> None:
        assert advances(desk.inbox(), state, FAILED, state) == [True, False, False]

    def test_the_first_price_is_news_once(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert inbox.observe(update(SENT)) == NEWS
        assert inbox.observe(update(SENT, pricing="regular")) == Noted(advanced=False, priced=True)
        assert inbox.observe(update(DELIVERED, pricing="regular")) == NEWS
        assert inbox.observe(update(SENT, pricing="free_entry_point")) == NO_NEWS

    def test_a_message_is_the_same_with_and_without_our_key(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert inbox.observe(update(DELIVERED, pricing="regular")) == Noted(advanced=True, priced=True)
        assert inbox.observe(update(SENT, reply_key="k1", pricing="regular")) == NO_NEWS
        assert inbox.observe(update(READ, reply_key="k1")) == NEWS
        assert inbox.observe(update(READ)) == NO_NEWS
        assert inbox.observed("k1") == "wamid.1"

    def test_a_message_that_the_platform_does_not_name_is_known_by_our_key(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert [inbox.observe(update(READ, "", reply_key=key)) for key in ("k1", "k1", "k2")] == [
            NEWS,
            NO_NEWS,
            NEWS,
        ]

    def test_messages_and_channels_do_not_mix(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for name in ("wamid.1", "wamid.2", "{x}", "编 号*"):
            assert inbox.observe(update(READ, name)) == NEWS
        assert inbox.observe(update(READ, channel="staff")) == NEWS

    def test_every_process_knows_what_another_was_told(self, desk: Desk) -> None:
        desk.inbox("one").observe(update(READ))
        assert desk.inbox("two").observe(update(DELIVERED)) == NO_NEWS

    def test_in_whatever_order_updates_come_the_same_is_known_in_the_end(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for told in ((SENT, FAILED, DELIVERED), (SENT, DELIVERED, READ), (SENT, FAILED), (READ, PLAYED, FAILED)):
            known = set()
            for number, order in enumerate(permutations(told)):
                advances(inbox, *order, of=f"{told}{number}")
                known.add(farthest(inbox, f"{told}{number}"))
            assert len(known) == 1, told

    @settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
    @given(
        told=st.lists(st.tuples(st.sampled_from(DeliveryState), st.booleans()), min_size=1, max_size=8),
        data=st.data(),
    )
    def test_shuffled_and_repeated_updates_end_alike(
        self, desk: Desk, told: list[tuple[DeliveryState, bool]], data: st.DataObject
    ) -> None:
        """And whatever the order, a price is news once if it was told at all."""
        inbox, ends = desk.inbox(), set()
        name = uuid4()
        for number, order in enumerate((told, data.draw(st.permutations(told)), told + told)):
            of = f"{name}-{number}"
            noted = [inbox.observe(update(s, of, pricing="regular" if priced else "")) for s, priced in order]
            assert sum(each.priced for each in noted) == any(priced for _, priced in told)
            ends.add(farthest(inbox, of))
        assert len(ends) == 1
