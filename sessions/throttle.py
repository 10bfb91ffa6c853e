"""Token buckets in Redis, by its clock: all processes of all hosts share them."""

from collections.abc import Sequence
from datetime import timedelta

from adapters.shared import Bucket
from sessions.keys import Keys
from sessions.scripts import TAKE_TOKENS
from sessions.store import RedisStore, Word

_MICROSECOND = timedelta(microseconds=1)


class RedisThrottle:
    """Satisfies `adapters.throttle.Throttle`. May raise :class:`~sessions.errors.StoreDown`; the tokens may be gone
    then."""

    def __init__(self, store: RedisStore, *, shards: int = 16) -> None:
        self._store = store
        self._shard = Keys(shards).first

    def take(self, buckets: Sequence[Bucket]) -> timedelta:
        if not buckets:
            return timedelta()
        args = [word for each in buckets for word in (each.every // _MICROSECOND, each.burst)]
        wait = self._store.run(TAKE_TOKENS, [self._shard.bucket(each.name) for each in buckets], list[Word](args))
        return timedelta(microseconds=wait)
