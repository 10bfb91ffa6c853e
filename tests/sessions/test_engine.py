"""The engine keeps the contract, and what only Redis can show."""

import pytest

from sessions.store import RedisStore
from tests.contracts.inbox import InboxContract
from tests.contracts.inbox_kit import Desk
from tests.sessions.desks import RedisDesk


class TestRedisInbox(InboxContract):
    def make_desk(self, request: pytest.FixtureRequest) -> Desk:
        store: RedisStore = request.getfixturevalue("redis_store")
        return RedisDesk(store)
