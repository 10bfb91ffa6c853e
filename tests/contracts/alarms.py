"""The contract of alarms. An implementation inherits the class and gives `alarms`, `other` (another process's) and
`pass_time`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from sessions.alarms import Alarms

NOTHING = timedelta()
SHORT = timedelta(milliseconds=300)
MINUTE = timedelta(minutes=1)

PassTime = Callable[[timedelta], None]


class AlarmsContract:
    @pytest.fixture
    def alarms(self) -> Alarms:
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def other(self, alarms: Alarms) -> Alarms:
        return alarms

    @pytest.fixture
    def pass_time(self) -> PassTime:
        raise NotImplementedError("the implementation's own fixture")

    def test_without_an_alarm_all_may_try(self, alarms: Alarms) -> None:
        assert dict(alarms.current()) == {}
        assert [alarms.may_try("shop") for _ in range(3)] == [NOTHING] * 3

    def test_an_alarm_is_known_to_all(self, alarms: Alarms, other: Alarms) -> None:
        alarms.raise_("shop", "code 131031: the account is locked", probe_after=MINUTE)
        [(channel, alarm)] = other.current().items()
        assert (channel, alarm.reason) == ("shop", "code 131031: the account is locked")
        assert alarm.probe_at - alarm.since == MINUTE
        assert alarm.since.utcoffset() == NOTHING

    def test_while_an_alarm_stands_nobody_may_try_before_the_time(self, alarms: Alarms, other: Alarms) -> None:
        alarms.raise_("shop", "blocked", probe_after=MINUTE)
        for each in (alarms, other):
            assert MINUTE / 2 < each.may_try("shop") <= MINUTE

    def test_when_its_time_comes_one_may_try_and_the_next_after_another_while(
        self, alarms: Alarms, other: Alarms, pass_time: PassTime
    ) -> None:
        alarms.raise_("shop", "blocked", probe_after=SHORT)
        for _ in range(2):
            pass_time(SHORT)
            assert alarms.may_try("shop") == NOTHING
            assert NOTHING < other.may_try("shop") <= SHORT

    def test_of_many_who_ask_at_once_one_may_try(self, alarms: Alarms, other: Alarms, pass_time: PassTime) -> None:
        alarms.raise_("shop", "blocked", probe_after=timedelta(seconds=2))
        pass_time(timedelta(seconds=2))
        with ThreadPoolExecutor(16) as pool:
            waits = list(pool.map(lambda each: each.may_try("shop"), [alarms, other] * 8))
        assert waits.count(NOTHING) == 1

    def test_waiting_as_long_as_was_told_is_enough(self, alarms: Alarms, pass_time: PassTime) -> None:
        alarms.raise_("shop", "blocked", probe_after=SHORT)
        pass_time(alarms.may_try("shop"))
        assert alarms.may_try("shop") == NOTHING

    def test_a_try_is_told_when_the_next_may_be(self, alarms: Alarms, pass_time: PassTime) -> None:
        alarms.raise_("shop", "blocked", probe_after=SHORT)
        before = alarms.current()["shop"]
        pass_time(SHORT)
        alarms.may_try("shop")
        after = alarms.current()["shop"]
        assert after.since == before.since
        assert after.probe_at >= before.probe_at + SHORT

    def test_a_cleared_alarm_is_gone_for_all(self, alarms: Alarms, other: Alarms) -> None:
        alarms.raise_("shop", "blocked", probe_after=MINUTE)
        assert alarms.clear("shop") is True
        assert dict(other.current()) == {}
        assert [other.may_try("shop") for _ in range(3)] == [NOTHING] * 3

    def test_clearing_what_is_not_there_says_so(self, alarms: Alarms) -> None:
        assert alarms.clear("shop") is False
        alarms.raise_("shop", "blocked", probe_after=MINUTE)
        assert [alarms.clear("shop"), alarms.clear("shop")] == [True, False]

    def test_an_alarm_raised_again_keeps_its_beginning(self, alarms: Alarms, pass_time: PassTime) -> None:
        alarms.raise_("shop", "first", probe_after=MINUTE)
        since = alarms.current()["shop"].since
        pass_time(timedelta(milliseconds=10))
        alarms.raise_("shop", "second", probe_after=2 * MINUTE)
        alarm = alarms.current()["shop"]
        assert (alarm.reason, alarm.since) == ("second", since)
        assert alarm.probe_at > since + 2 * MINUTE
        assert alarms.may_try("shop") > MINUTE

    def test_an_alarm_after_a_cleared_one_is_a_new_one(self, alarms: Alarms, pass_time: PassTime) -> None:
        alarms.raise_("shop", "blocked", probe_after=MINUTE)
        since = alarms.current()["shop"].since
        alarms.clear("shop")
        pass_time(timedelta(milliseconds=10))
        alarms.raise_("shop", "blocked", probe_after=MINUTE)
        assert alarms.current()["shop"].since > since

    def test_an_alarm_is_no_other_channels_business(self, alarms: Alarms) -> None:
        names = ["shop", "shop:1", "店 {1}*", "since:shop", ""]
        for name in names:
            alarms.raise_(name, f"reason of {name}", probe_after=MINUTE)
        alarms.clear("shop:1")
        assert {name: alarm.reason for name, alarm in alarms.current().items()} == {
            name: f"reason of {name}" for name in names if name != "shop:1"
        }
        assert alarms.may_try("staff") == alarms.may_try("shop:1") == NOTHING

    def test_a_platforms_broken_words_are_kept(self, alarms: Alarms) -> None:
        alarms.raise_("shop", "封号 \ud800", probe_after=MINUTE)
        assert alarms.current()["shop"].reason == "封号 \ud800"
