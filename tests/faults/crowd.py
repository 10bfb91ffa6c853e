"""Customers who write at a steady rate, and a platform that repeats itself."""

import random
import threading
import time
from dataclasses import dataclass, field

from tests.acceptance.conftest import Platform

CALLERS = 12
PATIENCE = 120.0
"""Seconds for which the platform repeats a message that is not answered with 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """*number* is unique; *due* seconds after the start."""

    number: int
    channel: str
    user: str
    due: float


@dataclass
class Crowd:
    """Asks *count* questions at *rate* a second, in turn on each platform, a second time with chance *repeats*. A
    user's next question comes only after the one before was answered with 200. *accepted* are numbers by
    channel, *repeated* message ids by channel."""

    platforms: dict[str, Platform]
    seed: int
    count: int
    rate: float
    repeats: float = 0.05
    accepted: dict[str, list[int]] = field(default_factory=dict)
    repeated: list[tuple[str, str]] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.accepted = {name: [] for name in self.platforms}
        channels = sorted(self.platforms)
        users = max(1, self.count // 4)
        began = time.monotonic()
        queues: list[list[Question]] = [[] for _ in range(CALLERS)]
        for number in range(1, self.count + 1):
            user = random.Random(f"{self.seed} {number}").randrange(users)
            channel = channels[user % len(channels)]
            question = Question(
                number=number,
                channel=channel,
                user=f"4477009{user:05d}",
                due=began + number / self.rate,
            )
            queues[user % CALLERS].append(question)
        self._threads = [
            threading.Thread(target=self._ask_all, args=(place, queue)) for place, queue in enumerate(queues)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def repeat_all(self) -> None:
        """Every repeated message once more, long after it was answered."""
        for channel, message_id in self.repeated:
            assert self.platforms[channel].redeliver(message_id).status == 200

    def _ask_all(self, place: int, queue: list[Question]) -> None:
        chance = random.Random(f"{self.seed} caller {place}")
        for question in queue:
            time.sleep(max(0.0, question.due - time.monotonic()))
            self._ask(question, again=chance.random() < self.repeats)

    def _ask(self, question: Question, *, again: bool) -> None:
        platform = self.platforms[question.channel]
        delivery = platform.say(f"Question #{question.number}", user=question.user)
        end = time.monotonic() + PATIENCE
        while delivery.status != 200 and time.monotonic() < end:
            time.sleep(0.2)
            delivery = platform.redeliver(delivery.message_id)
        if delivery.status == 200:
            self.accepted[question.channel].append(question.number)
            if again:
                self.repeated.append((question.channel, delivery.message_id))
                platform.redeliver(delivery.message_id)
