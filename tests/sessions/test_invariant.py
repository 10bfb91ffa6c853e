"""Random histories, played on the engine and on its twin: they agree at every step, and the invariant holds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from adapters.values import ConversationId, DeliveryState, StatusUpdate
from sessions.errors import HumanOwns, LeaseLost
from sessions.inbox import Inbox, Turn
from sessions.store import RedisStore
from tests.contracts.inbox_kit import (
    AT_ONCE,
    LONG,
    NOON,
    answer,
    assert_invariant,
    conversation,
    exchange,
    message,
    names,
    stored,
)
from tests.sessions.desks import MemoryDesk, RedisDesk

PEERS = ("ann", "bob", "cid")
DAYS = timedelta(days=30)
Pair = tuple[Turn, Turn]


class Desks(RuleBasedStateMachine):
    """Two desks with two workers each. A pair is the same turn, leased on both."""

    pairs = Bundle("pairs")

    store: ClassVar[RedisStore]

    def __init__(self) -> None:
        super().__init__()
        self.store.command("FLUSHALL")
        self.twin = MemoryDesk()
        self.real = RedisDesk(self.store)
        self.sent = 0

    def inboxes(self, consumer: str) -> tuple[Inbox, Inbox]:
        twin = self.twin.inbox(consumer, lease=LONG, mailbox_limit=5, session_ttl=DAYS)
        return twin, self.real.inbox(consumer, lease=LONG, mailbox_limit=5, session_ttl=DAYS)

    @rule(peer=st.sampled_from(PEERS), count=st.integers(1, 3), again=st.booleans())
    def accept(self, peer: str, count: int, again: bool) -> None:
        if not again:
            self.sent += count
        batch = [message(f"{peer}{n}", peer) for n in range(self.sent - count, self.sent)]
        twin, real = (list(inbox.accept(batch, horizon=DAYS)) for inbox in self.inboxes("web"))
        assert twin == real

    @rule(peers=st.lists(st.sampled_from(PEERS), max_size=7), again=st.booleans())
    def accept_page(self, peers: list[str], again: bool) -> None:
        if not again:
            self.sent += len(peers)
        page = [message(f"{peer}{self.sent - n}", peer) for n, peer in enumerate(peers)]
        bookmark = ("page", str(self.sent))
        twin, real = self.inboxes("web")
        assert list(twin.accept(page, horizon=DAYS, bookmark=bookmark)) == list(
            real.accept(page, horizon=DAYS, bookmark=bookmark)
        )
        assert twin.bookmark("page") == real.bookmark("page")

    @rule(peer=st.sampled_from(PEERS), for_=st.sampled_from([None, timedelta(days=1), timedelta(days=2)]))
    def pause(self, peer: str, for_: timedelta | None) -> None:
        for inbox in self.inboxes("web"):
            if for_ is None:
                inbox.resume(conversation(peer))
            else:
                inbox.pause(conversation(peer), for_=for_)

    @rule(old=st.sampled_from(PEERS), new=st.sampled_from(PEERS), times=st.integers(1, 2))
    def adopt(self, old: str, new: str, times: int) -> None:
        for inbox in self.inboxes("web") * times:
            inbox.adopt(conversation(old), conversation(new))

    @rule(
        of=st.sampled_from(["", "w1", "w2"]),
        state=st.sampled_from(DeliveryState),
        key=st.sampled_from(["", "k1"]),
        pricing=st.sampled_from(["", "regular"]),
    )
    def observe(self, of: str, state: DeliveryState, key: str, pricing: str) -> None:
        told = StatusUpdate(channel="shop", platform_id=of, state=state, at=NOON, reply_key=key, pricing=pricing)
        twin, real = self.inboxes("web")
        assert twin.observe(told) == real.observe(told)
        assert twin.observed("k1") == real.observed("k1")

    @rule(target=pairs, consumer=st.sampled_from(["one", "two"]))
    def take(self, consumer: str) -> object:
        twin, real = self.inboxes(consumer)
        found = [self.claimed(inbox) for inbox in (twin, real)]
        assert found[0].keys() == found[1].keys()
        turns = [(found[0][name], found[1][name]) for name in found[0]]
        for ours, theirs in turns:
            assert seen(ours) == seen(theirs)
        return multiple(*((consumer, pair) for pair in turns))

    @staticmethod
    def claimed(inbox: Inbox) -> dict[ConversationId, Turn]:
        turns = [inbox.claim(ticket) for ticket in inbox.take(1000, wait=AT_ONCE)]
        return {turn.id: turn for turn in turns if turn is not None}

    def both(self, held: tuple[str, Pair], act: Callable[[Inbox, Turn], object]) -> None:
        """Acts on both desks, with one result: what is returned, or that the lease is lost."""
        consumer, pair = held
        results = []
        for inbox, turn in zip(self.inboxes(consumer), pair, strict=True):
            try:
                results.append(act(inbox, turn))
            except LeaseLost:
                results.append("lost")
        assert results[0] == results[1]

    @rule(held=pairs, gather=st.booleans(), fresh=st.booleans())
    def commit(self, held: tuple[str, Pair], gather: bool, fresh: bool) -> None:
        def act(inbox: Inbox, turn: Turn) -> object:
            try:
                return names(inbox.commit(turn, stored(turn), exchange(turn), gather=gather, fresh=fresh))
            except HumanOwns:
                return "human"

        self.both(held, act)

    @rule(held=pairs)
    def renew(self, held: tuple[str, Pair]) -> None:
        self.both(held, lambda inbox, turn: len(inbox.renew([turn.lease])))

    @rule(held=consumes(pairs))
    def settle(self, held: tuple[str, Pair]) -> None:
        self.both(held, lambda inbox, turn: inbox.settle(turn.lease, outcome="replied"))

    @rule(held=consumes(pairs))
    def settle_with_what_was_said(self, held: tuple[str, Pair]) -> None:
        self.both(
            held,
            lambda inbox, turn: inbox.settle(turn.lease, outcome="human_owns", exchange=exchange(turn)[:-1]),
        )

    @rule(held=consumes(pairs))
    def answer(self, held: tuple[str, Pair]) -> None:
        self.both(held, answer)

    @rule(held=consumes(pairs), delay=st.sampled_from([AT_ONCE, timedelta(milliseconds=1), timedelta(hours=1)]))
    def postpone(self, held: tuple[str, Pair], delay: timedelta) -> None:
        self.both(held, lambda inbox, turn: inbox.postpone(turn.lease, delay, reason="busy"))

    @rule(held=consumes(pairs))
    def park(self, held: tuple[str, Pair]) -> None:
        self.both(held, lambda inbox, turn: inbox.park(turn.lease, reason="refused"))

    @rule()
    def wake(self) -> None:
        self.twin.pass_time(timedelta(milliseconds=3))
        self.real.pass_time(timedelta(milliseconds=3))
        for inbox in self.inboxes("one"):
            inbox.wake()

    @rule(
        peer=st.sampled_from(PEERS),
        name=st.sampled_from(["r1", "r2", "r3"]),
        year=st.sampled_from([2019, 2020, 2120]),
    )
    def schedule(self, peer: str, name: str, year: int) -> None:
        due = datetime(year, 1, 1, tzinfo=UTC)
        twin, real = (
            desk.schedule().schedule(message(f"{peer}-{name}", peer), due=due, name=name)
            for desk in (self.twin, self.real)
        )
        assert twin == real

    @rule(peer=st.sampled_from(PEERS), name=st.sampled_from(["r1", "r2", "r3"]))
    def unschedule(self, peer: str, name: str) -> None:
        twin, real = (desk.schedule().unschedule(conversation(peer), name) for desk in (self.twin, self.real))
        assert twin == real

    @rule(which=st.integers(0, 3))
    def redrive(self, which: int) -> None:
        letters = [list(inbox.dead_letters()) for inbox in self.inboxes("one")]
        if which < len(letters[0]):
            wanted = letters[0][which]
            [other] = [letter for letter in letters[1] if names(letter.messages) == names(wanted.messages)]
            twin, real = self.inboxes("one")
            assert twin.redrive(wanted.id) is real.redrive(other.id) is True

    @rule()
    def all_leases_run_out(self) -> None:
        self.twin.pass_time(LONG * 2)
        self.real.expire_leases()

    @invariant()
    def a_mailbox_that_is_not_empty_has_exactly_one_ticket(self) -> None:
        assert_invariant(self.real)
        assert_invariant(self.twin)
        assert self.real.mailboxes() == self.twin.mailboxes()
        depths = [inbox.depths() for inbox in self.inboxes("one")]
        assert (depths[0].ready, depths[0].leased) == (depths[1].ready, depths[1].leased)
        assert (depths[0].later, depths[0].dead) == (depths[1].later, depths[1].dead)
        assert depths[0].reminders == depths[1].reminders


def seen(turn: Turn) -> object:
    """What both must agree on; sessions are random, times differ, and so do the ids of dead letters, of which a
    redriven message and its reply's key tell."""
    history = [(entry.role, entry.content) for entry in turn.conversation.history]
    reply = turn.stored and (turn.stored.reply.parts, turn.stored.records)
    recent = set(turn.conversation.recent)
    return names(turn.messages), history, recent, reply, turn.tries, turn.abandoned, turn.paused


def test_the_engine_and_its_twin_agree(redis_store: RedisStore) -> None:
    Desks.store = redis_store
    run_state_machine_as_test(
        Desks,
        settings=settings(
            max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
