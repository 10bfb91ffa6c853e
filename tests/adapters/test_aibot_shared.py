"""The AI bot over the real stores: what one process writes, every other one reads."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.values import Action, Delivered, Message, Refused
from sessions.growth import RedisGrowth
from sessions.relay import RedisRelay
from sessions.store import RedisStore
from sessions.throttle import RedisThrottle
from tests.adapters.aibot_kit import Clock, Desk, reply_to
from tests.adapters.aibot_socket import Inbox, Platform, connected, desk_at, eventually, frame_body


@pytest.fixture
def stores(redis_server: str, redis_store: RedisStore) -> Iterator[list[RedisStore]]:
    """One for each of three processes."""
    opened = [RedisStore.open(redis_server, patience=timedelta(seconds=5), connections=8) for _ in range(3)]
    yield opened
    for store in opened:
        store.close()


def over(desk: Desk, store: RedisStore) -> Desk:
    """*desk*, with the stores that all processes share."""
    desk.clock.now = datetime.now(UTC)
    desk.services = replace(
        desk.services,
        growth=RedisGrowth(store),
        relay=RedisRelay(store),
        throttle=RedisThrottle(store),
        now=lambda: datetime.now(UTC),
    )
    desk.bot = desk.process()
    return desk


def test_a_stream_goes_on_when_the_process_that_opened_it_is_gone(stores: list[RedisStore]) -> None:
    one, two, worker = (over(Desk(clock=Clock()), store) for store in stores)
    message, stream = one.say("几点关门？")
    stores[0].close()
    writing = worker.bot.writing([message], "key")
    assert writing
    writing.show("六点")
    assert two.see(stream["id"]) == {"id": stream["id"], "finish": False, "content": "六点"}
    writing.end()
    reply = reply_to(message, parts=["六点关门。"])
    assert isinstance(worker.bot.send(reply, 0), Delivered)
    assert isinstance(worker.bot.send(reply, 0, again=True), Delivered)
    assert two.see(stream["id"]) == {"id": stream["id"], "finish": True, "content": "六点关门。"}


def test_only_one_of_many_finishes_a_stream(stores: list[RedisStore]) -> None:
    one, two, worker = (over(Desk(clock=Clock()), store) for store in stores)
    message, stream = one.say("hello")
    replies = [replace(reply_to(message, parts=[f"answer {each}"]), key=f"key-{each}") for each in range(8)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda reply: worker.bot.send(reply, 0), replies))
    delivered = [reply for reply, each in zip(replies, outcomes, strict=True) if isinstance(each, Delivered)]
    assert len(delivered) == 1
    assert two.see(stream["id"])["content"] == delivered[0].parts[0].text


def test_a_workers_reply_goes_through_redis_to_the_connection_and_back(stores: list[RedisStore]) -> None:
    with Platform() as platform:
        holder, worker, other = (over(desk_at(platform), store) for store in stores)
        inbox = Inbox()
        with connected(holder, inbox):
            platform.call(frame_body())
            eventually(inbox.messages)
            [message] = inbox.messages()
            assert isinstance(message, Message)
            outcome = worker.bot.send(reply_to(message), 0)
            assert outcome == Delivered(platform_id=message.route["stream"])
            assert isinstance(other.bot.send(reply_to(message), 0, again=True), Delivered)
            assert [each["content"] for each in platform.streams()] == ["Until six."]
        threading.Event().wait(0.1)
        platform.frames.clear()
        gone = replace(reply_to(message), key="another")
        eventually(lambda: isinstance(worker.bot.send(gone, 0), Refused), seconds=10)
        outcome = worker.bot.send(gone, 0)
        assert isinstance(outcome, Refused)
        assert outcome.action is Action.RETRY
