"""The way to Redis: bounded waits, our errors only, and no Redis that loses messages."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sessions.embedded import EmbeddedRedis
from sessions.errors import StoreDown, UnsafeStore
from sessions.scripts import DEPTHS, Call
from sessions.store import GroupMissing, RedisStore
from tests.sessions.proxy import Proxy

PATIENCE = timedelta(milliseconds=200)


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server as shipped."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("durable"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def store(durable: EmbeddedRedis) -> Iterator[RedisStore]:
    with closing(RedisStore.open(durable.url, patience=PATIENCE, connections=2)) as store:
        yield store


@pytest.fixture
def changed(store: RedisStore) -> Iterator[RedisStore]:
    """A store whose server's settings are as they were after the test."""
    names = ("appendonly", "appendfsync", "maxmemory-policy")
    before = [store.command("CONFIG", "GET", name) for name in names]
    yield store
    for name, value in before:
        store.command("CONFIG", "SET", name, value)


def test_nobody_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with closing(RedisStore.open(f"redis://127.0.0.1:{port}", patience=PATIENCE)) as store:
        for call in (store.ping, store.check_writable, store.check_durable, lambda: store.block("PING")):
            with pytest.raises(StoreDown):
                call()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="Redis URL"):
        RedisStore.open("http://example.com", patience=PATIENCE)


def test_a_server_that_stands_still_is_given_up_after_the_patience(
    store: RedisStore, durable: EmbeddedRedis
) -> None:
    store.ping()
    assert durable.pid is not None
    os.kill(durable.pid, signal.SIGSTOP)
    try:
        for _ in range(2):  # the second needs a new connection
            started = time.monotonic()
            with pytest.raises(StoreDown):
                store.ping()
            assert time.monotonic() - started < PATIENCE.total_seconds() * 4
    finally:
        os.kill(durable.pid, signal.SIGCONT)
    store.check_writable()


def test_an_answer_that_came_too_late_is_not_taken_for_another(store: RedisStore, durable: EmbeddedRedis) -> None:
    store.command("SET", "slow", "wrong")
    assert durable.pid is not None
    os.kill(durable.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreDown):
            store.command("GET", "slow")
    finally:
        os.kill(durable.pid, signal.SIGCONT)
    assert store.command("GET", "other") is None


def test_all_connections_in_use_is_the_store_being_down(durable: EmbeddedRedis) -> None:
    with closing(RedisStore.open(durable.url, patience=PATIENCE, connections=1)) as store:
        connection = store.pool.get_connection()
        with pytest.raises(StoreDown):
            store.ping()
        store.pool.release(connection)
        store.ping()


def test_a_refused_command_is_the_store_being_down(store: RedisStore) -> None:
    store.command("SET", "text", "x")
    with pytest.raises(StoreDown, match="WRONGTYPE"):
        store.command("LPUSH", "text", "y")
    with pytest.raises(StoreDown, match="WRONGTYPE"):
        store.commands([("GET", "text"), ("LPUSH", "text", "y")])


def test_no_error_repeats_what_was_sent(store: RedisStore) -> None:
    with pytest.raises(StoreDown) as failure:
        store.command("NOSUCHCOMMAND", "a customer's words")
    assert "customer" not in str(failure.value)


def test_a_missing_group_is_told_apart(store: RedisStore) -> None:
    with pytest.raises(GroupMissing):
        store.block("XREADGROUP", "GROUP", "workers", "one", "STREAMS", "nothing", ">")


def test_scripts_are_given_again_to_a_server_that_lost_them(store: RedisStore) -> None:
    call = Call(DEPTHS, ["fd:{1}:ready", "fd:{1}:later", "fd:{1}:dead", "fd:{1}:reminders"], [])
    nothing = [0, 0, 0, 0, 0, 0]
    for _ in range(2):
        store.command("SCRIPT", "FLUSH")
        assert store.run_all([call]) == [nothing]
        store.command("SCRIPT", "FLUSH")
        assert store.run_all([call] * 3) == [nothing] * 3


