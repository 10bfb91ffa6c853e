"""A second server, where there is one."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from sessions.embedded import EmbeddedRedis, find_server
from sessions.store import RedisStore


@pytest.fixture(scope="session")
def wheels_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Valkey from the wheel, where the machine's own server is another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        other = find_server()
    if other == find_server():
        pytest.skip("the wheel's server is the one that all other tests use")
    server = EmbeddedRedis(tmp_path_factory.mktemp("wheel"), fsync="no", server=other)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def wheels_store(wheels_server: str) -> Iterator[RedisStore]:
    """A store on the second server's empty database."""
    with closing(RedisStore.open(wheels_server, patience=timedelta(seconds=5), connections=64)) as store:
        store.command("FLUSHALL")
        yield store
