"""Tells customers that an answer is being written, beside the turns and never in their way."""

import threading
from typing import Any

from adapters.channel import Channel
from adapters.http import MaybeSent, NotSent
from adapters.values import Message
from bot import metrics
from bot.logs import log


class Announcer:
    """Runs `Channel.turn_started` on threads of its own, at most *at_once*; what is beyond is left out, because a
    late "typing …" is worth nothing. A failure is counted and forgotten."""

    def __init__(self, *, at_once: int = 32) -> None:
        self._slots = threading.BoundedSemaphore(at_once)

    def announce(self, channel: Channel[Any], message: Message) -> None:
        if type(channel).turn_started is Channel.turn_started or not self._slots.acquire(blocking=False):
            return
        threading.Thread(target=self._run, args=(channel, message), name="announce", daemon=True).start()

    def _run(self, channel: Channel[Any], message: Message) -> None:
        try:
            channel.turn_started(message)
        except (NotSent, MaybeSent) as error:
            metrics.announcements_failed_total.labels(channel=channel.name).inc()
            log("announcement_failed", channel=channel.name, reason=type(error).__name__)
        finally:
            self._slots.release()
