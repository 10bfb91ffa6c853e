"""The contract of a throttle. An implementation inherits the class and gives `throttle`, `other` (another process's
handle on the same buckets) and `pass_time`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from adapters.shared import Bucket
from adapters.throttle import Throttle

NOTHING = timedelta()
EVERY = timedelta(milliseconds=200)


def bucket(name: str = "pair", *, every: timedelta = EVERY, burst: int = 1) -> Bucket:
    return Bucket(name=name, every=every, burst=burst)


HOURLY = bucket("hourly", every=timedelta(hours=1))


class ThrottleContract:
    @pytest.fixture
    def throttle(self) -> Throttle:
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def other(self, throttle: Throttle) -> Throttle:
        return throttle

    @pytest.fixture
    def pass_time(self) -> Callable[[timedelta], None]:
        raise NotImplementedError("the implementation's own fixture")

    def test_a_full_bucket_gives_as_many_tokens_as_fit_in(self, throttle: Throttle) -> None:
        many = bucket(every=timedelta(hours=1), burst=3)
        assert [throttle.take([many]) == NOTHING for _ in range(5)] == [True] * 3 + [False] * 2

    def test_who_comes_too_early_is_told_how_long_to_wait(self, throttle: Throttle) -> None:
        throttle.take([HOURLY])
        assert timedelta(minutes=59) < throttle.take([HOURLY]) <= timedelta(hours=1)

    def test_waiting_as_long_as_was_told_is_enough(
        self, throttle: Throttle, pass_time: Callable[[timedelta], None]
    ) -> None:
        throttle.take([bucket()])
        wait = throttle.take([bucket()])
        assert NOTHING < wait <= EVERY
        pass_time(wait)
        assert throttle.take([bucket()]) == NOTHING

    def test_asking_in_vain_costs_nothing(self, throttle: Throttle, pass_time: Callable[[timedelta], None]) -> None:
        throttle.take([bucket()])
        for _ in range(20):
            throttle.take([bucket()])
        pass_time(EVERY)
        assert throttle.take([bucket()]) == NOTHING

    def test_tokens_come_back_one_by_one_and_no_more_than_fit_in(
        self, throttle: Throttle, pass_time: Callable[[timedelta], None]
    ) -> None:
        pair = bucket(burst=2)
        for _ in range(2):
            assert throttle.take([pair]) == NOTHING
        pass_time(EVERY)
        assert throttle.take([pair]) == NOTHING
        assert throttle.take([pair]) > NOTHING
        pass_time(EVERY * 10)
        assert [throttle.take([pair]) == NOTHING for _ in range(3)] == [True, True, False]

    def test_of_several_buckets_all_give_or_none(
        self, throttle: Throttle, pass_time: Callable[[timedelta], None]
    ) -> None:
        account, ann, bob = bucket("account", every=timedelta(hours=1), burst=2), bucket("ann"), bucket("bob")
        assert throttle.take([account, ann]) == NOTHING
        assert throttle.take([account, ann]) > NOTHING  # and the account's token is still there
        assert throttle.take([account, bob]) == NOTHING
        pass_time(EVERY)
        assert throttle.take([account, ann]) > EVERY  # and ann's is
        assert throttle.take([ann]) == NOTHING

    def test_the_slowest_bucket_tells_the_wait(self, throttle: Throttle) -> None:
        throttle.take([bucket("quick"), HOURLY])
        assert throttle.take([bucket("quick"), HOURLY]) > timedelta(minutes=59)
        assert throttle.take([HOURLY, bucket("quick")]) > timedelta(minutes=59)

    def test_who_configures_a_quicker_bucket_does_not_wait_for_the_slow_one(self, throttle: Throttle) -> None:
        for _ in range(3):
            throttle.take([bucket(every=timedelta(hours=1), burst=3)])
        assert NOTHING < throttle.take([bucket(every=timedelta(seconds=1), burst=2)]) <= timedelta(seconds=1)

    def test_no_bucket_is_no_wait(self, throttle: Throttle) -> None:
        assert throttle.take([]) == NOTHING

    @pytest.mark.parametrize("name", ["pair:1", "pair*", "对 {x}", "a\nb"])
    def test_names_do_not_mix(self, throttle: Throttle, name: str) -> None:
        hour = timedelta(hours=1)
        throttle.take([bucket(name, every=hour)])
        assert throttle.take([bucket("pair", every=hour)]) == NOTHING
        assert throttle.take([bucket(name, every=hour)]) > NOTHING

    def test_buckets_much_smaller_than_a_millisecond_are_exact(self, throttle: Throttle) -> None:
        quick = bucket(every=timedelta(microseconds=100), burst=1_000_000)
        for _ in range(50):
            assert throttle.take([quick]) == NOTHING

    def test_all_processes_share_a_bucket(self, throttle: Throttle, other: Throttle) -> None:
        assert throttle.take([HOURLY]) == NOTHING
        assert other.take([HOURLY]) > NOTHING

    def test_however_many_come_at_once_no_more_tokens_are_given_than_fit_in(
        self, throttle: Throttle, other: Throttle
    ) -> None:
        many = bucket(every=timedelta(hours=1), burst=10)
        handles = [throttle, other] * 20
        with ThreadPoolExecutor(16) as pool:
            waits = list(pool.map(lambda handle: handle.take([many]), handles))
        assert waits.count(NOTHING) == 10
