"""What a bot is put through on each platform, one thing at a time.

Every journey has customers of its own, so that one that fails does not spoil the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.sandbox.conformance import everyday, trouble
from bot.sandbox.conformance.stage import Stage
from bot.sandbox.conformance.trouble import Run
from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.simulator.mischief import Mischief
from bot.sandbox.simulator.platform import Platform
from bot.sandbox.telegram import TelegramPlatform
from bot.sandbox.wecom import WeComAiBotPlatform, WeComKfPlatform
from bot.sandbox.wecom.callbacks import Callbacks
from bot.sandbox.whatsapp import WhatsAppPlatform

Fits = Callable[[Stage], bool]


def _always(_: Stage) -> bool:
    return True


def _own_model(stage: Stage) -> bool:
    return stage.own_model


def _webhooks(stage: Stage) -> bool:
    return not stage.by_socket


def _fetches_tokens(stage: Stage) -> bool:
    """WhatsApp's and Telegram's tokens are the operator's, and an AI bot has none."""
    return not isinstance(stage.platform, WhatsAppPlatform | TelegramPlatform | WeComAiBotPlatform)


def _checks_addresses(stage: Stage) -> bool:
    """DingTalk checks the address of events, if there is one."""
    lacks = isinstance(stage.platform, DingTalkPlatform) and not stage.platform.event_token
    return _webhooks(stage) and hasattr(stage.platform, "verify") and not lacks


def _comes_again(stage: Stage) -> bool:
    return _webhooks(stage) and stage.platform.again_after(1) is not None


def _redelivered(stage: Stage) -> bool:
    return not (stage.by_socket and isinstance(stage.platform, WeComAiBotPlatform))


def _on(*kinds: type[Platform[Any]]) -> Fits:
    return lambda stage: isinstance(stage.platform, kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """*runs* raises :class:`~bot.sandbox.conformance.stage.Failed`. *fits*: whether it makes sense on a stage."""

    name: str
    runs: Run
    fits: Fits = _always


CONNECTION = Journey(name="connection", runs=lambda stage: trouble.connected(stage.platform))
"""Before all others, where a bot opens the connection itself."""
EVERYDAY: Sequence[Journey] = (
    Journey(name="address", runs=everyday.address, fits=_checks_addresses),
    Journey(name="text", runs=everyday.text),
    Journey(name="letters", runs=everyday.letters),
    Journey(name="slow_model", runs=everyday.slow_model, fits=_own_model),
    Journey(name="long_answer", runs=everyday.long_answer, fits=_own_model),
    Journey(name="stream", runs=trouble.stream, fits=_on(WeComAiBotPlatform)),
    Journey(name="duplicate", runs=everyday.duplicate, fits=_webhooks),
    Journey(name="late_duplicate", runs=everyday.late_duplicate, fits=_redelivered),
    Journey(name="reordered", runs=everyday.reordered, fits=_webhooks),
    Journey(name="late", runs=everyday.late, fits=_webhooks),
    Journey(name="lost_webhook", runs=everyday.lost_webhook, fits=_comes_again),
    Journey(name="burst", runs=everyday.burst),
    Journey(name="kinds", runs=everyday.kinds),
    Journey(name="batch", runs=everyday.batch, fits=_on(WhatsAppPlatform)),
    Journey(name="pages", runs=everyday.pages, fits=_on(WeComKfPlatform)),
    Journey(name="statuses", runs=everyday.statuses, fits=_on(WhatsAppPlatform)),
)
"""In this order."""
TROUBLE: Sequence[Journey] = (
    *(
        Journey(name=str(each), runs=trouble.refused(each), fits=_webhooks)
        for each in (Mischief.FORGED, Mischief.BROKEN, Mischief.OVERSIZED)
    ),
    Journey(
        name="garbage",
        runs=trouble.garbage,
        fits=lambda stage: _webhooks(stage) and isinstance(stage.platform, Callbacks),
    ),
    Journey(name="reconnect", runs=trouble.reconnect, fits=lambda stage: stage.by_socket),
    Journey(name="token", runs=trouble.token, fits=_fetches_tokens),
    Journey(name="few_tokens", runs=trouble.few_tokens, fits=_fetches_tokens),
    Journey(name="human", runs=trouble.human, fits=_on(WhatsAppPlatform, WeComKfPlatform)),
    Journey(
        name="closed_window",
        runs=trouble.closed_window,
        fits=lambda stage: stage.own_model and isinstance(stage.platform, WhatsAppPlatform | WeComKfPlatform),
    ),
)
"""After those, and before the faults of sending."""
LAST: Sequence[Journey] = (
    Journey(
        name="blocked_account",
        runs=trouble.blocked_account,
        fits=lambda stage: stage.platform.name in trouble.BLOCKS,
    ),
)


def journeys(stage: Stage) -> Sequence[Journey]:
    """Those that make sense on this platform, its common faults included."""
    faults = [Journey(name=f"fault:{name}", runs=trouble.fault(name)) for name in _faults(stage)]
    return [each for each in (*EVERYDAY, *TROUBLE, *faults, *LAST) if each.fits(stage)]


def names() -> frozenset[str]:
    """Every journey's name; those of the faults begin with `fault:`."""
    return frozenset(each.name for each in (CONNECTION, *EVERYDAY, *TROUBLE, *LAST))


SENDING = frozenset({"send", "session", "response"})
"""Endpoints whose presets are journeys. That of fetching messages (45009) makes a polite bot wait for a minute."""


def _faults(stage: Stage) -> Sequence[str]:
    """Those of sending: a file that is gone is another matter. By socket nothing is called of an AI bot."""
    if stage.by_socket and isinstance(stage.platform, WeComAiBotPlatform):
        return ()
    presets = stage.platform.presets.items()
    return [name for name, (endpoint, _) in presets if endpoint in SENDING]
