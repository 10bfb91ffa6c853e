"""The shared token store keeps the contract."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from adapters.tokens import TokenStore
from sessions.store import RedisStore
from sessions.tokens import RedisTokenStore
from tests.contracts.tokens import TokenStoreContract


class TestRedisTokenStore(TokenStoreContract):
    @pytest.fixture
    def store(self, redis_store: RedisStore) -> TokenStore:
        return RedisTokenStore(redis_store)

    @pytest.fixture
    def other(self, store: TokenStore, redis_server: str) -> Iterator[TokenStore]:
        with closing(RedisStore.open(redis_server, patience=timedelta(seconds=5), connections=32)) as second:
            yield RedisTokenStore(second)


def test_who_holds_the_turnstile_too_long_does_not_open_it_for_others(redis_store: RedisStore) -> None:
    tokens = RedisTokenStore(redis_store)
    with tokens.turnstile("shop", wait=timedelta()) as entered:
        assert entered
        redis_store.command("SET", gate(redis_store), "the next one's mark")
    assert redis_store.command("GET", gate(redis_store)) == b"the next one's mark"


def gate(store: RedisStore) -> str:
    [name] = store.command("KEYS", "fd:{*}:gate:shop")
    return str(name, "utf-8")
