"""A history in which every method of the inbox, the schedule and the token store is called."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from adapters.shared import Bucket
from adapters.values import Token
from sessions.alarms import RedisAlarms
from sessions.growth import RedisGrowth
from sessions.inbox import PartState
from sessions.leader import Leader
from sessions.meter import RedisMeter
from sessions.relay import RedisRelay
from sessions.scripts import HAND_BACK, Call
from sessions.store import RedisStore
from sessions.throttle import RedisThrottle
from sessions.tokens import RedisTokenStore
from tests.contracts.inbox_kit import (
    AT_ONCE,
    HORIZON,
    answer,
    claim_one,
    conversation,
    exchange,
    message,
    offer,
    record,
    status,
    stored,
    take_one,
)
from tests.sessions.desks import RedisDesk


def play_every_call(url: str) -> None:
    """Over two connections, one of them for blocking reads."""
    with closing(RedisStore.open(url, patience=timedelta(seconds=5), connections=1)) as store:
        desk = RedisDesk(store)
        inbox = desk.inbox()
        inbox.accept([message(f"m{n}", f"peer{n}") for n in range(20)], horizon=HORIZON)
        turns = [claim_one(inbox) for _ in range(20)]
        inbox.renew([turn.lease for turn in turns])
        for turn in turns[:10]:
            inbox.commit(turn, stored(turn), exchange(turn))
            inbox.record(turn.lease, 0, record(PartState.SENDING))
            inbox.postpone(turn.lease, timedelta(milliseconds=1), reason="busy")
        for turn in turns[10:19]:
            answer(inbox, turn)
        inbox.park(turns[19].lease, reason="refused")
        inbox.redrive(inbox.dead_letters()[0].id)
        schedule = desk.schedule()
        for number in range(3):
            schedule.schedule(message(f"r{number}", f"peer{number}"), due=datetime.now(UTC), name="r")
        schedule.unschedule(conversation("peer0"), "r")
        desk.pass_time(timedelta(milliseconds=5))
        inbox.wake()
        inbox.take(100, wait=AT_ONCE)
        offer(inbox, "last", peer="last")
        ticket = take_one(inbox)
        shard = desk.keys.home(ticket.conversation)
        name = ticket.conversation.key
        store.run_all([Call(HAND_BACK, [shard.turn(name), shard.ready], [ticket.entry, "one", name])])
        page = [message(f"p{n}", f"peer{n}") for n in range(20)]
        inbox.accept(page, horizon=HORIZON, bookmark=("pages", "2"))
        inbox.bookmark("pages")
        inbox.pause(conversation("peer1"), for_=timedelta(seconds=1))
        inbox.adopt(conversation("peer1"), conversation("peer2"))
        inbox.resume(conversation("peer2"))
        inbox.observe(status("key", "wamid.1"))
        inbox.observed("key")
        inbox.depths()
        RedisThrottle(store).take([Bucket(name="b", every=timedelta(seconds=1), burst=1)])
        RedisMeter(store).add("shop", "sent", month="2026-11")
        RedisGrowth(store).open("stream")
        RedisGrowth(store).grow("stream", "hello")
        leader = Leader(store, "socket")
        leader.acquire()
        leader.renew()
        leader.release()
        alarms = RedisAlarms(store)
        alarms.raise_("shop", "blocked", probe_after=timedelta(minutes=1))
        alarms.may_try("shop")
        alarms.clear("shop")
        relay = RedisRelay(store)
        relay.take("shop", wait=AT_ONCE)
        relay.ask("shop", "{}", wait=timedelta(milliseconds=1))
        relay.tell("shop", "{}")
        told = relay.take("shop", wait=AT_ONCE)
        assert told is not None
        relay.answer(replace(told, awaited=True), "{}")
        tokens = RedisTokenStore(store)
        with tokens.turnstile("shop", wait=AT_ONCE):
            tokens.swap("shop", stale=None, fresh=Token(value="x", expires_at=datetime.now(UTC)))
