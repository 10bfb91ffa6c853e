"""The contract of a meter. An implementation inherits the class and gives `meter`, and `other`: another process's
handle on the same counts."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.meter import Meter

NOVEMBER = "2026-11"


class MeterContract:
    @pytest.fixture
    def meter(self) -> Meter:
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def other(self, meter: Meter) -> Meter:
        return meter

    def test_nothing_is_counted_at_first(self, meter: Meter) -> None:
        assert dict(meter.read("shop", month=NOVEMBER)) == {}

    def test_counting_tells_the_months_total(self, meter: Meter) -> None:
        totals = [meter.add("shop", "sent", month=NOVEMBER, count=count) for count in (1, 5, 1)]
        assert totals == [1, 6, 7]

    def test_one_is_counted_unless_more_are_named(self, meter: Meter) -> None:
        assert meter.add("shop", "sent", month=NOVEMBER) == 1

    def test_a_months_counts_are_read_by_what_was_counted(self, meter: Meter, other: Meter) -> None:
        meter.add("shop", "sent", month=NOVEMBER, count=2)
        meter.add("shop", "priced_free", month=NOVEMBER)
        assert dict(other.read("shop", month=NOVEMBER)) == {"sent": 2, "priced_free": 1}

    def test_months_and_channels_are_counted_apart(self, meter: Meter) -> None:
        meter.add("shop", "sent", month=NOVEMBER)
        meter.add("shop", "sent", month="2026-12", count=2)
        meter.add("staff", "sent", month=NOVEMBER, count=3)
        assert dict(meter.read("shop", month="2026-12")) == {"sent": 2}
        assert dict(meter.read("staff", month=NOVEMBER)) == {"sent": 3}

    @pytest.mark.parametrize("channel", ["shop:2026", "店 {1}*", "shop%3A"])
    def test_a_channels_name_may_hold_anything(self, meter: Meter, channel: str) -> None:
        meter.add(channel, "sent", month=NOVEMBER)
        assert dict(meter.read(channel, month=NOVEMBER)) == {"sent": 1}
        assert dict(meter.read("shop", month=NOVEMBER)) == {}

    def test_what_many_count_at_once_is_all_counted(self, meter: Meter, other: Meter) -> None:
        handles = [meter, other] * 100
        with ThreadPoolExecutor(16) as pool:
            totals = list(pool.map(lambda handle: handle.add("shop", "sent", month=NOVEMBER), handles))
        assert sorted(totals) == list(range(1, 201))
