"""The relays keep the contract, and what only Redis can show."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.relay import FRESH, MemoryRelay, NobodyConnected, Relay
from adapters.shared import Errand
from sessions.embedded import EmbeddedRedis
from sessions.relay import RedisRelay
from sessions.store import RedisStore
from tests.contracts.relay import NOTHING, SHORT, SOON, RelayContract, connected, taken
from tests.sessions.clocks import Clock, sleep

PassTime = Callable[[timedelta], None]
BRIEF = timedelta(milliseconds=600)


class TestMemoryRelay(RelayContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def relay(self, clock: Clock) -> Relay:
        return MemoryRelay(clock)

    @pytest.fixture
    def fresh(self) -> timedelta:
        return FRESH

    @pytest.fixture
    def pass_time(self, clock: Clock) -> PassTime:
        return clock.move


@pytest.fixture
def other_store(redis_server: str, redis_store: RedisStore) -> Iterator[RedisStore]:
    with closing(RedisStore.open(redis_server, patience=timedelta(seconds=5), connections=4)) as second:
        yield second


class TestRedisRelay(RelayContract):
    @pytest.fixture
    def relay(self, other_store: RedisStore) -> Relay:
        return RedisRelay(other_store, fresh=BRIEF)

    @pytest.fixture
    def holder(self, redis_store: RedisStore) -> Relay:
        return RedisRelay(redis_store, fresh=BRIEF)

    @pytest.fixture
    def fresh(self) -> timedelta:
        return BRIEF

    @pytest.fixture
    def pass_time(self) -> PassTime:
        return sleep


class TestRedisRelayOnTheWheelsServer(TestRedisRelay):
    @pytest.fixture
    def relay(self, wheels_store: RedisStore) -> Relay:
        return RedisRelay(wheels_store, fresh=BRIEF)

    @pytest.fixture
    def holder(self, wheels_store: RedisStore) -> Relay:
        return RedisRelay(wheels_store, fresh=BRIEF)


def test_a_connection_that_waits_counts_as_up(redis_store: RedisStore) -> None:
    holder, relay = RedisRelay(redis_store, fresh=BRIEF), RedisRelay(redis_store, fresh=BRIEF)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(holder.take, "shop", wait=3 * BRIEF)
        sleep(2 * BRIEF)
        assert relay.tell("shop", "hello") is True
        errand = waiting.result()
    assert errand is not None


def test_however_many_ask_one_connection_waits(redis_store: RedisStore, redis_server: str) -> None:
    with closing(RedisStore.open(redis_server, patience=timedelta(seconds=5), connections=2)) as store:
        relay, holder = RedisRelay(store), RedisRelay(redis_store)
        holder.take("shop", wait=NOTHING)
        with ThreadPoolExecutor(60) as pool:
            asked = [pool.submit(relay.ask, "shop", str(number), wait=SOON) for number in range(60)]
            errands = [taken(holder) for _ in asked]
            assert blocked_clients(redis_store) == 1
            store.ping()
            for errand in errands:
                holder.answer(errand, errand.frame)
            assert [answer.result() for answer in asked] == [str(number) for number in range(60)]
        assert blocked_clients(redis_store) == 0


def test_two_processes_get_their_own_answers(redis_store: RedisStore) -> None:
    holder, one, two = (RedisRelay(redis_store) for _ in range(3))
    with connected(holder), ThreadPoolExecutor(20) as pool:
        asked = [pool.submit((one, two)[n % 2].ask, "shop", f"frame {n}", wait=SOON) for n in range(100)]
        assert [answer.result() for answer in asked] == [f"FRAME {n}" for n in range(100)]


def test_what_nobody_comes_for_leaves_nothing_behind(redis_store: RedisStore) -> None:
    holder, relay = RedisRelay(redis_store, fresh=SHORT), RedisRelay(redis_store, fresh=SHORT)
    holder.take("shop", wait=NOTHING)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(relay.ask, "shop", "hello", wait=SHORT)
        errand = taken(holder)
        for _ in range(5):
            relay.tell("shop", "hello")
        assert asked.result() is None
    holder.answer(errand, "too late")
    holder.take("shop", wait=NOTHING)
    relay.ask("shop", "hello", wait=timedelta(milliseconds=1))
    sleep(SHORT)
    assert redis_store.command("KEYS", "*") == []


def test_an_answer_that_nobody_reads_expires(redis_store: RedisStore) -> None:
    """Whoever asked was killed."""
    until = datetime.now(UTC) + SOON
    RedisRelay(redis_store).answer(Errand(id="killed.1", frame="hello", awaited=True, until=until), "hello")
    [name] = redis_store.command("KEYS", "*")
    assert timedelta() < timedelta(milliseconds=redis_store.command("PTTL", name)) <= SOON


def test_a_store_that_is_down_is_as_if_nobody_heard(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path, fsync="no")
    with closing(RedisStore.open(server.start(), patience=timedelta(seconds=1), connections=2)) as store:
        relay = RedisRelay(store)
        relay.take("shop", wait=NOTHING)
        relay.tell("shop", "hello")
        errand = taken(relay)
        server.stop()
        assert relay.take("shop", wait=SHORT) is None
        assert relay.ask("shop", "hello", wait=SHORT) is None
        assert relay.tell("shop", "hello") is False
        relay.answer(errand, "hello")


def test_an_answer_comes_though_the_server_was_killed_meanwhile(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    try:
        with closing(RedisStore.open(server.start(), patience=timedelta(seconds=5), connections=4)) as store:
            relay, holder = RedisRelay(store), RedisRelay(store)
            holder.take("shop", wait=NOTHING)
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(relay.ask, "shop", "hello", wait=SOON)
                errand = taken(holder)
                assert server.pid is not None
                os.kill(server.pid, signal.SIGKILL)
                while server.alive():
                    time.sleep(0.01)
                server.start()
                holder.answer(errand, "after all")
                assert asked.result() == "after all"
    finally:
        server.stop()


def test_a_forked_process_has_answers_of_its_own(redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = RedisRelay(redis_store)
    before = relay._process
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert relay._process != before


def test_without_a_connection_the_error_names_the_channel(redis_store: RedisStore) -> None:
    with pytest.raises(NobodyConnected, match="shop"):
        RedisRelay(redis_store).ask("shop", "secret words", wait=SHORT)


def blocked_clients(store: RedisStore) -> int:
    clients = store.command("INFO", "clients").decode()
    return int(clients.partition("blocked_clients:")[2].partition("\r\n")[0])
