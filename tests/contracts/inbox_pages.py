"""The inbox contract: pages of messages, and the bookmark that goes with them."""

from collections.abc import Sequence
from datetime import timedelta

from adapters.values import Message
from sessions.inbox import Inbox, Verdict
from tests.contracts.inbox_kit import (
    AT_ONCE,
    HORIZON,
    SHORT,
    Contract,
    Desk,
    answer,
    claim_one,
    conversation,
    message,
    names,
    offer,
)


def accept_page(inbox: Inbox, messages: Sequence[Message], cursor: str, name: str = "kf:1") -> list[Verdict]:
    return list(inbox.accept(messages, horizon=HORIZON, bookmark=(name, cursor)))


class PageContract(Contract):
    def test_there_is_no_bookmark_at_first(self, desk: Desk) -> None:
        assert desk.inbox().bookmark("kf:1") == ""

    def test_a_page_is_stored_with_its_bookmark(self, desk: Desk) -> None:
        inbox = desk.inbox()
        page = [message("a1"), message("b1", "bob"), message("a2")]
        assert accept_page(inbox, page, "cursor {2}") == [Verdict.NEW] * 3
        assert desk.inbox("other").bookmark("kf:1") == "cursor {2}"
        turns = {turn.id: names(turn.messages) for turn in (claim_one(inbox), claim_one(inbox))}
        assert turns == {conversation(): ["a1", "a2"], conversation("bob"): ["b1"]}

    def test_an_empty_page_moves_the_bookmark(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert accept_page(inbox, [], "2") == []
        assert inbox.bookmark("kf:1") == "2"

    def test_the_last_bookmark_counts(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for cursor in ("2", "3", ""):
            accept_page(inbox, [], cursor)
            assert inbox.bookmark("kf:1") == cursor

    def test_two_names_have_two_bookmarks(self, desk: Desk) -> None:
        inbox = desk.inbox()
        accept_page(inbox, [], "2", "kf:1")
        accept_page(inbox, [], "3", "kf:2")
        assert (inbox.bookmark("kf:1"), inbox.bookmark("kf:2")) == ("2", "3")

    def test_a_page_that_comes_again_changes_nothing(self, desk: Desk) -> None:
        inbox = desk.inbox()
        page = [message("a1"), message("b1", "bob")]
        accept_page(inbox, page, "2")
        assert accept_page(inbox, page, "2") == [Verdict.DUPLICATE] * 2
        assert desk.mailboxes() == {conversation(): 1, conversation("bob"): 1}

    def test_what_came_another_way_is_a_duplicate_on_a_page_and_the_other_way_round(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "a1")
        assert accept_page(inbox, [message("a1"), message("a2")], "2") == [Verdict.DUPLICATE, Verdict.NEW]
        assert list(inbox.accept([message("a2")], horizon=HORIZON)) == [Verdict.DUPLICATE]

    def test_a_message_twice_on_a_page_is_stored_once(self, desk: Desk) -> None:
        inbox = desk.inbox()
        page = [message("a1"), message("a2"), message("a1")]
        assert accept_page(inbox, page, "2") == [Verdict.NEW, Verdict.NEW, Verdict.DUPLICATE]
        assert names(claim_one(inbox).messages) == ["a1", "a2"]

    def test_a_page_keeps_its_horizon(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.accept([message("a1")], horizon=SHORT, bookmark=("kf:1", "2"))
        desk.pass_time(SHORT * 2)
        assert accept_page(inbox, [message("a1")], "2") == [Verdict.NEW]

    def test_where_one_mailbox_is_full_nothing_of_the_page_is_stored(self, desk: Desk) -> None:
        inbox = desk.inbox(mailbox_limit=1)
        accept_page(inbox, [message("a1")], "1")
        page = [message("b1", "bob"), message("a1"), message("a2"), message("b1", "bob")]
        refused = [Verdict.FULL, Verdict.DUPLICATE, Verdict.FULL, Verdict.FULL]
        assert accept_page(inbox, page, "2") == refused
        assert inbox.bookmark("kf:1") == "1"
        assert desk.mailboxes() == {conversation(): 1}
        answer(inbox, claim_one(inbox))
        assert accept_page(inbox, page, "2") == [
            Verdict.NEW,
            Verdict.DUPLICATE,
            Verdict.NEW,
            Verdict.DUPLICATE,
        ]
        assert inbox.bookmark("kf:1") == "2"

    def test_a_full_mailbox_does_not_stop_a_page_without_news_for_it(self, desk: Desk) -> None:
        inbox = desk.inbox(mailbox_limit=1)
        offer(inbox, "a1")
        assert accept_page(inbox, [message("a1"), message("b1", "bob")], "2") == [
            Verdict.DUPLICATE,
            Verdict.NEW,
        ]
        assert inbox.bookmark("kf:1") == "2"

    def test_a_page_that_is_longer_than_a_mailbox_fits_into_one_that_is_not_full(self, desk: Desk) -> None:
        """Else it would be refused for ever."""
        inbox = desk.inbox(mailbox_limit=2)
        offer(inbox, "a0")
        page = [message(f"a{number}") for number in range(1, 6)]
        assert accept_page(inbox, page, "2") == [Verdict.NEW] * 5
        assert names(claim_one(inbox).messages) == [f"a{number}" for number in range(6)]

    def test_a_page_joins_a_postponed_turn(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "a1")
        inbox.postpone(claim_one(inbox).lease, timedelta(hours=1), reason="busy")
        accept_page(inbox, [message("a2")], "2")
        assert list(desk.tickets()) == [conversation()]
        assert list(inbox.take(1, wait=AT_ONCE)) == []

    def test_a_page_of_many_conversations_gets_its_verdicts_in_its_own_order(self, desk: Desk) -> None:
        inbox = desk.inbox()
        known = [message(f"m{number}", f"peer{number % 40}") for number in range(0, 400, 3)]
        inbox.accept(known, horizon=HORIZON)
        page = [message(f"m{number}", f"peer{number % 40}") for number in range(400)]
        verdicts = accept_page(inbox, page, "2")
        assert verdicts == [Verdict.DUPLICATE if number % 3 == 0 else Verdict.NEW for number in range(400)]
        assert desk.mailboxes() == {conversation(f"peer{number}"): 10 for number in range(40)}
