"""One fetch for all: single flight, compare-and-swap, early refresh, and failures that are not repeated at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import sleep

import pytest

from adapters.tokens import FIRST_PAUSE, REFRESH_EARLY, MemoryTokenStore, NoToken, SharedToken, TokenStore
from adapters.values import Action, Refused, Token
from tests.contracts.tokens import TokenStoreContract

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOURS = timedelta(hours=2)


class TestMemoryTokenStore(TokenStoreContract):
    @pytest.fixture
    def store(self) -> TokenStore:
        return MemoryTokenStore()


class Desk:
    """A clock, a platform that counts its fetches, and shared tokens of as many processes as are asked for."""

    def __init__(self, *, life: timedelta = HOURS, takes: float = 0.0) -> None:
        self.now = START
        self.store = MemoryTokenStore()
        self.life = life
        self.takes = takes
        self.fetches = 0
        self.failing: Refused | None = None
        self.hands_out: Callable[[int], str] = lambda number: f"token-{number}"
        self._counting = threading.Lock()

    def process(self) -> SharedToken:
        return SharedToken("shop", self.store, self._fetch, lambda: self.now)

    def _fetch(self) -> Token:
        with self._counting:
            self.fetches += 1
            number = self.fetches
        sleep(self.takes)
        if self.failing:
            raise NoToken(self.failing)
        return Token(value=self.hands_out(number), expires_at=self.now + self.life)


BAD_SECRET = Refused(reason="40001 the secret is wrong: copy it anew", action=Action.ALERT, code="40001")


def all_at_once(calls: list[Callable[[], str]]) -> list[str]:
    """What each returned, or the reason why there was no token."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], str]) -> str:
        start.wait()
        try:
            return call()
        except NoToken as error:
            return error.refused.reason

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_fifty_threads_of_five_processes_fetch_once() -> None:
    desk = Desk(takes=0.05)
    processes = [desk.process() for _ in range(5)]
    assert set(all_at_once([processes[number % 5].get for number in range(50)])) == {"token-1"}
    assert desk.fetches == 1


def test_fifty_threads_replace_a_rejected_token_once() -> None:
    desk = Desk(takes=0.05)
    processes = [desk.process() for _ in range(5)]
    rejected = processes[0].get()
    calls: list[Callable[[], str]] = [
        lambda process=processes[number % 5]: process.replace(rejected)  # type: ignore[misc]
        for number in range(50)
    ]
    assert set(all_at_once(calls)) == {"token-2"}
    assert desk.fetches == 2


def test_fifty_threads_ask_a_failing_platform_once_in_each_process() -> None:
    desk = Desk(takes=0.02)
    desk.failing = BAD_SECRET
    processes = [desk.process() for _ in range(5)]
    assert set(all_at_once([processes[number % 5].get for number in range(50)])) == {BAD_SECRET.reason}
    assert desk.fetches == 5


def test_a_stored_token_is_used_without_a_fetch() -> None:
    desk = Desk()
    assert desk.process().get() == desk.process().get() == "token-1"
    assert desk.fetches == 1


def test_a_token_is_fetched_anew_five_minutes_before_its_end() -> None:
    desk = Desk()
    shared = desk.process()
    shared.get()
    desk.now = START + HOURS - REFRESH_EARLY - timedelta(seconds=1)
    assert shared.get() == "token-1"
    desk.now = START + HOURS - REFRESH_EARLY
    assert shared.get() == "token-2"


def test_a_token_of_a_few_seconds_is_used_for_half_its_life() -> None:
    desk = Desk(life=timedelta(seconds=5))
    shared = desk.process()
    assert [shared.get() for _ in range(10)] == ["token-1"] * 10
    desk.now += timedelta(seconds=2.5)
    assert shared.get() == "token-2"


def test_a_platform_that_repeats_its_token_near_the_end_is_not_asked_for_every_message() -> None:
    desk = Desk()
    desk.hands_out = lambda _: "the same"
    shared = desk.process()
    shared.get()
    for second in range(300):
        desk.now = START + HOURS - REFRESH_EARLY + timedelta(seconds=second)
        desk.life = START + HOURS - desk.now
        shared.get()
    assert desk.fetches < 15


def test_another_process_s_newer_token_is_used_instead_of_a_fetch() -> None:
    desk = Desk()
    fast, slow = desk.process(), desk.process()
    rejected = slow.get()
    fast.replace(rejected)
    assert slow.replace(rejected) == "token-2"
    assert desk.fetches == 2


def test_a_failure_stands_for_a_short_growing_while() -> None:
    desk = Desk()
    desk.failing = BAD_SECRET
    shared = desk.process()
    for _ in range(3600 * 4):
        with pytest.raises(NoToken):
            shared.get()
        desk.now += timedelta(seconds=0.25)
    assert 20 < desk.fetches < 100, "2,000 failing calls an hour block the company"


def test_a_recovered_platform_is_asked_again_after_the_pause() -> None:
    desk = Desk()
    desk.failing = BAD_SECRET
    shared = desk.process()
    with pytest.raises(NoToken):
        shared.get()
    desk.failing = None
    with pytest.raises(NoToken, match="40001"):
        shared.get()
    desk.now += FIRST_PAUSE
    assert shared.get() == "token-2"


def test_a_failing_platform_does_not_stop_a_token_that_is_still_good() -> None:
    desk = Desk()
    shared = desk.process()
    shared.get()
    desk.failing = BAD_SECRET
    desk.now = START + HOURS - timedelta(seconds=1)
    assert shared.get() == "token-1"
    desk.now = START + HOURS
    with pytest.raises(NoToken):
        shared.get()


def test_a_platform_that_hands_out_the_rejected_token_again_is_not_asked_in_a_loop() -> None:
    desk = Desk()
    desk.hands_out = lambda _: "rejected"
    shared = desk.process()
    shared.get()
    for _ in range(20):
        with pytest.raises(NoToken) as caught:
            shared.replace("rejected")
        assert caught.value.refused.action is Action.RETRY
    assert desk.fetches == 2


def test_a_token_whose_stored_copy_vanished_is_stored_again() -> None:
    """Redis may have been emptied between the look and the fetch."""
    desk = Desk()
    shared = desk.process()
    rejected = shared.get()
    desk.store = MemoryTokenStore()
    emptied = desk.process()
    assert emptied.replace(rejected) == "token-2"
    assert desk.store.load("shop") is not None


def test_an_error_that_is_no_refusal_passes_through_and_is_not_remembered() -> None:
    store = MemoryTokenStore()
    shared = SharedToken("shop", store, lambda: Token(value=str(1 // 0), expires_at=START), lambda: START)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            shared.get()


def test_a_call_that_is_refused_for_its_token_is_made_once_more_with_another() -> None:
    desk = Desk()
    used: list[str] = []

    def call(token: str) -> str | Refused:
        used.append(token)
        return "sent" if token == "token-2" else Refused(reason="stale", action=Action.TOKEN)

    assert desk.process().spend(call) == "sent"
    assert used == ["token-1", "token-2"]


def test_a_call_that_is_refused_for_every_token_is_not_made_for_ever() -> None:
    desk = Desk()
    used: list[str] = []

    def call(token: str) -> Refused:
        used.append(token)
        return Refused(reason="stale", action=Action.TOKEN)

    assert desk.process().spend(call) == Refused(reason="stale", action=Action.TOKEN)
    assert used == ["token-1", "token-2"]


def test_without_a_token_no_call_is_made() -> None:
    desk = Desk()
    desk.failing = BAD_SECRET
    assert desk.process().spend(lambda token: pytest.fail(f"called with {token}")) == BAD_SECRET
