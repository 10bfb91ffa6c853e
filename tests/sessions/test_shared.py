"""What all processes share keeps its contracts, in Redis and in memory, and what only Redis can show."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.growth import Growth, MemoryGrowth
from adapters.meter import MemoryMeter, Meter
from adapters.throttle import MemoryThrottle, Throttle
from sessions.alarms import Alarms, MemoryAlarms, RedisAlarms
from sessions.embedded import EmbeddedRedis
from sessions.errors import StoreDown
from sessions.growth import RedisGrowth
from sessions.leader import Leader, Leadership, MemoryLeader
from sessions.limits import GROWN_FOR, METERED_FOR
from sessions.memory_state import Memory
from sessions.meter import RedisMeter
from sessions.store import RedisStore
from sessions.throttle import RedisThrottle
from tests.contracts.alarms import AlarmsContract
from tests.contracts.growth import GrowthContract
from tests.contracts.leader import LONG, Candidates, LeaderContract
from tests.contracts.meter import NOVEMBER, MeterContract
from tests.contracts.throttle import ThrottleContract, bucket
from tests.sessions.clocks import Clock, sleep
from tests.sessions.proxy import Proxy
from tests.sessions.wire import commands

PassTime = Callable[[timedelta], None]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def other_store(redis_server: str, redis_store: RedisStore) -> Iterator[RedisStore]:
    """Another process's way to the same Redis."""
    with closing(RedisStore.open(redis_server, patience=timedelta(seconds=5), connections=32)) as second:
        yield second


class _Twins:
    @pytest.fixture
    def pass_time(self, clock: Clock) -> PassTime:
        return clock.move


class _Servers:
    @pytest.fixture
    def pass_time(self) -> PassTime:
        return sleep


class TestMemoryThrottle(_Twins, ThrottleContract):
    @pytest.fixture
    def throttle(self, clock: Clock) -> Throttle:
        return MemoryThrottle(clock)


class TestRedisThrottle(_Servers, ThrottleContract):
    @pytest.fixture
    def throttle(self, redis_store: RedisStore) -> Throttle:
        return RedisThrottle(redis_store)

    @pytest.fixture
    def other(self, other_store: RedisStore) -> Throttle:
        return RedisThrottle(other_store)


class TestMemoryMeter(MeterContract):
    @pytest.fixture
    def meter(self) -> Meter:
        return MemoryMeter()


class TestRedisMeter(MeterContract):
    @pytest.fixture
    def meter(self, redis_store: RedisStore) -> Meter:
        return RedisMeter(redis_store)

    @pytest.fixture
    def other(self, other_store: RedisStore) -> Meter:
        return RedisMeter(other_store)


class TestMemoryGrowth(GrowthContract):
    @pytest.fixture
    def growth(self) -> Growth:
        return MemoryGrowth()


class TestRedisGrowth(GrowthContract):
    @pytest.fixture
    def growth(self, redis_store: RedisStore) -> Growth:
        return RedisGrowth(redis_store)

    @pytest.fixture
    def other(self, other_store: RedisStore) -> Growth:
        return RedisGrowth(other_store)


class TestMemoryLeader(_Twins, LeaderContract):
    @pytest.fixture
    def candidate(self, clock: Clock) -> Candidates:
        memory = Memory(clock=clock)

        def make(name: str = "socket", lease: timedelta = LONG) -> Leadership:
            return MemoryLeader(memory, name, lease)

        return make


class TestRedisLeader(_Servers, LeaderContract):
    @pytest.fixture
    def candidate(self, redis_store: RedisStore) -> Candidates:
        def make(name: str = "socket", lease: timedelta = LONG) -> Leadership:
            return Leader(redis_store, name, lease)

        return make


class TestMemoryAlarms(_Twins, AlarmsContract):
    @pytest.fixture
    def alarms(self, clock: Clock) -> Alarms:
        return MemoryAlarms(Memory(clock=clock))


class TestRedisAlarms(_Servers, AlarmsContract):
    @pytest.fixture
    def alarms(self, redis_store: RedisStore) -> Alarms:
        return RedisAlarms(redis_store)

    @pytest.fixture
    def other(self, other_store: RedisStore) -> Alarms:
        return RedisAlarms(other_store)


def left(store: RedisStore, pattern: str) -> timedelta:
    """For how long yet the one key of *pattern* is kept."""
    [name] = store.command("KEYS", pattern)
    return timedelta(milliseconds=store.command("PTTL", name))


