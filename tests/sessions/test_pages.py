"""What only Redis can show of pages: they and their bookmark are one, whatever is killed."""

import os
import signal
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from sessions.embedded import EmbeddedRedis
from sessions.errors import StoreDown
from sessions.inbox import Verdict
from sessions.store import RedisStore
from tests.contracts.inbox_kit import HORIZON, assert_invariant, conversation, message
from tests.contracts.inbox_pages import accept_page
from tests.sessions.desks import RedisDesk


def test_a_page_and_its_bookmark_survive_a_kill_together(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    page = [message(f"m{number}", f"peer{number % 7}") for number in range(50)]
    try:
        with closing(RedisStore.open(server.start(), patience=timedelta(seconds=5), connections=2)) as store:
            desk = RedisDesk(store)
            inbox = desk.inbox()
            assert set(accept_page(inbox, page, "2")) == {Verdict.NEW}
            kill(server)
            with pytest.raises(StoreDown):
                accept_page(inbox, [message("late")], "3")
            server.start()
            assert inbox.bookmark("kf:1") == "2"
            assert set(accept_page(inbox, page, "2")) == {Verdict.DUPLICATE}
            assert sum(desk.mailboxes().values()) == 50
            assert_invariant(desk)
    finally:
        server.stop()


@pytest.mark.parametrize("cut", [1, 20, 100, 250, 400])
def test_a_page_that_was_half_written_to_disk_is_none(tmp_path: Path, cut: int) -> None:
    """A power cut may leave any beginning of the append-only file."""
    server = EmbeddedRedis(tmp_path, fsync="no")
    page = [message(f"m{number}", f"peer{number}") for number in range(3)]
    try:
        with closing(RedisStore.open(server.start(), patience=timedelta(seconds=5), connections=2)) as store:
            accept_page(RedisDesk(store).inbox(), page, "2")
        kill(server)
        [log] = (tmp_path / "redis").glob("appendonlydir/*.incr.aof")
        os.truncate(log, log.stat().st_size - cut)
        with closing(RedisStore.open(server.start(), patience=timedelta(seconds=5), connections=2)) as store:
            desk = RedisDesk(store)
            assert (desk.inbox().bookmark("kf:1"), desk.mailboxes()) == ("", {})
            assert set(accept_page(desk.inbox(), page, "2")) == {Verdict.NEW}
    finally:
        server.stop()


def test_a_page_of_a_thousand_messages_is_stored(redis_store: RedisStore) -> None:
    inbox = RedisDesk(redis_store).inbox()
    page = [message(f"m{number}", f"peer{number % 50}") for number in range(1000)]
    assert accept_page(inbox, page, "2") == [Verdict.NEW] * 1000
    assert (
        redis_store.command(
            "LLEN", RedisDesk(redis_store).keys.home(conversation("peer7")).mail(conversation("peer7").key)
        )
        == 20
    )
    assert list(inbox.accept(page[:5], horizon=HORIZON)) == [Verdict.DUPLICATE] * 5


def kill(server: EmbeddedRedis) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.alive():
        time.sleep(0.01)
