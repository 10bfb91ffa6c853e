"""Redis away: said when it goes, now and then, and when it is back."""

import logging

import pytest

from bot.outage import SAY_EVERY, Outage
from sessions.errors import StoreDown


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


def test_an_outage_is_said_at_its_beginning_every_half_minute_and_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    outage = Outage(monotonic=lambda: now)
    with caplog.at_level(logging.INFO, "frontdesk"):
        outage.over()
        assert actions(caplog) == []
        for _ in range(240):
            outage.met("take", StoreDown("gone"))
            now += 0.25
        assert actions(caplog) == ["store_down"] * (60 // int(SAY_EVERY))
        outage.over()
        outage.over()
    assert actions(caplog)[2:] == ["store_up"]
    assert caplog.records[1].ids["unsaid"] == 119  # type: ignore[attr-defined]
    assert caplog.records[-1].ids["seconds"] == 60  # type: ignore[attr-defined]