def test_a_bucket_is_forgotten_when_it_is_full(redis_store: RedisStore) -> None:
    throttle, slow = RedisThrottle(redis_store), bucket(every=timedelta(minutes=1), burst=5)
    throttle.take([slow])
    assert timedelta(seconds=59) < left(redis_store, "fd:{*}:bucket:*") <= timedelta(minutes=1)
    throttle.take([slow])
    assert timedelta(seconds=119) < left(redis_store, "fd:{*}:bucket:*") <= timedelta(minutes=2)


def test_a_bucket_that_is_soon_full_again_does_not_wait_for_the_disk(redis_store: RedisStore) -> None:
    throttle, quick = RedisThrottle(redis_store), bucket(every=timedelta(seconds=6), burst=45)
    assert written(redis_store, lambda: [throttle.take([quick]) for _ in range(9)]) == 0
    assert written(redis_store, lambda: [throttle.take([quick]) for _ in range(3)]) > 0


def written(store: RedisStore, change: Callable[[], object]) -> int:
    """How many bytes *change* adds to the append-only file."""

    def size() -> int:
        found: bytes = store.command("INFO", "persistence")
        return int(found.partition(b"aof_current_size:")[2].split(maxsplit=1)[0])

    before = size()
    change()
    return size() - before


def test_a_throttle_and_a_look_at_a_growing_answer_are_one_round_trip(
    redis_server: str, redis_store: RedisStore
) -> None:
    with Proxy(Path(urlsplit(redis_server).path)) as proxy:
        with closing(RedisStore.open(proxy.url, patience=timedelta(seconds=5), connections=1)) as store:
            throttle, growth, buckets = RedisThrottle(store), RedisGrowth(store), [bucket("a"), bucket("b")]
            throttle.take(buckets)
            growth.open("s1")
            before = len(proxy.sent)
            throttle.take(buckets)
            growth.read("s1")
        assert [command[0] for command in commands(proxy.sent[before:])] == [b"EVALSHA", b"HMGET"]


def test_an_answer_that_grows_can_be_read_for_an_hour(redis_store: RedisStore) -> None:
    growth = RedisGrowth(redis_store)
    growth.open("s1")
    growth.grow("s1", "hello")
    assert GROWN_FOR - timedelta(minutes=1) < left(redis_store, "fd:{*}:growth:*") <= GROWN_FOR


def test_what_is_shared_survives_the_server_being_killed(tmp_path: Path) -> None:
    server, hour = EmbeddedRedis(tmp_path), timedelta(hours=1)
    try:
        with closing(RedisStore.open(server.start(), patience=timedelta(seconds=5), connections=2)) as store:
            one, two = Leader(store, "socket", hour), Leader(store, "socket", hour)
            alarms, growth, throttle = RedisAlarms(store), RedisGrowth(store), RedisThrottle(store)
            one.acquire()
            alarms.raise_("shop", "blocked", probe_after=hour)
            before = alarms.current()
            growth.open("s1")
            growth.grow("s1", "hello", finished=True)
            throttle.take([bucket(every=hour)])
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            while server.alive():
                time.sleep(0.01)
            for call in (one.renew, alarms.current, lambda: growth.read("s1")):
                with pytest.raises(StoreDown):
                    call()
            server.start()
            assert (two.acquire(), one.renew(), alarms.current()) == (False, True, before)
            assert growth.grow("s1", "other") is False
            assert throttle.take([bucket(every=hour)]) > timedelta()
    finally:
        server.stop()


def test_a_months_counts_are_kept_for_some_months(redis_store: RedisStore) -> None:
    RedisMeter(redis_store).add("shop", "sent", month=NOVEMBER)
    assert METERED_FOR - timedelta(minutes=1) < left(redis_store, "fd:{*}:meter:*") <= METERED_FOR


def test_the_twins_answer_is_gone_after_an_hour(clock: Clock) -> None:
    growth = MemoryGrowth(clock)
    growth.open("s1")
    clock.move(GROWN_FOR - timedelta(minutes=1))
    assert growth.grow("s1", "hello")
    clock.move(timedelta(minutes=1))
    assert growth.read("s1") is None
    assert growth.grow("s1", "late") is False
    assert growth.open("s1", "anew").text == "anew"


def test_a_twin_does_not_keep_what_is_over(clock: Clock) -> None:
    growth, throttle = MemoryGrowth(clock), MemoryThrottle(clock)
    for number in range(100):
        growth.open(f"s{number}")
        throttle.take([bucket(f"b{number}")])
        clock.move(timedelta(hours=2))
    assert len(growth._answers) == len(throttle._full_at) == 1
