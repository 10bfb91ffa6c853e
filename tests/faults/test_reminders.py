"""Reminders are set, called off and due while Redis, the worker and the web process are killed again and again."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from adapters.values import ConversationId, Message
from bot.turns.reminders import Reminders
from sessions.errors import StoreDown
from sessions.schedule import RedisSchedule, Schedule
from tests.acceptance.conftest import Town
from tests.faults.chance import Odds
from tests.faults.crew import Crew
from tests.faults.ledger import balance, numbers
from tests.faults.test_kill_loop import DRAINED_WITHIN, SEED, drain, kill_again_and_again, prepare

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

COUNT = 300
SECONDS = 30.0
LATEST = 15.0
"""Seconds until a reminder is due, at most."""
T = TypeVar("T")


@dataclass
class Diary:
    """Sets reminders one after another, each a second time, and calls some off. *due* are those that must come,
    *off* those that must not; of *doubtful* ones the answer whether they could still be called off was lost."""

    crew: Crew
    due: set[int] = field(default_factory=set)
    off: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join()

    def _write(self) -> None:
        chance = random.Random(f"{SEED} reminders")
        with self.crew.store() as store:
            for number in range(1, COUNT + 1):
                moment = datetime.now(UTC) + timedelta(seconds=chance.uniform(0, LATEST))
                schedule, asked = RedisSchedule(store), self._asked(number)
                self._set(schedule, asked, number, moment)
                place = self._call_off(schedule, asked, number) if chance.random() < 0.2 else self.due
                place.add(number)
                time.sleep(SECONDS / COUNT)

    def _set(self, schedule: Schedule, asked: Message, number: int, moment: datetime) -> None:
        """Twice, as a turn that is tried again does."""
        reminders, text, name = Reminders(schedule), f"#{number}", f"turn-{number}"
        for _ in range(2):
            until_stored(lambda: reminders.remind(asked, text=text, due=moment, name=name))

    def _call_off(self, schedule: Schedule, asked: Message, number: int) -> set[int]:
        try:
            return self.off if schedule.unschedule(asked.conversation, f"turn-{number}") else self.due
        except StoreDown:
            return self.doubtful

    def _asked(self, number: int) -> Message:
        user = f"4477009{number % 40:05d}"
        account = self.crew.town.whatsapp.phone_number_id
        return Message(
            id=f"wamid.{number}",
            conversation=ConversationId(channel="wa", account=account, peer=user),
            sender=user,
            text=f"Remind me of #{number}",
            sent_at=datetime.now(UTC),
            route={"to": user},
        )


def until_stored(call: Callable[[], T]) -> T:
    """Calls again while Redis is away, as the schedule allows."""
    while True:
        try:
            return call()
        except StoreDown:
            time.sleep(0.05)


def wait_until_none_is_left(crew: Crew) -> None:
    end = time.monotonic() + DRAINED_WITHIN
    while crew.depths().reminders:
        assert time.monotonic() < end, crew.depths()
        time.sleep(0.2)


def test_every_reminder_comes_once_while_everything_is_killed(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    town.names = ("wa",)  # a channel that is polled puts its next poll aside as a reminder
    prepare(town, Odds(lost=0))
    crew = Crew(town)
    diary = Diary(crew)
    with crew.at_work():
        crew.wait_until_ready()
        diary.start()
        kill_again_and_again(crew, diary)
        wait_until_none_is_left(crew)
        drain(crew)
        found = balance(diary.due, town.whatsapp.replies(), crew.dead_letters())
    told = {number for reply in town.whatsapp.replies() for number in numbers(reply.text)}
    with capsys.disabled():
        print(
            f"\nseed {SEED}, kills {dict(crew.kills)}, called off {len(diary.off)} ({len(diary.doubtful)} unsure)"
        )
        print(f"  reminders {COUNT}: {found}")
    assert (found.lost, found.doubled, dict(found.parked)) == ([], [], {})
    assert not told & diary.off
    assert len(diary.off) > COUNT / 20
