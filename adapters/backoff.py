"""How long a temporarily refused reply waits, and for how long it is tried at all.

The waiting itself happens in the engine's `later` set, not in a thread: tenacity's strategies are asked for the
numbers only. Exponential, capped, with jitter, so that a recovering platform does not meet all of us at once.
"""

from dataclasses import dataclass
from datetime import timedelta

from tenacity import RetryCallState, Retrying, stop_after_attempt, stop_after_delay, wait_exponential, wait_random


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """*initial* doubles with every attempt up to *longest*, plus up to *jitter*; given up after *horizon* since
    the first attempt or after *attempts*. A chat reply is stale after about ten minutes (WhatsApp sheet §4.4)."""

    initial: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=60)
    jitter: timedelta = timedelta(seconds=1)
    horizon: timedelta = timedelta(minutes=10)
    attempts: int = 50

    def delay(self, attempt: int, *, retry_after: timedelta | None = None) -> timedelta:
        """The wait after failed *attempt* (1-based); never shorter than the platform's *retry_after*. The jitter
        comes on top of either: all refused ones got the same *retry_after*."""
        state = _state(attempt)
        growth = wait_exponential(multiplier=self.initial.total_seconds(), max=self.longest.total_seconds())
        wait = max(timedelta(seconds=growth(state)), retry_after or timedelta())
        return wait + timedelta(seconds=wait_random(0, self.jitter.total_seconds())(state))

    def exhausted(self, attempt: int, *, since_first: timedelta) -> bool:
        """Whether attempt number *attempt* was the last one."""
        stop = stop_after_attempt(self.attempts) | stop_after_delay(self.horizon.total_seconds())
        return stop(_state(attempt, since_first=since_first))


def _state(attempt: int, *, since_first: timedelta = timedelta()) -> RetryCallState:
    """tenacity's view of a call that failed *attempt* times within *since_first*."""
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    state.start_time = 0.0  # the real one, a monotonic clock, would round the difference
    state.outcome_timestamp = since_first.total_seconds()
    return state
