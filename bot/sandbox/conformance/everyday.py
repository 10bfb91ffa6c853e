"""What happens to a bot on any day: words, slow models, messages twice, late, lost, in heaps, and of every kind."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from bot.sandbox.conformance.stage import ANSWERED, AT_LENGTH, QUIET, SLOWLY, Failed, Stage, changed
from bot.sandbox.simulator.journal import Delivery
from bot.sandbox.simulator.mischief import Mischief
from bot.sandbox.whatsapp.envelopes import BATCHES

LETTERS = 'Is 50% off at a/b <shop@example.com> & "more" für 你好 👍🏽 \\ ok?'
"""Whatever a JSON or XML encoder may write in more than one way."""
TOLERATED = frozenset({"once a day", "three are open already"})
"""What the simulated platform itself says no to."""


def address(stage: Stage) -> None:
    """The platform's check of the webhook's URL."""
    delivery = stage.platform.verify()  # type: ignore[attr-defined]
    if delivery.status != 200:
        raise Failed(f"the check of the address failed: {delivery.error or f'HTTP {delivery.status}'}")


def text(stage: Stage) -> None:
    """A question, and exactly one answer."""
    user = stage.customer()
    stage.say("How long does shipping take?", user)
    if not stage.one_reply(user).text.strip():
        raise Failed("an empty answer")


def letters(stage: Stage) -> None:
    """Letters that encoders escape: a proof over anything but the bytes as received fails here."""
    user = stage.customer()
    stage.say(LETTERS, user)
    stage.one_reply(user)


def slow_model(stage: Stage) -> None:
    """The model thinks for 3 seconds: the platform is told at once that the message is there."""
    user = stage.customer()
    stage.say(f"{SLOWLY} how long does shipping take?", user)
    stage.one_reply(user)


def long_answer(stage: Stage) -> None:
    """An answer of 2,000 characters and 6,000 bytes, within what one message may hold."""
    user = stage.customer()
    stage.say(AT_LENGTH, user)
    stage.replies(user, 1)
    time.sleep(QUIET.total_seconds())


def duplicate(stage: Stage) -> None:
    """The same webhook twice at the same time."""
    user = stage.customer()
    stage.platform.mischief.add(Mischief.DUPLICATE)
    stage.say("Can I return something?", user)
    stage.one_reply(user)


def late_duplicate(stage: Stage) -> None:
    """The same message again after it was answered."""
    user = stage.customer()
    message = stage.say("Can I pay by card?", user)
    stage.replies(user, 1)
    time.sleep(0.3)
    stage.platform.redeliver(message)
    stage.one_reply(user)


def late(stage: Stage) -> None:
    """A message that was two seconds on its way."""
    user = stage.customer()
    with changed(stage.platform.mischief, late=timedelta(seconds=2)):
        stage.platform.mischief.add(Mischief.LATE)
        stage.say("Do you have gift cards?", user)
    stage.one_reply(user)


def lost_webhook(stage: Stage) -> None:
    """A webhook gets lost, and comes again as the platform does it, its schedule shortened."""
    platform, user = stage.platform, stage.customer()
    wait = platform.again_after(1) or timedelta()
    with changed(platform, redelivers=True, speed=max(1.0, wait.total_seconds())):
        platform.mischief.add(Mischief.DROPPED)
        platform.say("Is my order on its way?", user=user)
        stage.one_reply(user)


def reordered(stage: Stage) -> None:
    """Two messages change places."""
    user = stage.customer()
    stage.platform.mischief.add(Mischief.HELD)
    stage.platform.say("First: do you ship abroad?", user=user)
    stage.say("Second: how much is it?", user)
    stage.replies(user, 1)


def burst(stage: Stage) -> None:
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


def kinds(stage: Stage) -> None:
    """Whatever a customer can send is acknowledged, and breaks nothing."""
    for kind in (each for each in stage.platform.kinds if each not in stage.platform.grave):
        _heard(kind, stage.platform.write(kind), stage)


def batch(stage: Stage) -> None:
    """Several messages share one webhook, in each of the three shapes: everybody is answered."""
    platform: Any = stage.platform  # WhatsApp's
    for shape in BATCHES:
        crowd = [stage.customer() for _ in range(3)]
        with changed(platform, batch=len(crowd), batch_shape=shape):
            *_, last = [platform.say("How can I pay?", user=each) for each in crowd]
        _heard(f"a batch of {shape}", last, stage)
        for each in crowd:
            try:
                stage.replies(each, 1)
            except Failed as failed:
                raise Failed(f"a batch of {shape}: {failed}") from None


def pages(stage: Stage) -> None:
    """Messages are fetched page by page, and an empty page may promise more."""
    crowd = [stage.customer() for _ in range(3)]
    with changed(stage.platform, page_limit=1, blank_pages=1):
        for each in crowd:
            stage.say("How can I pay?", each)
        for each in crowd:
            stage.replies(each, 1)


def statuses(stage: Stage) -> None:
    """`sent` before the answer to the send, `read` without `delivered`, and `failed` after all."""
    platform: Any = stage.platform  # WhatsApp's
    for habit in ({"early": True}, {"reads": True, "skips": True}, {"fails": 131026}):
        user = stage.customer()
        with changed(platform.habits, off=False, **habit):
            stage.say("How can I pay?", user)
            stage.one_reply(user)


def _heard(what: str, delivery: Delivery, stage: Stage) -> None:
    if delivery.status not in stage.platform.success and delivery.error not in TOLERATED:
        raise Failed(f"{what} was not acknowledged: {delivery.error or f'HTTP {delivery.status}'}")


def answered_after(stage: Stage, words: str, within: timedelta = ANSWERED) -> None:
    """Somebody new asks, and is answered."""
    user = stage.customer()
    stage.say(words, user)
    stage.replies(user, 1, within)