def test_the_shipped_server_is_durable(store: RedisStore) -> None:
    assert store.check_durable() == []


def test_everysec_is_allowed_and_said_aloud(changed: RedisStore) -> None:
    changed.command("CONFIG", "SET", "appendfsync", "everysec")
    [warning] = changed.check_durable()
    assert "everysec" in warning


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("appendonly", "no", "appendonly yes"),
        ("appendfsync", "no", "appendfsync always"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("maxmemory-policy", "volatile-ttl", "noeviction"),
    ],
)
def test_a_server_that_may_lose_messages_is_refused(
    changed: RedisStore, setting: str, value: str, said: str
) -> None:
    changed.command("CONFIG", "SET", setting, value)
    with pytest.raises(UnsafeStore, match=said):
        changed.check_durable()
    [warning] = changed.check_durable(allow_volatile=True)
    assert said in warning


def test_all_reasons_are_told_at_once(changed: RedisStore) -> None:
    changed.command("CONFIG", "SET", "appendonly", "no")
    changed.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(UnsafeStore) as refusal:
        changed.check_durable()
    assert "appendonly yes" in str(refusal.value)
    assert "noeviction" in str(refusal.value)


def test_a_replica_is_refused_always(store: RedisStore) -> None:
    store.command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(UnsafeStore, match="replica"):
            store.check_durable(allow_volatile=True)
        with pytest.raises(StoreDown):
            store.check_writable()
    finally:
        store.command("REPLICAOF", "NO", "ONE")


@pytest.fixture
def managed(store: RedisStore, durable: EmbeddedRedis) -> Iterator[RedisStore]:
    """The same server for a user who may not read its configuration."""
    store.command("ACL", "SETUSER", "tenant", "on", ">secret", "+@all", "-config", "~*")
    path = urlsplit(durable.url).path
    with closing(RedisStore.open(f"unix://tenant:secret@{path}", patience=PATIENCE, connections=1)) as tenant:
        yield tenant
    store.command("ACL", "DELUSER", "tenant")


def test_a_managed_redis_is_warned_about_only(managed: RedisStore) -> None:
    [warning] = managed.check_durable()
    assert "CONFIG is refused" in warning


def test_a_managed_redis_that_evicts_is_refused(managed: RedisStore, changed: RedisStore) -> None:
    changed.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    changed.command("CONFIG", "SET", "appendonly", "no")
    with pytest.raises(UnsafeStore, match=r"(?s)appendonly.*noeviction"):
        managed.check_durable()


@pytest.mark.parametrize(
    ("pattern", "replacement", "said"),
    [
        (rb"redis_version:[0-9]", b"redis_version:6", "version is 6"),
        (rb"(redis|server)_mode:standalone\r\n", rb"\1_mode:cluster\r\nx\r\n", "Cluster"),
    ],
)
def test_a_server_of_another_kind_is_refused(
    durable: EmbeddedRedis, pattern: bytes, replacement: bytes, said: str
) -> None:
    with Proxy(Path(urlsplit(durable.url).path)) as proxy:
        proxy.rewrite(pattern, replacement)
        store = RedisStore.open(proxy.url, patience=PATIENCE, connections=1)
        with closing(store), pytest.raises(UnsafeStore, match=said):
            store.check_durable(allow_volatile=True)


def test_a_clock_far_off_is_refused(durable: EmbeddedRedis) -> None:
    with Proxy(Path(urlsplit(durable.url).path)) as proxy:
        proxy.rewrite(rb"\$10\r\n1[0-9]{3}", b"$10\r\n1000")  # TIME's seconds
        store = RedisStore.open(proxy.url, patience=PATIENCE, connections=1)
        with closing(store), pytest.raises(UnsafeStore, match="clock"):
            store.check_durable()
