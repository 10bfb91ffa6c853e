"""The schedules keep the contract, and what only each of them can show."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sessions.embedded import EmbeddedRedis
from sessions.engine import RedisInbox
from sessions.errors import StoreDown
from sessions.limits import NAME_TAKEN_FOR
from sessions.schedule import RedisSchedule
from sessions.scripts import REMIND
from sessions.store import RedisStore
from tests.contracts.inbox_kit import (
    Desk,
    answer,
    assert_invariant,
    claim_one,
    conversation,
    names,
)
from tests.contracts.schedule import HOUR, ScheduleContract, remind, reminder
from tests.sessions.desks import MemoryDesk, RedisDesk


class TestMemorySchedule(ScheduleContract):
    def make_desk(self, request: pytest.FixtureRequest) -> Desk:
        return MemoryDesk()


class TestRedisSchedule(ScheduleContract):
    def make_desk(self, request: pytest.FixtureRequest) -> Desk:
        store: RedisStore = request.getfixturevalue("redis_store")
        return RedisDesk(store)


class TestRedisScheduleOnTheWheelsServer(ScheduleContract):
    def make_desk(self, request: pytest.FixtureRequest) -> Desk:
        store: RedisStore = request.getfixturevalue("wheels_store")
        return RedisDesk(store)


@pytest.fixture
def desk(redis_store: RedisStore) -> Iterator[RedisDesk]:
    desk = RedisDesk(redis_store)
    yield desk
    assert_invariant(desk)


@pytest.mark.parametrize("comes", [True, False])
def test_a_name_is_free_again_a_day_after_it_came_or_was_called_off(comes: bool) -> None:
    desk = MemoryDesk()
    inbox = desk.inbox()
    remind(desk, after=HOUR)
    if comes:
        desk.pass_time(HOUR)
        inbox.wake()
    else:
        desk.schedule().unschedule(conversation(), "r1")
    desk.pass_time(NAME_TAKEN_FOR - HOUR / 60)
    assert remind(desk) is False
    desk.pass_time(HOUR)
    assert remind(desk) is True


@pytest.mark.parametrize("comes", [True, False])
def test_a_taken_name_is_forgotten_after_a_day(desk: RedisDesk, comes: bool) -> None:
    remind(desk, after=-HOUR)
    if comes:
        desk.inbox().wake()
    else:
        desk.schedule().unschedule(conversation(), "r1")
    [name] = desk.store.command("KEYS", "fd:{*}:seen:*")
    left = timedelta(milliseconds=desk.store.command("PTTL", name))
    assert NAME_TAKEN_FOR - timedelta(minutes=1) < left <= NAME_TAKEN_FOR


def test_nothing_of_a_reminder_that_was_answered_stays_for_ever(desk: RedisDesk) -> None:
    inbox = desk.inbox()
    remind(desk, after=-HOUR)
    inbox.wake()
    answer(inbox, claim_one(inbox))
    shared = {name for shard in desk.keys.shards for name in (shard.ready, shard.journal)}
    for name in desk.store.command("KEYS", "*"):
        assert name.decode() in shared or desk.store.command("TTL", name) > 0


def test_a_reminder_that_is_not_due_is_not_moved(desk: RedisDesk) -> None:
    """It may have been called off and set anew between the look and the script."""
    remind(desk, after=HOUR)
    shard, name = desk.keys.home(conversation()), conversation().key
    [member] = desk.store.command("ZRANGE", shard.later, 0, -1)
    keys = [shard.later, shard.reminders, shard.ready, shard.turn(name), shard.mail(name), shard.seen("x")]
    assert desk.store.run(REMIND, keys, [1000, member, name]) == 0
    assert desk.inbox().depths().reminders == 1


def test_a_reminder_whose_message_is_gone_is_dropped(desk: RedisDesk) -> None:
    """Whoever deletes keys by hand does not stop the queue."""
    remind(desk, after=-HOUR)
    desk.store.command("DEL", desk.keys.home(conversation()).reminders)
    desk.inbox().wake()
    assert desk.store.command("ZCARD", desk.keys.home(conversation()).later) == 0
    assert (desk.mailboxes(), list(desk.tickets())) == ({}, [])


def test_a_time_is_rounded_up_to_the_millisecond(desk: RedisDesk) -> None:
    """So that no reminder comes before its time."""
    desk.schedule().schedule(reminder(), due=datetime(1970, 1, 1, 0, 0, 0, 5001, tzinfo=UTC), name="r1")
    assert desk.store.command("ZRANGE", desk.keys.home(conversation()).later, 0, -1, "WITHSCORES")[1] == b"6"


def test_a_schedule_and_an_inbox_find_each_other_as_they_are_shipped(redis_store: RedisStore) -> None:
    inbox, schedule = RedisInbox(redis_store, consumer="one"), RedisSchedule(redis_store)
    for number in range(40):
        schedule.schedule(reminder(f"r{number}", f"peer{number}"), due=datetime.now(UTC), name="r")
    time.sleep(0.01)
    inbox.wake()
    assert inbox.depths().ready == 40


def test_a_store_that_is_down_is_said_so(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path, fsync="no")
    with closing(RedisStore.open(server.start(), patience=timedelta(seconds=1), connections=2)) as store:
        schedule = RedisSchedule(store)
        server.stop()
        with pytest.raises(StoreDown):
            schedule.schedule(reminder(), due=datetime.now(UTC), name="r1")
        with pytest.raises(StoreDown):
            schedule.unschedule(conversation(), "r1")


def test_reminders_survive_the_server_being_killed(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    try:
        with closing(RedisStore.open(server.start(), patience=timedelta(seconds=5), connections=2)) as store:
            desk = RedisDesk(store)
            inbox = desk.inbox()
            remind(desk, "r1", after=HOUR)
            remind(desk, "r2", "bob", after=-HOUR)
            remind(desk, "r3", "cid", after=HOUR)
            desk.schedule().unschedule(conversation("cid"), "r3")
            kill(server)
            server.start()
            assert [remind(desk, name, peer) for name, peer in (("r1", "ann"), ("r3", "cid"))] == [False, False]
            inbox.wake()
            kill(server)  # what has come is in the mailbox, and comes no second time
            server.start()
            inbox.wake()
            assert names(claim_one(inbox).messages) == ["r2"]
            assert (inbox.depths().reminders, desk.mailboxes()) == (1, {conversation("bob"): 1})
    finally:
        server.stop()


def kill(server: EmbeddedRedis) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.alive():
        time.sleep(0.01)
