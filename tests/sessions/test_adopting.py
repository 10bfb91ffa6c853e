"""Adopting in whatever order and however often: what is known in the end is the same. On the twin, which the random
histories of test_invariant.py hold to be as the engine."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sessions.memory import MemoryInbox
from tests.contracts.inbox_kit import answer, claim_one, conversation, offer
from tests.sessions.desks import MemoryDesk

PEERS = ("ann", "bob", "new")

Step = Callable[[MemoryDesk, MemoryInbox], object]


def talk(peer: str, text: str) -> Step:
    def step(desk: MemoryDesk, inbox: MemoryInbox) -> None:
        offer(inbox, f"m{desk.memory.issued}", peer=peer)
        answer(inbox, claim_one(inbox), text)

    return step


def pause(peer: str, minutes: int) -> Step:
    return lambda _, inbox: inbox.pause(conversation(peer), for_=timedelta(minutes=minutes))


def resume(peer: str) -> Step:
    return lambda _, inbox: inbox.resume(conversation(peer))


def wait(minutes: int) -> Step:
    return lambda desk, _: desk.pass_time(timedelta(minutes=minutes))


def adopt(old: str, new: str) -> Step:
    return lambda _, inbox: inbox.adopt(conversation(old), conversation(new))


peers = st.sampled_from(PEERS)
histories = st.lists(
    st.builds(talk, peers, st.sampled_from(["hello", "goodbye"]))
    | st.builds(pause, peers, st.integers(1, 90))
    | st.builds(resume, peers)
    | st.builds(wait, st.integers(1, 50)),
    max_size=8,
)


def known(steps: Sequence[Step]) -> list[tuple[list[str], Mapping[str, datetime], timedelta]]:
    """Of every customer at the end: the words remembered, the texts sent lately, and for how long a human stays."""
    desk = MemoryDesk()
    inbox = desk.inbox()
    for step in steps:
        step(desk, inbox)
    found = []
    for peer in map(conversation, PEERS):
        context = inbox._contexts.known(peer)
        stays = max(desk.memory.paused.get(peer, desk.now()) - desk.now(), timedelta())
        found.append(([entry.content for entry in context.history], context.recent, stays))
    return found


@given(histories)
def test_adopting_again_changes_nothing(history: list[Step]) -> None:
    once = known([*history, adopt("ann", "new")])
    assert known([*history, adopt("ann", "new"), adopt("ann", "new")]) == once


@given(histories)
def test_of_two_names_that_end_in_one_it_does_not_matter_which_is_told_first(history: list[Step]) -> None:
    """But for the context, where it is the first one's: two do not mix."""
    one = known([*history, adopt("ann", "new"), adopt("bob", "new")])
    two = known([*history, adopt("bob", "new"), adopt("ann", "new")])
    assert one[2][1:] == two[2][1:]
    assert [recent for _, recent, _ in one[:2]] == [recent for _, recent, _ in two[:2]] == [{}, {}]


@given(histories)
def test_nothing_that_was_known_is_lost(history: list[Step]) -> None:
    (told, sent, stays), _, (new_told, new_sent, new_stays) = known(history)
    (left, _, _), _, (found, all_sent, longest) = known([*history, adopt("ann", "new")])
    assert (left, found) == ((told, new_told) if new_told else ([], told))
    assert all_sent == {text: max(at for each in (sent, new_sent) if (at := each.get(text))) for text in all_sent}
    assert set(all_sent) == {*sent, *new_sent}
    assert longest == max(stays, new_stays)
