"""What a bot is put through on each platform, one thing at a time.

Every journey has customers of its own, so that one that fails does not spoil the next.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.sandbox.simulator.journal import SentMessage
from bot.sandbox.simulator.mischief import Mischief
from bot.sandbox.simulator.platform import Platform

ACK = timedelta(seconds=1)
"""The longest that a bot may take to say that it has a message: WeCom's and Feishu's limits are near."""
QUIET = timedelta(seconds=1.5)
"""How long it must be quiet until no second answer is expected any more."""
ANSWERED = timedelta(seconds=20)
RECOVERED = timedelta(seconds=60)
"""With the platform's own waits: a held reply on WhatsApp comes after some 20 s."""


SLOWLY = "Think slowly:"
AT_LENGTH = "请详细说明"
"""What customers say to have a slow answer (3 s), and one of 2,000 characters, each three bytes long."""


class Failed(Exception):
    """What went wrong, in words for the table."""


@dataclass(slots=True)
class Stage:
    """One platform and the bot behind it. *own_model*: the model behind that is ours, and knows `SLOWLY` and
    `AT_LENGTH`."""

    platform: Platform[Any]
    own_model: bool = False
    _customers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def customer(self) -> str:
        """Somebody who never wrote before, of the kind that the platform has."""
        number = next(self._customers)
        return PEOPLE.get(self.platform.name, "customer{:03d}").format(number)

    def say(self, text: str, user: str) -> str:
        """Writes, and wants it acknowledged; the message's id."""
        delivery = self.platform.say(text, user=user)
        if delivery.status not in self.platform.success:
            raise Failed(f"not acknowledged: {delivery.error or f'HTTP {delivery.status}'}")
        if delivery.elapsed > ACK:
            raise Failed(f"acknowledged after {delivery.elapsed.total_seconds():.1f} s instead of 1 s")
        return delivery.message_id

    def one_reply(self, user: str, within: timedelta = ANSWERED) -> SentMessage:
        """Exactly one, and quiet after it."""
        found = self.replies(user, 1, within)
        time.sleep(QUIET.total_seconds())
        if len(self.platform.replies(user)) > 1:
            raise Failed(f"answered {len(self.platform.replies(user))} times")
        return found[0]

    def replies(self, user: str, count: int, within: timedelta = ANSWERED) -> Sequence[SentMessage]:
        try:
            return self.platform.wait_for_replies(count, within, user=user)
        except TimeoutError:
            raise Failed(f"no answer within {within.total_seconds():g} s") from None


PEOPLE: Mapping[str, str] = {"whatsapp": "1415556{:04d}", "feishu": "ou_conform{:03d}", "telegram": "70010{:04d}"}

Run = Callable[[Stage], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """*runs* raises :class:`Failed`. *needs*: what the platform must have; *own_model*: a model of ours."""

    name: str
    runs: Run
    needs: str = ""
    own_model: bool = False


def _address(stage: Stage) -> None:
    delivery = stage.platform.verify()  # type: ignore[attr-defined]
    if delivery.status != 200:
        raise Failed(f"the check of the address failed: {delivery.error or f'HTTP {delivery.status}'}")


def _text(stage: Stage) -> None:
    user = stage.customer()
    stage.say("How long does shipping take?", user)
    if not stage.one_reply(user).text.strip():
        raise Failed("an empty answer")


def _slow_model(stage: Stage) -> None:
    user = stage.customer()
    stage.say(f"{SLOWLY} how long does shipping take?", user)
    stage.one_reply(user)


def _long_answer(stage: Stage) -> None:
    user = stage.customer()
    stage.say(AT_LENGTH, user)
    stage.replies(user, 1)
    time.sleep(QUIET.total_seconds())


def _duplicate(stage: Stage) -> None:
    user = stage.customer()
    stage.platform.mischief.add(Mischief.DUPLICATE)
    stage.say("Can I return something?", user)
    stage.one_reply(user)


def _late_duplicate(stage: Stage) -> None:
    user = stage.customer()
    message = stage.say("Can I pay by card?", user)
    stage.replies(user, 1)
    stage.platform.redeliver(message)
    stage.one_reply(user)


def _burst(stage: Stage) -> None:
    """Quick messages of one customer, and twenty customers at once: all are answered, nobody twice."""
    user = stage.customer()
    for number in range(stage.platform.most_open):
        stage.say(f"Question {number}: how long does shipping take?", user)
    stage.replies(user, 1)
    crowd = [stage.customer() for _ in range(20)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda each: stage.say("How can I track my order?", each), crowd))
    for each in crowd:
        stage.replies(each, 1)
    time.sleep(QUIET.total_seconds())
    twice = [each for each in crowd if len(stage.platform.replies(each)) > 1]
    if twice:
        raise Failed(f"{len(twice)} of 20 customers were answered more than once")


