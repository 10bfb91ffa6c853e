"""A second server, where there is one, and a way on which answers are lost."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sessions.embedded import EmbeddedRedis, find_server
from sessions.errors import StoreDown
from sessions.scripts import ALL
from sessions.store import RedisStore
from tests.contracts.inbox_kit import assert_invariant
from tests.sessions.desks import Lossy, RedisDesk
from tests.sessions.proxy import Proxy


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


@pytest.fixture
def proxy(redis_server: str, redis_store: RedisStore) -> Iterator[Proxy]:
    with Proxy(Path(urlsplit(redis_server).path)) as proxy:
        yield proxy


@pytest.fixture
def lossy(proxy: Proxy, redis_store: RedisStore) -> Iterator[Lossy]:
    """A desk behind the proxy, and a way to make a call whose answer is lost."""
    store = RedisStore.open(proxy.url, patience=timedelta(seconds=5), connections=1)
    for script in ALL:  # else the answer that is lost might be the one that asks for the script
        store.command("SCRIPT", "LOAD", script.text)

    def losing(call: Callable[[], object]) -> None:
        store.ping()  # connected, so that the answer that is lost is the call's
        before = proxy.lost
        proxy.lose_next_answer()
        with pytest.raises(StoreDown):
            call()
        assert proxy.lost == before + 1

    with closing(store):
        desk = RedisDesk(store)
        yield desk, losing
        assert_invariant(desk)
