"""As test_lost_answers.py, for what all processes share beside the inbox."""

from datetime import UTC, datetime, timedelta

from adapters.values import Token
from sessions.alarms import RedisAlarms
from sessions.growth import RedisGrowth
from sessions.leader import Leader
from sessions.tokens import RedisTokenStore
from tests.contracts.inbox_kit import AT_ONCE
from tests.sessions.desks import Lossy


def test_a_leader(lossy: Lossy) -> None:
    desk, losing = lossy
    one, two = Leader(desk.store, "socket"), Leader(desk.store, "socket")
    losing(one.acquire)
    assert (two.acquire(), one.acquire()) == (False, True)
    losing(one.renew)
    assert one.renew() is True
    losing(one.release)
    one.release()
    assert two.acquire() is True


def test_alarms(lossy: Lossy) -> None:
    desk, losing = lossy
    alarms = RedisAlarms(desk.store)
    losing(lambda: alarms.raise_("shop", "blocked", probe_after=timedelta(milliseconds=1)))
    desk.pass_time(timedelta(milliseconds=2))
    losing(lambda: alarms.may_try("shop"))  # the try that this one had is nobody's; the next is as soon as any
    desk.pass_time(timedelta(milliseconds=2))
    assert alarms.may_try("shop") == AT_ONCE
    losing(lambda: alarms.clear("shop"))
    assert (alarms.clear("shop"), dict(alarms.current())) == (False, {})


def test_an_answer_that_grows(lossy: Lossy) -> None:
    desk, losing = lossy
    growth = RedisGrowth(desk.store)
    losing(lambda: growth.open("s1", "first"))
    assert growth.open("s1", "second").text == "first"
    losing(lambda: growth.grow("s1", "done", finished=True))
    assert growth.grow("s1", "other", finished=True) is False
    found = growth.read("s1")
    assert found is not None
    assert (found.text, found.finished) == ("done", True)


def test_a_swapped_token(lossy: Lossy) -> None:
    desk, losing = lossy
    tokens = RedisTokenStore(desk.store)
    first = Token(value="first", expires_at=datetime.now(UTC))
    losing(lambda: tokens.swap("shop", stale=None, fresh=first))
    assert not tokens.swap("shop", stale=None, fresh=Token(value="second", expires_at=first.expires_at))
    assert tokens.load("shop") == first
