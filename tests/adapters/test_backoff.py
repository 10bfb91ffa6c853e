"""How long a refused reply waits."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.backoff import Backoff

SECOND = timedelta(seconds=1)
STEADY = Backoff(jitter=timedelta())


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (50, 60), (100_000, 60)]
)
def test_the_wait_doubles_up_to_its_cap(attempt: int, seconds: int) -> None:
    assert STEADY.delay(attempt) == timedelta(seconds=seconds)


@given(attempt=st.integers(1, 10_000))
def test_jitter_only_ever_adds(attempt: int) -> None:
    steady = STEADY.delay(attempt)
    assert steady <= Backoff().delay(attempt) <= steady + Backoff().jitter


@pytest.mark.parametrize("attempt", [1, 7, 50], ids=["first", "at-the-cap", "late"])
def test_two_replies_refused_together_do_not_come_back_together(attempt: int) -> None:
    assert len({Backoff().delay(attempt) for _ in range(50)}) > 40


def test_the_platform_is_never_asked_before_it_wants_to_be() -> None:
    assert STEADY.delay(1, retry_after=30 * SECOND) == 30 * SECOND
    assert STEADY.delay(6, retry_after=30 * SECOND) == 32 * SECOND
    assert STEADY.delay(1, retry_after=timedelta(hours=1)) == timedelta(hours=1)
    assert STEADY.delay(1, retry_after=timedelta()) == SECOND


def test_replies_that_got_the_same_retry_after_are_spread() -> None:
    assert len({Backoff().delay(1, retry_after=30 * SECOND) for _ in range(50)}) > 40


def test_it_ends_with_the_horizon() -> None:
    backoff = Backoff(horizon=600 * SECOND)
    assert not backoff.exhausted(3, since_first=timedelta(seconds=599.999))
    assert backoff.exhausted(3, since_first=600 * SECOND)
    assert backoff.exhausted(1, since_first=timedelta(days=1))


def test_it_ends_with_the_attempts() -> None:
    backoff = Backoff(attempts=5)
    assert not backoff.exhausted(4, since_first=SECOND)
    assert backoff.exhausted(5, since_first=SECOND)
    assert backoff.exhausted(6, since_first=SECOND)
