"""Every command may run while its answer is lost. The effect must be there once, whatever the caller does next."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from adapters.values import Token
from sessions.alarms import RedisAlarms
from sessions.codec import dump_message
from sessions.errors import LeaseLost, StoreDown
from sessions.growth import RedisGrowth
from sessions.inbox import PartState, Verdict
from sessions.leader import Leader
from sessions.scripts import ALL, REDRIVE
from sessions.store import RedisStore
from sessions.tokens import RedisTokenStore
from tests.contracts.inbox_kit import (
    AT_ONCE,
    HORIZON,
    SHORT,
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
from tests.contracts.schedule import remind
from tests.sessions.desks import RedisDesk
from tests.sessions.proxy import Proxy

Lossy = tuple[RedisDesk, Callable[[Callable[[], object]], None]]


@pytest.fixture
def proxy(redis_server: str, redis_store: RedisStore) -> Iterator[Proxy]:
    with Proxy(Path(urlsplit(redis_server).path)) as proxy:
        yield proxy


@pytest.fixture
def lossy(proxy: Proxy, redis_store: RedisStore) -> Iterator[Lossy]:
    """A desk behind the proxy, and a way to make a call whose answer is lost."""
    store = RedisStore.open(proxy.url, patience=timedelta(seconds=5), connections=1)
    for script in ALL:  # else the answer that is lost might be the one that asks for the script
        store.command("SCRIPT", "LOAD", script.text)

    def losing(call: Callable[[], object]) -> None:
        store.ping()  # connected, so that the answer that is lost is the call's
        before = proxy.lost
        proxy.lose_next_answer()
        with pytest.raises(StoreDown):
            call()
        assert proxy.lost == before + 1

    with closing(store):
        desk = RedisDesk(store)
        yield desk, losing
        assert_invariant(desk)


def test_the_clients_own_retries_would_double(proxy: Proxy, redis_store: RedisStore) -> None:
    """The control: what redis-py does by itself."""
    with closing(Redis(port=urlsplit(proxy.url).port or 0)) as client:
        client.ping()
        proxy.lose_next_answer()
        client.rpush("list", "once")
        assert client.llen("list") == 2


def test_our_client_does_not_retry(lossy: Lossy) -> None:
    desk, losing = lossy
    losing(lambda: desk.store.command("RPUSH", "list", "once"))
    assert desk.store.command("LLEN", "list") == 1


def test_accept(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    losing(lambda: inbox.accept([message("m1")], horizon=HORIZON))
    assert list(inbox.accept([message("m1")], horizon=HORIZON)) == [Verdict.DUPLICATE]
    assert (desk.mailboxes(), list(desk.tickets())) == ({conversation(): 1}, [conversation()])


def test_accept_of_several_conversations(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    batch = [message(f"m{number}", f"peer{number}") for number in range(20)]
    losing(lambda: inbox.accept(batch, horizon=HORIZON))
    again = inbox.accept(batch, horizon=HORIZON)
    assert Verdict.DUPLICATE in again  # those that ran before the connection was cut
    assert Verdict.FULL not in again
    assert set(desk.mailboxes().values()) == {1}


def test_take(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox(lease=SHORT)
    assert list(inbox.take(100, wait=AT_ONCE)) == []
    offer(inbox, "m1")
    losing(lambda: inbox.take(100, wait=timedelta(milliseconds=50)))
    desk.pass_time(SHORT * 2)
    assert names(claim_one(inbox).messages) == ["m1"]


def test_claim(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    offer(inbox, "m1")
    ticket = take_one(inbox)
    losing(lambda: inbox.claim(ticket))
    turn = inbox.claim(ticket)
    assert turn is not None
    answer(inbox, turn)


def test_commit(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    offer(inbox, "m1")
    turn = claim_one(inbox)
    losing(lambda: inbox.commit(turn, stored(turn), exchange(turn)))
    answer(inbox, turn)
    offer(inbox, "m2")
    assert list(claim_one(inbox).conversation.history) == exchange(turn)


def test_commit_that_gathers(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    offer(inbox, "m1")
    turn = claim_one(inbox)
    offer(inbox, "m2")
    losing(lambda: inbox.commit(turn, stored(turn), exchange(turn)))
    inbox.postpone(turn.lease, AT_ONCE, reason="store_down")
    assert names(claim_one(inbox).messages) == ["m1", "m2"]


def test_record(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox(lease=SHORT)
    offer(inbox, "m1")
    turn = claim_one(inbox)
    inbox.commit(turn, stored(turn), exchange(turn))
    losing(lambda: inbox.record(turn.lease, 0, record(PartState.SENDING, sends=1)))
    desk.pass_time(SHORT * 2)
    again = claim_one(inbox)
    assert again.stored is not None
    assert again.stored.records == (record(PartState.SENDING, sends=1),)


def test_settle(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    offer(inbox, "m1")
    turn = claim_one(inbox)
    offer(inbox, "m2")
    losing(lambda: inbox.settle(turn.lease, outcome="replied"))
    with pytest.raises(LeaseLost):
        inbox.settle(turn.lease, outcome="replied")
    assert names(claim_one(inbox).messages) == ["m2"]
    assert len(desk.journal()) == 1


def test_postpone_and_wake(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    offer(inbox, "m1")
    turn = claim_one(inbox)
    losing(lambda: inbox.postpone(turn.lease, SHORT, reason="busy"))
    with pytest.raises(LeaseLost):
        inbox.postpone(turn.lease, SHORT, reason="busy")
    assert inbox.depths().later == 1
    desk.pass_time(SHORT * 2)
    losing(inbox.wake)
    inbox.wake()
    assert names(claim_one(inbox).messages) == ["m1"]


def test_schedule_and_wake(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    losing(lambda: remind(desk, after=SHORT))
    assert remind(desk, after=SHORT) is False
    desk.pass_time(SHORT * 2)
    losing(inbox.wake)
    inbox.wake()
    assert names(claim_one(inbox).messages) == ["r1"]


def test_unschedule(lossy: Lossy) -> None:
    desk, losing = lossy
    remind(desk, after=SHORT)
    losing(lambda: desk.schedule().unschedule(conversation(), "r1"))
    assert desk.schedule().unschedule(conversation(), "r1") is False
    assert remind(desk, after=SHORT) is False
    assert desk.inbox().depths().reminders == 0


def test_park_and_redrive(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    offer(inbox, "m1")
    turn = claim_one(inbox)
    losing(lambda: inbox.park(turn.lease, reason="refused"))
    with pytest.raises(LeaseLost):
        inbox.park(turn.lease, reason="refused")
    [letter] = inbox.dead_letters()
    losing(lambda: inbox.dead_letter(letter.id))
    shard = desk.keys.home(letter.conversation)
    name, entry = letter.conversation.key, letter.id.partition(".")[0]
    keys = [shard.dead, shard.turn(name), shard.ready, shard.mail(name)]
    losing(lambda: desk.store.run(REDRIVE, keys, [entry, name, dump_message(letter.messages[0])]))
    assert inbox.redrive(letter.id) is False
    assert names(claim_one(inbox).messages) == ["m1"]


def test_renew(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    offer(inbox, "m1")
    turn = claim_one(inbox)
    losing(lambda: inbox.renew([turn.lease]))
    assert list(inbox.renew([turn.lease])) == []


def test_observe(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    losing(lambda: inbox.observe(status("key", "wamid.1")))
    inbox.observe(status("key", "wamid.1"))
    assert inbox.observed("key") == "wamid.1"


def test_accept_of_a_page(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    page = [message(f"m{number}", f"peer{number}") for number in range(20)]
    losing(lambda: inbox.accept(page, horizon=HORIZON, bookmark=("kf", "2")))
    assert inbox.bookmark("kf") == "2"
    assert set(inbox.accept(page, horizon=HORIZON, bookmark=("kf", "2"))) == {Verdict.DUPLICATE}
    assert set(desk.mailboxes().values()) == {1}


def test_settle_with_what_is_to_be_remembered(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox = desk.inbox()
    offer(inbox, "m1")
    turn = claim_one(inbox)
    said = exchange(turn)[:-1]
    losing(lambda: inbox.settle(turn.lease, outcome="human_owns", exchange=said))
    with pytest.raises(LeaseLost):
        inbox.settle(turn.lease, outcome="human_owns", exchange=said)
    offer(inbox, "m2")
    assert list(claim_one(inbox).conversation.history) == said


def test_pause_adopt_and_resume(lossy: Lossy) -> None:
    desk, losing = lossy
    inbox, ann, bob = desk.inbox(), conversation("ann"), conversation("bob")
    offer(inbox, "m1")
    first = claim_one(inbox)
    answer(inbox, first)
    losing(lambda: inbox.pause(ann, for_=timedelta(hours=1)))
    losing(lambda: inbox.adopt(ann, bob))
    inbox.adopt(ann, bob)
    offer(inbox, "m2", peer="bob")
    turn = claim_one(inbox)
    assert (turn.paused, list(turn.conversation.history)) == (True, exchange(first))
    losing(lambda: inbox.resume(bob))
    inbox.postpone(turn.lease, AT_ONCE, reason="busy")
    assert claim_one(inbox).paused is False


def test_a_leader(lossy: Lossy) -> None:
    desk, losing = lossy
    one, two = Leader(desk.store, "socket"), Leader(desk.store, "socket")
    losing(one.acquire)
    assert (two.acquire(), one.acquire()) == (False, True)
    losing(one.renew)
    assert one.renew() is True
    losing(one.release)
    one.release()
    assert two.acquire() is True


def test_alarms(lossy: Lossy) -> None:
    desk, losing = lossy
    alarms = RedisAlarms(desk.store)
    losing(lambda: alarms.raise_("shop", "blocked", probe_after=timedelta(milliseconds=1)))
    desk.pass_time(timedelta(milliseconds=2))
    losing(lambda: alarms.may_try("shop"))  # the try that this one had is nobody's; the next is as soon as any
    desk.pass_time(timedelta(milliseconds=2))
    assert alarms.may_try("shop") == AT_ONCE
    losing(lambda: alarms.clear("shop"))
    assert (alarms.clear("shop"), dict(alarms.current())) == (False, {})


def test_an_answer_that_grows(lossy: Lossy) -> None:
    desk, losing = lossy
    growth = RedisGrowth(desk.store)
    losing(lambda: growth.open("s1", "first"))
    assert growth.open("s1", "second").text == "first"
    losing(lambda: growth.grow("s1", "done", finished=True))
    assert growth.grow("s1", "other", finished=True) is False
    found = growth.read("s1")
    assert found is not None
    assert (found.text, found.finished) == ("done", True)


def test_a_swapped_token(lossy: Lossy) -> None:
    desk, losing = lossy
    tokens = RedisTokenStore(desk.store)
    first = Token(value="first", expires_at=datetime.now(UTC))
    losing(lambda: tokens.swap("shop", stale=None, fresh=first))
    assert not tokens.swap("shop", stale=None, fresh=Token(value="second", expires_at=first.expires_at))
    assert tokens.load("shop") == first
