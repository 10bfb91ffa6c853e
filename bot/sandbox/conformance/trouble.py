"""What goes wrong with bots: webhooks of nobody, sends that fail, tokens, windows, people, whole accounts."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from bot.sandbox.conformance.everyday import answered_after
from bot.sandbox.conformance.stage import (
    ANSWERED,
    CONNECTED,
    QUIET,
    RECOVERED,
    SLOWLY,
    UNBLOCKED,
    Failed,
    Stage,
    changed,
    until,
)
from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.simulator.mischief import Mischief
from bot.sandbox.simulator.platform import Platform
from bot.sandbox.wecom import WeComAiBotPlatform, WeComKfPlatform, WeComPlatform
from bot.sandbox.wecom.aibot import STREAM_LIFE
from bot.sandbox.wecom.callbacks import GARBAGE
from bot.sandbox.whatsapp import WhatsAppPlatform

Run = Callable[[Stage], None]

TWICE = frozenset({"lost", "gateway", "edge", "slow"})
"""Faults that leave it open whether the customer has the message: some bots rather say it twice."""


def refused(mischief: Mischief) -> Run:
    """A webhook that no bot may act upon."""

    def run(stage: Stage) -> None:
        user = stage.customer()
        stage.platform.mischief.add(mischief)
        stage.platform.say("Nobody sent this", user=user)
        time.sleep(QUIET.total_seconds())
        if stage.platform.replies(user) and not stage.platform.announces:
            raise Failed(f"a webhook that is {mischief} was answered")

    return run


def garbage(stage: Stage) -> None:
    """Well-sealed bodies that nobody can understand, some of them meant to do harm: any answer but a crash."""
    platform: Any = stage.platform  # one of WeCom's
    for kind in GARBAGE:
        delivery = platform.garbage(kind)
        if not delivery.status:
            raise Failed(f"{kind}: {delivery.error} instead of an answer")
    answered_after(stage, "Is everything all right?")


def fault(preset: str) -> Run:
    """The send goes wrong once: the customer is answered all the same; twice only where the answer got lost."""

    def run(stage: Stage) -> None:
        user = stage.customer()
        stage.platform.faults.add(*stage.platform.presets[preset])
        try:
            stage.say("Which payment methods do you accept?", user)
            stage.replies(user, 1, RECOVERED)
            stage.quiet(user, 2 if preset in TWICE else 1)
        finally:
            stage.platform.faults.clear()

    return run


def token(stage: Stage) -> None:
    """The token becomes invalid early: fetched anew, and the customer notices nothing."""
    answered_after(stage, "Hello")
    stage.platform.forget_tokens()
    user = stage.customer()
    stage.say("Can I get an invoice?", user)
    stage.one_reply(user)


def few_tokens(stage: Stage) -> None:
    """Ten answers after the token became invalid, and one fetch for all processes and all answers: platforms block
    those who fetch too often, and some take away the older token at every fetch."""
    stage.platform.forget_tokens()
    before = stage.fetches()
    crowd = [stage.customer() for _ in range(10)]
    for each in crowd:
        stage.say("How can I track my order?", each)
    for each in crowd:
        stage.replies(each, 1)
    fetched = stage.fetches() - before
    if fetched > 1:
        raise Failed(f"the token was fetched {fetched} times for 10 answers, where one is enough for all processes")


def stream(stage: Stage) -> None:
    """A stream is ended by the bot; the platform gives it six minutes, which the sandbox shortens."""
    platform: Any = stage.platform  # an AI bot's
    user = stage.customer()
    message = stage.say("How long does shipping take?", user)
    opened = platform.interactions[message]
    try:
        until(lambda: opened.finished, ANSWERED / 2, "")
    except Failed:
        platform.clock.advance(STREAM_LIFE)
        time.sleep(2 * platform.poll_every.total_seconds() + 0.5)
        platform.clock.advance(-STREAM_LIFE)
        raise Failed("the stream was never finished") from None


def reconnect(stage: Stage) -> None:
    """The long connection ends without a word: the bot opens another, and answers what comes then."""
    platform = stage.platform
    if isinstance(platform, DingTalkPlatform):
        platform.gateway.cut()
    elif isinstance(platform, WeComAiBotPlatform):
        platform.socket.cut()
    connected(platform)
    answered_after(stage, "Are you still there?")


def connected(platform: Platform[Any]) -> None:
    """Waits for the bot's long connection."""

    def there() -> bool:
        if isinstance(platform, DingTalkPlatform):
            return platform.gateway.connections > 0
        return isinstance(platform, WeComAiBotPlatform) and platform.socket.connected

    until(there, CONNECTED, "the bot opened no connection: api_base and ws_url must lead to this sandbox")


def human(stage: Stage) -> None:
    """A colleague answers in the bot's place: the bot is silent from then on."""
    platform, user = stage.platform, stage.customer()
    stage.say("Hello", user)
    stage.replies(user, 1)
    if isinstance(platform, WeComKfPlatform):
        platform.take_over(user)
    elif isinstance(platform, WhatsAppPlatform):
        platform.echo("Let me help you.", user=user)
    time.sleep(1)
    before = len(platform.replies(user))
    stage.say("Thank you, that helps", user)
    try:
        stage.quiet(user, before)
    except Failed:
        raise Failed("the bot wrote though a colleague has the conversation") from None


def closed_window(stage: Stage) -> None:
    """While the model thinks, the platform's reply window closes: the answer is kept, and not tried again and
    again."""
    platform, user = stage.platform, stage.customer()
    beyond = timedelta(hours=49)
    stage.say(f"{SLOWLY} what was it again?", user)
    before = stage.sends()
    platform.clock.advance(beyond)
    try:
        time.sleep(8)
        if platform.replies(user):
            raise Failed("answered although the window is closed")
        if (tried := stage.sends() - before) > 2:
            raise Failed(f"tried {tried} times to send through a closed window")
    finally:
        platform.clock.advance(-beyond)


def blocked_account(stage: Stage) -> None:
    """Everything is refused (a revoked token, an untrusted address, a used-up quota): few calls until it is mended,
    and then an answer."""
    platform, crowd = stage.platform, [stage.customer() for _ in range(5)]
    with blocked(platform):
        for each in crowd:
            stage.say("Is anybody there?", each)
        time.sleep(2)
        before = len(platform.calls)
        time.sleep(5)
        if (calls := len(platform.calls) - before) > 5:
            raise Failed(f"{calls} calls within 5 s to an account that is blocked")
    otherwise = f"no answer within {UNBLOCKED.total_seconds():g} s after the account was mended"
    until(lambda: any(platform.replies(each) for each in crowd), UNBLOCKED, otherwise)


def blocked(platform: Platform[Any]) -> AbstractContextManager[None]:
    """The account is blocked as long as the context lasts."""
    thing, values = BLOCKS[platform.name](platform)
    return changed(thing, **values)


BLOCKS: Mapping[str, Callable[[Any], tuple[object, Mapping[str, object]]]] = {
    WhatsAppPlatform.name: lambda platform: (platform, {"access_token": "another"}),
    WeComPlatform.name: lambda platform: (platform, {"trusted_ip": False}),
    DingTalkPlatform.name: lambda platform: (platform.quotas, {"api_calls": 1, "webhook_messages": 1}),
}
"""What blocks an account on each platform: an object, and its attributes while it is blocked."""
