"""The engine keeps the contract, and what only Redis can show."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from sessions.codec import digest
from sessions.embedded import EmbeddedRedis
from sessions.errors import StoreDown
from sessions.inbox import PartState
from sessions.limits import STATUS_FOR
from sessions.scripts import HAND_BACK, TIDY, WAKE, Call
from sessions.store import RedisStore, pairs
from tests.contracts.inbox import InboxContract
from tests.contracts.inbox_kit import (
    AT_ONCE,
    HORIZON,
    Desk,
    answer,
    assert_invariant,
    claim_one,
    conversation,
    exchange,
    message,
    names,
    offer,
    record,
    status,
    stored,
    take_one,
)
from tests.contracts.inbox_parking import parked
from tests.sessions.desks import RedisDesk


class TestRedisInbox(InboxContract):
    def make_desk(self, request: pytest.FixtureRequest) -> Desk:
        store: RedisStore = request.getfixturevalue("redis_store")
        return RedisDesk(store)


class TestRedisInboxOnTheWheelsServer(InboxContract):
    def make_desk(self, request: pytest.FixtureRequest) -> Desk:
        store: RedisStore = request.getfixturevalue("wheels_store")
        return RedisDesk(store)


@pytest.fixture
def desk(redis_store: RedisStore) -> Iterator[RedisDesk]:
    desk = RedisDesk(redis_store)
    yield desk
    assert_invariant(desk)


def test_nothing_of_an_answered_conversation_stays_for_ever(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    offer(inbox, "m1")
    answer(inbox, claim_one(inbox))
    inbox.observe(status("key", "wamid.1"))
    shared = {name for shard in desk.keys.shards for name in (shard.ready, shard.journal)}
    for name in desk.store.command("KEYS", "*"):
        assert name.decode() in shared or desk.store.command("TTL", name) > 0


@pytest.mark.parametrize(
    ("part", "longest"),
    [
        ("seen", HORIZON),
        ("conversation", timedelta(hours=1)),
        ("recent", timedelta(minutes=30)),
        ("observed", HORIZON),
        ("status", STATUS_FOR),
        ("pause", timedelta(hours=12)),
    ],
)
def test_what_expires_does_so_in_its_time(desk: RedisDesk, part: str, longest: timedelta) -> None:
    inbox = desk.inbox()
    offer(inbox, "m1")
    answer(inbox, claim_one(inbox))
    inbox.observe(status("key", "wamid.1"))
    inbox.pause(conversation(), for_=timedelta(hours=12))
    [name] = desk.store.command("KEYS", f"fd:{{*}}:{part}:*")
    left = timedelta(milliseconds=desk.store.command("PTTL", name))
    assert longest - timedelta(minutes=1) < left <= longest


def test_each_update_keeps_a_status_for_as_long_again(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    inbox.observe(status("", "wamid.1"))
    [name] = desk.store.command("KEYS", "fd:{*}:status:*")
    desk.store.command("PEXPIRE", name, 1000)
    inbox.observe(status("", "wamid.1"))
    assert desk.store.command("PTTL", name) > 1000


def test_a_status_names_no_phone_number_and_takes_little_room(desk: RedisDesk) -> None:
    """There is one for each message of a week."""
    desk.inbox().observe(status("", "wamid.HBgMNDkxNTE" * 4))
    [name] = desk.store.command("KEYS", "fd:{*}:status:*")
    assert b"wamid" not in name
    assert desk.store.command("STRLEN", name) <= 2


def test_an_adopted_conversation_leaves_nothing_of_the_old_one(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    offer(inbox, "m1")
    answer(inbox, claim_one(inbox))
    inbox.pause(conversation(), for_=HORIZON)
    inbox.adopt(conversation(), conversation("new"))
    names = {name.decode() for name in desk.store.command("KEYS", "*")}
    old, new = conversation().key, conversation("new").key
    assert {name.split(":")[2] for name in names if name.endswith(old) and "seen" not in name} == set()
    kept = {name for name in names if name.endswith(new)}
    assert {name.split(":")[2] for name in kept} == {"conversation", "recent", "pause"}
    assert all(desk.store.command("PTTL", name) > 0 for name in kept)


def test_texts_sent_long_ago_are_cleared_away(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    recent = desk.keys.home(conversation()).recent(conversation().key)
    desk.store.command("ZADD", recent, 1, "long ago")
    offer(inbox, "m1")
    turn = claim_one(inbox)
    assert turn.conversation.recent == {}
    answer(inbox, turn, "now")
    assert desk.store.command("ZRANGE", recent, 0, -1) == [digest("now").encode()]


def test_a_flushed_database_is_used_again_at_once(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    offer(inbox, "m1")
    lost = claim_one(inbox)
    desk.store.command("FLUSHALL")
    offer(inbox, "m2")
    assert list(inbox.renew([lost.lease])) == [lost.lease]
    assert inbox.claim(lost.lease.ticket) is None
    assert names(claim_one(inbox).messages) == ["m2"]


def test_a_ticket_whose_messages_are_gone_is_dropped(desk: RedisDesk) -> None:
    """Whoever deletes keys by hand does not stop the queue."""
    inbox = desk.inbox()
    offer(inbox, "m1")
    desk.store.command("DEL", desk.keys.home(conversation()).mail(conversation().key))
    assert inbox.claim(take_one(inbox)) is None
    assert desk.tickets() == []
    offer(inbox, "m2")
    assert names(claim_one(inbox).messages) == ["m2"]


def test_a_second_ticket_of_one_conversation_is_dropped(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    offer(inbox, "m1")
    desk.store.command("XADD", desk.keys.home(conversation()).ready, "*", "conversation", conversation().key)
    claimed = [inbox.claim(ticket) for ticket in inbox.take(100, wait=AT_ONCE)]
    assert [turn is None for turn in claimed] == [False, True]
    assert desk.tickets() == [conversation()]


def test_tickets_from_before_the_first_worker_are_taken(desk: RedisDesk) -> None:
    web, worker = desk.inbox("web"), desk.inbox("worker")
    for number in range(10):
        offer(web, f"m{number}", peer=f"peer{number}")
    assert web.depths().ready == 10
    assert sum(len(worker.take(100, wait=AT_ONCE)) for _ in range(3)) == 10


def test_a_store_that_is_down_is_said_so_by_every_call(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path, fsync="no")
    with closing(RedisStore.open(server.start(), patience=timedelta(seconds=1), connections=2)) as store:
        inbox = RedisDesk(store).inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        server.stop()
        for call in (
            lambda: inbox.accept([message("m2")], horizon=HORIZON),
            lambda: inbox.take(1, wait=AT_ONCE),
            lambda: inbox.claim(turn.lease.ticket),
            lambda: inbox.renew([turn.lease]),
            lambda: inbox.commit(turn, stored(turn), exchange(turn)),
            lambda: inbox.record(turn.lease, 0, record()),
            lambda: inbox.settle(turn.lease, outcome="replied"),
            lambda: inbox.postpone(turn.lease, AT_ONCE, reason="busy"),
            lambda: inbox.park(turn.lease, reason="poison"),
            inbox.wake,
            lambda: inbox.observe(status("key", "wamid.1")),
            lambda: inbox.observed("key"),
            inbox.depths,
            inbox.dead_letters,
            lambda: inbox.redrive("1-1.0"),
        ):
            with pytest.raises(StoreDown):
                call()


def test_a_turn_is_journalled_once_and_without_its_words(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    offer(inbox, "m1", "m2")
    turn = claim_one(inbox)
    inbox.commit(turn, stored(turn, "secret words", "more"), exchange(turn))
    inbox.record(turn.lease, 0, record(PartState.DELIVERED, sends=1))
    inbox.settle(turn.lease, (1, record(PartState.REFUSED)), outcome="replied")
    [entry] = desk.journal()
    assert entry[b"conversation"].decode() == turn.id.key
    assert (entry[b"outcome"], entry[b"messages"], entry[b"tries"]) == (b"replied", b"2", b"1")
    assert entry[b"reply"].decode() == stored(turn).reply.key
    assert entry[b"parts"].count(b'"state"') == 2
    assert not [value for value in entry.values() if b"words" in value or b"text of" in value]


def test_a_parked_turn_is_journalled_with_its_reason(desk: RedisDesk) -> None:
    parked(desk.inbox(), "m1")
    [entry] = desk.journal()
    assert (entry[b"outcome"], entry[b"reason"], entry[b"parts"]) == (b"parked", b"refused", b"[]")


def fill_journal(desk: RedisDesk, entries: int) -> str:
    """Of ann's shard; ids are 1-0, 2-0, …"""
    journal = desk.keys.home(conversation()).journal
    for start in range(1, entries + 1, 1000):
        desk.store.commands([("XADD", journal, f"{n}-0", "n", n) for n in range(start, start + 1000)])
    return journal


