"""The contract of a leadership. An implementation inherits the class and gives `candidate` and `pass_time`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol

import pytest

from sessions.leader import Leadership

SHORT = timedelta(milliseconds=300)
LONG = timedelta(seconds=15)


class Candidates(Protocol):
    def __call__(self, name: str = "socket", lease: timedelta = LONG) -> Leadership:
        """Another process that would lead."""
        ...


PassTime = Callable[[timedelta], None]


class LeaderContract:
    @pytest.fixture
    def candidate(self) -> Candidates:
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def pass_time(self) -> PassTime:
        raise NotImplementedError("the implementation's own fixture")

    def test_one_leads_at_a_time(self, candidate: Candidates) -> None:
        one, two = candidate(), candidate()
        assert one.acquire() is True
        assert two.acquire() is False
        assert (one.renew(), two.renew()) == (True, False)

    def test_who_leads_may_acquire_again(self, candidate: Candidates) -> None:
        one = candidate()
        assert [one.acquire(), one.acquire()] == [True, True]

    def test_who_never_led_has_nothing_to_renew(self, candidate: Candidates) -> None:
        assert candidate().renew() is False

    def test_when_a_leader_goes_the_next_may_lead(self, candidate: Candidates) -> None:
        one, two = candidate(), candidate()
        one.acquire()
        one.release()
        assert one.renew() is False
        assert two.acquire() is True

    def test_who_does_not_lead_cannot_release(self, candidate: Candidates) -> None:
        one, two = candidate(), candidate()
        one.acquire()
        two.release()
        assert one.renew() is True

    def test_releasing_twice_is_releasing_once(self, candidate: Candidates) -> None:
        one, two = candidate(), candidate()
        one.acquire()
        one.release()
        two.acquire()
        one.release()
        assert two.renew() is True

    def test_a_dead_leaders_lease_runs_out(self, candidate: Candidates, pass_time: PassTime) -> None:
        one, two = candidate(lease=SHORT), candidate(lease=SHORT)
        one.acquire()
        pass_time(SHORT * 1.5)
        assert two.acquire() is True
        assert (one.renew(), one.acquire()) == (False, False)

    def test_what_ran_out_is_not_renewed_though_nobody_else_leads(
        self, candidate: Candidates, pass_time: PassTime
    ) -> None:
        """Another may have led, and gone, meanwhile."""
        one = candidate(lease=SHORT)
        one.acquire()
        pass_time(SHORT * 1.5)
        assert one.renew() is False
        assert one.acquire() is True

    @pytest.mark.parametrize("again", ["renew", "acquire"])
    def test_a_lease_lasts_from_its_last_renewal(
        self, candidate: Candidates, pass_time: PassTime, again: str
    ) -> None:
        lease = timedelta(seconds=1)
        one, two = candidate(lease=lease), candidate(lease=lease)
        one.acquire()
        for _ in range(2):
            pass_time(lease * 0.7)
            assert getattr(one, again)() is True
        assert two.acquire() is False

    def test_two_names_have_two_leaders(self, candidate: Candidates) -> None:
        assert candidate("shop").acquire() is True
        assert candidate("shop:1").acquire() is True
        assert candidate("店 {1}").acquire() is True

    def test_of_many_who_come_at_once_one_leads(self, candidate: Candidates) -> None:
        candidates = [candidate() for _ in range(16)]
        with ThreadPoolExecutor(16) as pool:
            won = list(pool.map(lambda one: one.acquire(), candidates))
        assert won.count(True) == 1
        assert candidates[won.index(True)].renew() is True
