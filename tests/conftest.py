"""What many tests share: a real Redis, started once for each test process."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sessions.embedded import EmbeddedRedis
from sessions.store import RedisStore


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an embedded server, which does not wait for the disk."""
    data_dir: Path = tmp_path_factory.mktemp("redis")
    server = EmbeddedRedis(data_dir, fsync="no")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def redis_store(redis_server: str) -> Iterator[RedisStore]:
    """A store on an empty database."""
    store = RedisStore.open(redis_server, patience=timedelta(seconds=5), connections=64)
    store.command("FLUSHALL")
    yield store
    store.close()