def _reordered(stage: Stage) -> None:
    user = stage.customer()
    stage.platform.mischief.add(Mischief.HELD)
    stage.platform.say("First: do you ship abroad?", user=user)
    stage.say("Second: how much is it?", user)
    stage.replies(user, 1)


def _refused(mischief: Mischief) -> Run:
    def run(stage: Stage) -> None:
        user = stage.customer()
        stage.platform.mischief.add(mischief)
        stage.platform.say("Nobody sent this", user=user)
        time.sleep(QUIET.total_seconds())
        if stage.platform.replies(user) and not stage.platform.announces:
            raise Failed(f"a {mischief} webhook was answered")

    return run


def _fault(preset: str) -> Run:
    """The send goes wrong once: the customer is answered all the same; twice only where the answer got lost."""

    def run(stage: Stage) -> None:
        user = stage.customer()
        stage.platform.faults.add(*stage.platform.presets[preset])
        try:
            stage.say("Which payment methods do you accept?", user)
            stage.replies(user, 1, RECOVERED)
            time.sleep(QUIET.total_seconds())
            most = 2 if preset in ("lost", "gateway", "edge", "slow") else 1
            if len(stage.platform.replies(user)) > most:
                raise Failed(f"answered {len(stage.platform.replies(user))} times")
        finally:
            stage.platform.faults.clear()

    return run


def _token(stage: Stage) -> None:
    """The token becomes invalid early: fetched anew, once, and the customer notices nothing."""
    user = stage.customer()
    stage.say("Hello", user)
    stage.replies(user, 1)
    stage.platform.forget_tokens()
    other = stage.customer()
    stage.say("Can I get an invoice?", other)
    stage.one_reply(other)


def _few_tokens(stage: Stage) -> None:
    """Twenty messages, and at most a few fetches of the token: platforms block those who fetch too often."""
    before = _fetches(stage)
    for _ in range(10):
        user = stage.customer()
        stage.say("How can I track my order?", user)
        stage.replies(user, 1)
    fetched = _fetches(stage) - before
    if fetched > 3:
        raise Failed(f"the token was fetched {fetched} times for 10 answers")


def _fetches(stage: Stage) -> int:
    return sum(call.endpoint == "token" for call in stage.platform.calls)


def _kinds(stage: Stage) -> None:
    """Whatever a customer can send is acknowledged, and breaks nothing."""
    for kind in (each for each in stage.platform.kinds if each not in stage.platform.grave):
        delivery = stage.platform.write(kind)
        if delivery.status not in stage.platform.success and delivery.error not in TOLERATED:
            raise Failed(f"{kind} was not acknowledged: {delivery.error or f'HTTP {delivery.status}'}")


TOLERATED = frozenset({"once a day", "three are open already"})
"""What the simulated platform itself says no to."""

REVOKED_FOR_GOOD = frozenset({"whatsapp", "telegram"})
"""Their tokens are the operator's: nothing can fetch another."""

JOURNEYS: Sequence[Journey] = (
    Journey(name="address", runs=_address, needs="verify"),
    Journey(name="text", runs=_text),
    Journey(name="slow_model", runs=_slow_model, own_model=True),
    Journey(name="long_answer", runs=_long_answer, own_model=True),
    Journey(name="duplicate", runs=_duplicate),
    Journey(name="late_duplicate", runs=_late_duplicate),
    Journey(name="reordered", runs=_reordered),
    Journey(name="burst", runs=_burst),
    Journey(name="kinds", runs=_kinds),
    *(
        Journey(name=str(each), runs=_refused(each))
        for each in (Mischief.FORGED, Mischief.BROKEN, Mischief.OVERSIZED)
    ),
    Journey(name="token", runs=_token, needs="token"),
    Journey(name="few_tokens", runs=_few_tokens, needs="token"),
)


def journeys(stage: Stage) -> Sequence[Journey]:
    """Those that make sense on this platform, its common faults included."""
    faults = [Journey(name=f"fault:{preset}", runs=_fault(preset)) for preset in _faults(stage.platform)]
    return [each for each in (*JOURNEYS, *faults) if _possible(each, stage)]


def _faults(platform: Platform[Any]) -> Sequence[str]:
    """Those of sending: a file that is gone, or a page of messages, is another matter."""
    return [name for name, (endpoint, _) in platform.presets.items() if endpoint in ("send", "session", "response")]


def _possible(journey: Journey, stage: Stage) -> bool:
    if journey.own_model and not stage.own_model:
        return False
    if journey.needs == "verify":
        return hasattr(stage.platform, "verify")
    if journey.needs == "token":
        return stage.platform.name not in (*REVOKED_FOR_GOOD, "wecom-aibot")
    return True
