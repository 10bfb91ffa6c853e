"""The contract of a token store. An implementation inherits the class and gives the `store` fixture, and `other`: a
second handle on the same storage, as another process would hold."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import pytest

from adapters.tokens import TokenStore
from adapters.values import Token

SHORT = timedelta(milliseconds=50)
LONG = timedelta(seconds=10)


def token(value: str = "first", *, lasts: timedelta = timedelta(hours=2)) -> Token:
    """Whole seconds: a store may keep no finer times."""
    return Token(value=value, expires_at=(datetime.now(UTC) + lasts).replace(microsecond=0))


class TokenStoreContract:
    @pytest.fixture
    def store(self) -> TokenStore:
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def other(self, store: TokenStore) -> TokenStore:
        return store

    def test_nothing_is_stored_at_first(self, store: TokenStore) -> None:
        assert store.load("shop") is None

    def test_a_stored_token_is_loaded_by_every_process(self, store: TokenStore, other: TokenStore) -> None:
        fresh = token()
        assert store.swap("shop", stale=None, fresh=fresh)
        assert store.load("shop") == other.load("shop") == fresh

    def test_the_loaded_time_is_aware(self, store: TokenStore) -> None:
        store.swap("shop", stale=None, fresh=token())
        loaded = store.load("shop")
        assert loaded is not None
        assert loaded.expires_at.utcoffset() == timedelta()

    def test_the_token_that_was_seen_is_replaced(self, store: TokenStore) -> None:
        store.swap("shop", stale=None, fresh=token("first"))
        assert store.swap("shop", stale="first", fresh=token("second"))
        loaded = store.load("shop")
        assert loaded is not None
        assert loaded.value == "second"

    @pytest.mark.parametrize("stale", [None, "older"])
    def test_a_token_that_was_not_seen_is_kept(self, store: TokenStore, stale: str | None) -> None:
        kept = token("newer")
        store.swap("shop", stale=None, fresh=kept)
        assert not store.swap("shop", stale=stale, fresh=token("late"))
        assert store.load("shop") == kept

    def test_nothing_is_stored_in_place_of_what_is_not_there(self, store: TokenStore) -> None:
        assert not store.swap("shop", stale="gone", fresh=token())
        assert store.load("shop") is None

    def test_an_ended_token_stays_until_it_is_replaced(self, store: TokenStore) -> None:
        ended = token(lasts=timedelta(seconds=-30))
        assert store.swap("shop", stale=None, fresh=ended)
        assert store.load("shop") == ended
        assert store.swap("shop", stale=ended.value, fresh=token("second"))

    @pytest.mark.parametrize("name", ["shop:1", "shop*", "店 铺", "a\nb", "{s}"])
    def test_names_do_not_mix(self, store: TokenStore, name: str) -> None:
        store.swap(name, stale=None, fresh=token("mine"))
        assert store.load("shop") is None
        assert store.load(name + "1") is None
        loaded = store.load(name)
        assert loaded is not None
        assert loaded.value == "mine"

    @pytest.mark.parametrize("value", ["x" * 512, "a|b:c\td", "令牌", "-_.~+/="])
    def test_a_value_comes_back_as_it_was(self, store: TokenStore, value: str) -> None:
        store.swap("shop", stale=None, fresh=token(value))
        loaded = store.load("shop")
        assert loaded is not None
        assert loaded.value == value

    def test_of_many_swaps_from_the_same_token_one_wins(self, store: TokenStore, other: TokenStore) -> None:
        store.swap("shop", stale=None, fresh=token("first"))
        fresh = [token(f"fresh-{number}") for number in range(24)]

        def swap(number: int) -> bool:
            handle = store if number % 2 else other
            return handle.swap("shop", stale="first", fresh=fresh[number])

        won = at_once(24, swap)
        assert won.count(True) == 1
        assert store.load("shop") == fresh[won.index(True)]

    def test_a_free_turnstile_lets_in(self, store: TokenStore) -> None:
        with store.turnstile("shop", wait=SHORT) as entered:
            assert entered
        with store.turnstile("shop", wait=SHORT) as entered:
            assert entered

    def test_a_held_turnstile_says_so_after_the_wait(self, store: TokenStore, other: TokenStore) -> None:
        def wait() -> tuple[bool, float]:
            started = monotonic()
            with other.turnstile("shop", wait=SHORT) as entered:
                return entered, monotonic() - started

        with store.turnstile("shop", wait=SHORT), ThreadPoolExecutor(1) as pool:
            entered, waited = pool.submit(wait).result()
        assert not entered
        assert waited >= SHORT.total_seconds()

    def test_who_was_not_let_in_does_not_open_it_on_leaving(self, store: TokenStore, other: TokenStore) -> None:
        def tries() -> list[bool]:
            found = []
            for _ in range(2):
                with other.turnstile("shop", wait=SHORT) as entered:
                    found.append(entered)
            return found

        with store.turnstile("shop", wait=SHORT), ThreadPoolExecutor(1) as pool:
            assert pool.submit(tries).result() == [False, False]

    def test_the_next_comes_in_as_soon_as_the_holder_leaves(self, store: TokenStore, other: TokenStore) -> None:
        left = threading.Event()

        def next_one() -> bool:
            with other.turnstile("shop", wait=LONG) as entered:
                return entered and left.is_set()

        with ThreadPoolExecutor(1) as pool:
            with store.turnstile("shop", wait=SHORT):
                waiting = pool.submit(next_one)
                sleep(0.1)
                left.set()
            assert waiting.result()

    def test_the_turnstiles_of_two_names_are_two(self, store: TokenStore) -> None:
        with store.turnstile("shop", wait=SHORT), store.turnstile("staff", wait=SHORT) as entered:
            assert entered

    def test_an_error_inside_opens_the_turnstile(self, store: TokenStore) -> None:
        with pytest.raises(ZeroDivisionError), store.turnstile("shop", wait=SHORT):
            _ = 1 / 0
        with store.turnstile("shop", wait=SHORT) as entered:
            assert entered

    def test_no_two_are_inside_at_once(self, store: TokenStore, other: TokenStore) -> None:
        inside: list[int] = []
        most: list[int] = []

        def pass_through(number: int) -> bool:
            with (store if number % 2 else other).turnstile("shop", wait=LONG) as entered:
                inside.append(number)
                most.append(len(inside))
                sleep(0.002)
                inside.remove(number)
                return entered

        assert all(at_once(16, pass_through))
        assert max(most) == 1


def at_once(threads: int, call: Callable[[int], bool]) -> list[bool]:
    """What *call* returns for 0 to *threads* − 1, all started together."""
    start = threading.Barrier(threads)

    def run(number: int) -> bool:
        start.wait()
        return call(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))