def end_a_turn(desk: RedisDesk) -> None:
    offer(desk.inbox(), "m1")
    answer(desk.inbox(), claim_one(desk.inbox()))


def test_a_journal_that_nobody_reads_keeps_ten_thousand_entries(desk: RedisDesk) -> None:
    journal = fill_journal(desk, 11_000)
    end_a_turn(desk)
    assert desk.store.command("XLEN", journal) == 10_000


def test_a_journal_is_trimmed_only_behind_its_slowest_reader(desk: RedisDesk) -> None:
    journal = fill_journal(desk, 12_000)
    desk.store.command("XGROUP", "CREATE", journal, "records", "11000-0")
    desk.store.command("XGROUP", "CREATE", journal, "audit", "0")
    desk.store.command("XREADGROUP", "GROUP", "audit", "one", "COUNT", 700, "STREAMS", journal, ">")
    desk.store.command("XACK", journal, "audit", *(f"{n}-0" for n in range(1, 601)))
    end_a_turn(desk)
    [[oldest, _]] = desk.store.command("XRANGE", journal, "-", "+", "COUNT", 1)
    assert 400 <= int(oldest.partition(b"-")[0]) <= 601  # whole nodes of the stream only


def test_a_journal_whose_reader_read_nothing_is_kept(desk: RedisDesk) -> None:
    journal = fill_journal(desk, 12_000)
    desk.store.command("XGROUP", "CREATE", journal, "audit", "0")
    end_a_turn(desk)
    assert desk.store.command("XLEN", journal) == 12_001


