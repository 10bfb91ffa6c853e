"""Aliases keep their contract, in Redis and in memory."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from adapters import aliases as twin
from adapters.aliases import Aliases, MemoryAliases
from sessions.aliases import RedisAliases
from sessions.keys import Keys
from sessions.limits import ALIAS_FOR
from sessions.store import RedisStore
from tests.contracts.aliases import AliasesContract


class TestMemoryAliases(AliasesContract):
    @pytest.fixture
    def aliases(self) -> Aliases:
        return MemoryAliases()

    def test_it_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(twin, "REMEMBERED", 2)
        aliases = MemoryAliases()
        for each in ("a", "b", "a", "c"):
            aliases.learn(each, each)
        assert [aliases.find(each) for each in ("a", "b", "c")] == ["a", "", "c"]


class TestRedisAliases(AliasesContract):
    @pytest.fixture
    def aliases(self, redis_store: RedisStore) -> Aliases:
        return RedisAliases(redis_store)

    @pytest.fixture
    def other(self, redis_server: str, redis_store: RedisStore) -> Iterator[Aliases]:
        with closing(RedisStore.open(redis_server, patience=timedelta(seconds=5))) as second:
            yield RedisAliases(second)

    def test_what_is_not_heard_of_again_is_forgotten_in_time(self, redis_store: RedisStore) -> None:
        RedisAliases(redis_store).learn("shop:1", "GB.1")
        left = redis_store.command("PTTL", Keys(16).of("shop:1").alias("shop:1"))
        assert timedelta() < timedelta(milliseconds=left) <= ALIAS_FOR
