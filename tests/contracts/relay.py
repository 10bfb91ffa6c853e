"""The contract of a relay. An implementation inherits the class and gives `relay` (a worker's), `holder` (that of
the process that holds the connection), `fresh` and `pass_time`."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

import pytest

from adapters.relay import NobodyConnected, Relay
from adapters.shared import Errand

NOTHING = timedelta()
SOON = timedelta(seconds=10)
"""How long a test waits for what must come."""
SHORT = timedelta(milliseconds=200)

PassTime = Callable[[timedelta], None]


@contextmanager
def connected(holder: Relay, channel: str = "shop", *, says: Callable[[str], str] = str.upper) -> Iterator[None]:
    """A process that answers every errand with what the platform *says* to it."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            if (errand := holder.take(channel, wait=SHORT)) is not None and errand.awaited:
                holder.answer(errand, says(errand.frame))

    holder.take(channel, wait=NOTHING)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def taken(holder: Relay, channel: str = "shop") -> Errand:
    errand = holder.take(channel, wait=SOON)
    assert errand is not None
    return errand


class RelayContract:
    @pytest.fixture
    def relay(self) -> Relay:
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def holder(self, relay: Relay) -> Relay:
        return relay

    @pytest.fixture
    def fresh(self) -> timedelta:
        """For so long after its last `take` a connection counts as up."""
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def pass_time(self) -> PassTime:
        raise NotImplementedError("the implementation's own fixture")

    def test_what_is_asked_is_answered(self, relay: Relay, holder: Relay) -> None:
        with connected(holder):
            assert relay.ask("shop", "hello", wait=SOON) == "HELLO"

    def test_without_a_connection_nothing_is_asked(self, relay: Relay, holder: Relay) -> None:
        with pytest.raises(NobodyConnected):
            relay.ask("shop", "hello", wait=SOON)
        assert relay.tell("shop", "hello") is False
        assert holder.take("shop", wait=NOTHING) is None

    def test_another_channels_connection_is_none_of_ours(self, relay: Relay, holder: Relay) -> None:
        holder.take("staff", wait=NOTHING)
        with pytest.raises(NobodyConnected):
            relay.ask("shop", "hello", wait=SOON)

    def test_a_connection_counts_as_up_for_a_while_after_its_last_look(
        self, relay: Relay, holder: Relay, fresh: timedelta, pass_time: PassTime
    ) -> None:
        holder.take("shop", wait=NOTHING)
        pass_time(fresh * 0.4)
        assert relay.tell("shop", "hello") is True
        pass_time(fresh * 0.8)
        with pytest.raises(NobodyConnected):
            relay.ask("shop", "hello", wait=SHORT)
        assert relay.tell("shop", "hello") is False

    def test_an_errand_tells_what_is_wanted(self, relay: Relay, holder: Relay) -> None:
        holder.take("shop", wait=NOTHING)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(relay.ask, "shop", '{"cmd": "说 \\ud800"}', wait=SOON)
            errand = taken(holder)
            holder.answer(errand, '{"errcode": 0, "说": "\ud800"}')
            assert answer.result() == '{"errcode": 0, "说": "\ud800"}'
        assert (errand.frame, errand.awaited) == ('{"cmd": "说 \\ud800"}', True)
        assert errand.until.utcoffset() == NOTHING

    def test_what_is_told_wants_no_answer(self, relay: Relay, holder: Relay) -> None:
        holder.take("shop", wait=NOTHING)
        assert relay.tell("shop", "hello") is True
        errand = taken(holder)
        assert (errand.frame, errand.awaited) == ("hello", False)
        holder.answer(errand, "ignored")

    def test_errands_come_once_and_in_order(self, relay: Relay, holder: Relay) -> None:
        holder.take("shop", wait=NOTHING)
        for number in range(10):
            relay.tell("shop", str(number))
        found = [taken(holder) for _ in range(10)]
        assert [errand.frame for errand in found] == [str(number) for number in range(10)]
        assert len({errand.id for errand in found}) == 10
        assert holder.take("shop", wait=NOTHING) is None

    def test_an_empty_answer_is_an_answer(self, relay: Relay, holder: Relay) -> None:
        with connected(holder, says=lambda _: ""):
            assert relay.ask("shop", "hello", wait=SOON) == ""

    def test_who_waits_in_vain_is_told_so_in_time(self, relay: Relay, holder: Relay) -> None:
        holder.take("shop", wait=NOTHING)
        started = monotonic()
        assert relay.ask("shop", "hello", wait=SHORT) is None
        assert SHORT.total_seconds() <= monotonic() - started < SHORT.total_seconds() + 1

    def test_what_nobody_waits_for_any_more_is_not_run(
        self, relay: Relay, holder: Relay, pass_time: PassTime
    ) -> None:
        holder.take("shop", wait=NOTHING)
        assert relay.ask("shop", "too late", wait=SHORT) is None
        pass_time(SHORT)
        holder.take("shop", wait=NOTHING)
        relay.tell("shop", "in time")
        assert taken(holder).frame == "in time"

    def test_a_told_errand_that_nobody_took_is_dropped(
        self, relay: Relay, holder: Relay, fresh: timedelta, pass_time: PassTime
    ) -> None:
        holder.take("shop", wait=NOTHING)
        relay.tell("shop", "too late")
        pass_time(fresh * 1.2)
        assert holder.take("shop", wait=NOTHING) is None

    def test_a_late_answer_is_nobodys(self, relay: Relay, holder: Relay) -> None:
        holder.take("shop", wait=NOTHING)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(relay.ask, "shop", "first", wait=SHORT)
            errand = taken(holder)
            assert first.result() is None
            holder.answer(errand, "late")
            second = pool.submit(relay.ask, "shop", "second", wait=SOON)
            holder.answer(taken(holder), "in time")
            assert second.result() == "in time"

    def test_a_take_waits_for_an_errand(self, relay: Relay, holder: Relay) -> None:
        holder.take("shop", wait=NOTHING)
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(holder.take, "shop", wait=SOON)
            relay.tell("shop", "hello")
            errand = found.result()
        assert errand is not None
        assert errand.frame == "hello"

    def test_a_take_comes_back_with_nothing_in_time(self, holder: Relay) -> None:
        started = monotonic()
        assert holder.take("shop", wait=SHORT) is None
        assert SHORT.total_seconds() * 0.9 <= monotonic() - started < SHORT.total_seconds() + 1

    def test_each_of_many_who_ask_at_once_gets_his_own_answer(self, relay: Relay, holder: Relay) -> None:
        """More than there are connections to a store."""
        with connected(holder), ThreadPoolExecutor(100) as pool:
            frames = [f"frame {number}" for number in range(400)]
            answers = list(pool.map(lambda frame: relay.ask("shop", frame, wait=SOON), frames))
        assert answers == [frame.upper() for frame in frames]

    def test_answers_may_come_in_any_order(self, relay: Relay, holder: Relay) -> None:
        holder.take("shop", wait=NOTHING)
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(relay.ask, "shop", str(number), wait=SOON) for number in range(8)]
            errands = [taken(holder) for _ in asked]
            for errand in reversed(errands):
                holder.answer(errand, f"answer {errand.frame}")
            assert [answer.result() for answer in asked] == [f"answer {number}" for number in range(8)]

    def test_who_gives_up_leaves_the_others_their_answers(self, relay: Relay, holder: Relay) -> None:
        """Whoever reads for all may be the first to go."""
        holder.take("shop", wait=NOTHING)
        with ThreadPoolExecutor(3) as pool:
            hasty = pool.submit(relay.ask, "shop", "hasty", wait=SHORT)
            assert taken(holder).frame == "hasty"
            patient = [pool.submit(relay.ask, "shop", "patient", wait=SOON) for _ in range(2)]
            errands = [taken(holder) for _ in patient]
            assert hasty.result() is None
            for errand in errands:
                holder.answer(errand, "here")
            assert [answer.result() for answer in patient] == ["here", "here"]
