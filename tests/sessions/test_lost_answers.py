"""Every command may run while its answer is lost. The effect must be there once, whatever the caller does next."""

from contextlib import closing
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from redis import Redis

from sessions.codec import dump_message
from sessions.errors import LeaseLost
from sessions.inbox import PartState, Verdict
from sessions.scripts import REDRIVE
from sessions.store import RedisStore
from tests.contracts.inbox_kit import (
    AT_ONCE,
    HORIZON,
    SHORT,
    answer,
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
from tests.sessions.desks import Lossy
from tests.sessions.proxy import Proxy


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
