"""The built-in reminder: what times it takes, and that it is set once."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest

from inference.scripted import calling
from inference.tools import reminder
from inference.tools.reminder import LATEST, LONGEST_TEXT
from inference.tools.tool import Tool
from tests.inference.tool_kit import NOW, Counter

SHANGHAI = timezone(timedelta(hours=8))
IN_AN_HOUR = (NOW + timedelta(hours=1)).astimezone(SHANGHAI).isoformat()


@dataclass
class Diary:
    """A :class:`~inference.tools.reminder.Remind` that keeps a name once."""

    set: dict[str, tuple[str, datetime, object]] = field(default_factory=dict)

    def remind(self, origin: object, *, text: str, due: datetime, name: str) -> bool:
        new = name not in self.set
        self.set[name] = (text, due, origin)
        return new


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def counter(diary: Diary) -> Counter:
    act = reminder.act_with(diary.remind)
    return Counter([Tool(name="set_reminder", description="d", schema=reminder.SCHEMA, act=act)])


def ask(counter: Counter, text: str, time: str, turn: str = "turn-1") -> str:
    counter.model.script(calling(("set_reminder", json.dumps({"text": text, "time": time}))))
    counter.ask("Remind me", turn=turn, origin="the message")
    return counter.told()[0]


def test_a_reminder_is_set_for_the_time_that_the_customer_named(counter: Counter, diary: Diary) -> None:
    told = json.loads(ask(counter, " call \n mum ", IN_AN_HOUR))
    assert told == {"set": True, "time": IN_AN_HOUR, "text": "call mum"}
    assert list(diary.set.values()) == [("call mum", NOW + timedelta(hours=1), "the message")]


def test_a_turn_that_is_tried_again_sets_it_once_and_says_so(counter: Counter, diary: Diary) -> None:
    ask(counter, "call mum", IN_AN_HOUR)
    assert json.loads(ask(counter, "call mum", IN_AN_HOUR))["note"] == "was set already"
    assert len(diary.set) == 1
    ask(counter, "call mum", IN_AN_HOUR, turn="turn-2")
    assert len(diary.set) == 2


WRONG = {
    "no date": ("tomorrow at five", "not ISO 8601"),
    "a time alone": ("17:30:00+08:00", "not ISO 8601"),
    "a date that is none": ("2026-02-30T10:00:00+00:00", "not ISO 8601"),
    "no zone": ("2026-11-20T17:30:00", "no UTC offset"),
    "the past": ((NOW - timedelta(seconds=1)).isoformat(), "is past; it is 2026-11-20T09:00:00+00:00 now"),
    "this moment": (NOW.isoformat(), "is past"),
    "beyond a month": ((NOW + LATEST + timedelta(seconds=1)).isoformat(), "more than 30 days"),
    "the end of time": ("9999-12-31T23:59:59-23:59", "more than 30 days"),
    "the beginning of time": ("0001-01-01T00:00:00+23:59", "is past"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_time_that_cannot_be_is_told_with_the_reason(case: str, counter: Counter, diary: Diary) -> None:
    time, words = WRONG[case]
    assert words in ask(counter, "call mum", time)
    assert diary.set == {}


@pytest.mark.parametrize("text", ["", "   ", "x" * (LONGEST_TEXT + 1)])
def test_a_text_of_nothing_or_of_a_page_is_not_taken(text: str, counter: Counter, diary: Diary) -> None:
    assert ask(counter, text, IN_AN_HOUR).startswith("Failed: ")
    assert diary.set == {}


def test_the_last_moment_of_a_month_is_taken(counter: Counter, diary: Diary) -> None:
    ask(counter, "call mum", (NOW + LATEST).isoformat())
    assert len(diary.set) == 1
