"""One platform and the bot behind it, and what every journey asks of both."""

import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.simulator.journal import SentMessage
from bot.sandbox.simulator.platform import Platform
from bot.sandbox.wecom import WeComAiBotPlatform

ACK = timedelta(seconds=2)
"""The longest that a bot may take to say that it has a message. The platforms' own limits are 2.5 to 10 s, the way
there and back included."""
QUIET = timedelta(seconds=1.5)
"""How long it must be quiet until no second answer is expected any more."""
ANSWERED = timedelta(seconds=20)
RECOVERED = timedelta(seconds=60)
"""With the platform's own waits: a held reply on WhatsApp comes after some 20 s."""
UNBLOCKED = timedelta(seconds=100)
"""Of a whole account: a bot that looks once a minute is polite."""
CONNECTED = timedelta(seconds=30)
BUSY = 503

SLOWLY = "Think slowly:"
AT_LENGTH = "请详细说明"
"""What customers say to have a slow answer (3 s), and one of 2,000 characters, each three bytes long."""

PEOPLE: Mapping[str, str] = {"whatsapp": "1415{:07d}", "feishu": "ou_conform{:06d}", "telegram": "70{:08d}"}


class Failed(Exception):
    """What went wrong, in words for the table."""


def _somewhere() -> Iterator[int]:
    """Numbers that no earlier run used: a bot elsewhere may remember those customers, or keep silent to them."""
    return itertools.count(secrets.randbelow(900) * 1000 + 1)


@dataclass(slots=True)
class Stage:
    """*own_model*: the model behind the bot is ours, and knows `SLOWLY` and `AT_LENGTH`."""

    platform: Platform[Any]
    own_model: bool = False
    _customers: Iterator[int] = field(default_factory=_somewhere)

    @property
    def by_socket(self) -> bool:
        """Whether messages go by a long connection of the bot's, and there are no webhooks."""
        platform = self.platform
        if isinstance(platform, DingTalkPlatform):
            return platform.streams
        return isinstance(platform, WeComAiBotPlatform) and platform.connects

    def customer(self) -> str:
        """Somebody who never wrote before, of the kind that the platform has."""
        return PEOPLE.get(self.platform.name, "customer{:06d}").format(next(self._customers))

    def say(self, text: str, user: str) -> str:
        """Writes, and wants it acknowledged; the message's id. A bot may say once that it is busy (503): every
        platform comes again then."""
        delivery = self.platform.say(text, user=user)
        if delivery.status == BUSY and not self.by_socket:
            time.sleep(1)
            delivery = self.platform.redeliver(delivery.message_id)
        if delivery.status not in self.platform.success:
            raise Failed(f"not acknowledged: {delivery.error or f'HTTP {delivery.status}'}")
        if delivery.elapsed > ACK:
            wanted = f"{ACK.total_seconds():g} s"
            raise Failed(f"acknowledged after {delivery.elapsed.total_seconds():.1f} s instead of {wanted}")
        return delivery.message_id

    def one_reply(self, user: str, within: timedelta = ANSWERED) -> SentMessage:
        """Exactly one, and quiet after it."""
        found = self.replies(user, 1, within)
        self.quiet(user, 1)
        return found[0]

    def quiet(self, user: str, most: int) -> None:
        """*user* is told nothing for a while, and has *most* messages at the end of it."""
        time.sleep(QUIET.total_seconds())
        count = len(self.platform.replies(user))
        if count > most:
            raise Failed(f"answered {count} times" if most else "answered all the same")

    def replies(self, user: str, count: int, within: timedelta = ANSWERED) -> Sequence[SentMessage]:
        try:
            return self.platform.wait_for_replies(count, within, user=user)
        except TimeoutError:
            raise Failed(f"no answer within {within.total_seconds():g} s") from None

    def sends(self) -> int:
        """How often the bot has tried to send."""
        return sum(call.endpoint in SENDS for call in self.platform.calls)

    def fetches(self) -> int:
        """How often it has asked for a token."""
        return sum(call.endpoint == "token" for call in self.platform.calls)


SENDS = frozenset({"send", "send_group", "session", "response"})
"""Endpoints that bring a customer a message."""


def until(holds: Callable[[], bool], within: timedelta, otherwise: str) -> None:
    """Waits until *holds*; raises :class:`Failed` with *otherwise*."""
    ends = time.monotonic() + within.total_seconds()
    while not holds():
        if time.monotonic() > ends:
            raise Failed(otherwise)
        time.sleep(0.1)


@contextmanager
def changed(thing: object, **values: object) -> Iterator[None]:
    """Attributes have other values for a while."""
    former = {name: getattr(thing, name) for name in values}
    for name, value in values.items():
        setattr(thing, name, value)
    try:
        yield
    finally:
        for name, value in former.items():
            setattr(thing, name, value)