def test_consumers_that_left_are_forgotten_unless_they_hold_something(desk: RedisDesk) -> None:
    gone, dead = desk.inbox("gone"), desk.inbox("dead")
    offer(gone, "m1")
    answer(gone, claim_one(gone))
    offer(dead, "m2")
    held = take_one(dead)
    desk.pass_time(timedelta(milliseconds=5))
    calls = [Call(TIDY, [shard.ready], [0]) for shard in desk.keys.shards]
    assert sum(desk.store.run_all(calls)) > 0
    left = [desk.store.command("XINFO", "CONSUMERS", shard.ready, "workers") for shard in desk.keys.shards]
    assert [pairs(consumer)[b"name"] for consumers in left for consumer in consumers] == [b"dead"]
    assert dead.claim(held) is not None


def test_a_ticket_that_was_handed_back_is_taken_by_another(desk: RedisDesk) -> None:
    one, two = desk.inbox("one"), desk.inbox("two")
    offer(one, "m1")
    ticket = take_one(one)
    shard, name = desk.keys.home(ticket.conversation), ticket.conversation.key
    for expected in (1, 0):
        keys, args = [shard.turn(name), shard.ready], [ticket.entry, "one", name]
        assert desk.store.run(HAND_BACK, keys, args) == expected
    assert one.claim(ticket) is None
    assert names(claim_one(two).messages) == ["m1"]


def test_anothers_ticket_cannot_be_handed_back(desk: RedisDesk) -> None:
    inbox = desk.inbox("two")
    offer(inbox, "m1")
    ticket = take_one(inbox)
    shard, name = desk.keys.home(ticket.conversation), ticket.conversation.key
    assert desk.store.run(HAND_BACK, [shard.turn(name), shard.ready], [ticket.entry, "one", name]) == 0
    assert inbox.claim(ticket) is not None


def test_a_ticket_that_is_not_due_is_not_woken(desk: RedisDesk) -> None:
    """It may have been postponed again between the look and the script."""
    inbox = desk.inbox()
    offer(inbox, "m1")
    inbox.postpone(claim_one(inbox).lease, timedelta(minutes=1), reason="busy")
    shard, name = desk.keys.home(conversation()), conversation().key
    assert desk.store.run(WAKE, [shard.later, shard.ready, shard.turn(name)], [name]) == 0
    assert inbox.depths().later == 1


def test_dead_letters_of_all_shards_are_one_list(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    for number in range(40):
        parked(inbox, f"m{number}", peer=f"peer{number}")
    ids, before = [], ""
    while page := inbox.dead_letters(most=7, before=before):
        ids += [letter.id for letter in page]
        before = page[-1].id
    assert len(ids) == len(set(ids)) == 40
    assert ids == sorted(
        ids, key=lambda name: [int(part) for part in name.replace("-", ".").split(".")], reverse=True
    )
