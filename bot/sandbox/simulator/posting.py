"""The platform's webhooks on their way to the bot: posted, misbehaving on purpose, and posted again if unheard."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.courier import Courier, Heard, Later
from bot.sandbox.simulator.journal import Delivery, Journal, Webhook
from bot.sandbox.simulator.mischief import Mischief, Mischiefs

DROPPED = "dropped by mischief"
"""The error of a delivery that got lost on purpose, and may come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One webhook, signed and ready: *query* is encoded, *clear* what an encrypted *body* holds; *suffix* follows
    the bot's own address (`/card`)."""

    what: str
    message_id: str
    method: str = "POST"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    clear: str = ""
    suffix: str = ""


class Sender(Protocol):
    """What the postman needs of a platform. *webhook_url* may be several addresses with spaces between them:
    those of one bot behind a load balancer."""

    webhook_url: str
    redelivers: bool
    speed: float
    clock: Clock
    journal: Journal
    mischief: Mischiefs

    @property
    def patience(self) -> timedelta: ...

    @property
    def success(self) -> frozenset[int]: ...

    def forged(self, post: Post) -> Post: ...

    def sealed(self, post: Post, body: bytes) -> Post: ...

    def oversized(self) -> int: ...

    def again_after(self, attempt: int) -> timedelta | None: ...

    def check_answer(self, post: Post, heard: Heard) -> None: ...

    def breach(self, rule: str, detail: str) -> None: ...


class Postman:
    """Carries one platform's webhooks. Thread-safe."""

    def __init__(self, platform: Sender) -> None:
        self._platform = platform
        self._courier = Courier()
        self._later: Later | None = None
        self._held: list[Callable[[], Delivery]] = []
        self._turns = itertools.count()

    def start(self) -> None:
        self._later = Later()

    def stop(self) -> None:
        if self._later:
            self._later.stop()
            self._later = None
        self._courier.close()

    def later(self, action: Callable[[], object], after: timedelta = timedelta()) -> None:
        """Does *action* beside the callers' own threads; nothing, once stopped."""
        waiting = self._later
        if waiting:
            waiting.do(action, after=after)

    @property
    def pending(self) -> int:
        """How many webhooks and other things are still to be done."""
        return self._later.pending if self._later else 0

    def carry(self, compose: Callable[[], Post]) -> Delivery:
        """Posts a new message, with the mischief that waits for it; whatever was held goes out behind it."""
        mischief = self._platform.mischief.take()
        if mischief is Mischief.HELD:
            self._held.append(lambda: self.post(compose))
            post = compose()
            return Delivery(
                status=0, body=b"", elapsed=timedelta(), message_id=post.message_id, error="held back by mischief"
            )
        delivery = self._with(mischief, compose)
        while self._held:
            self._held.pop(0)()
        return delivery

    def _with(self, mischief: Mischief | None, compose: Callable[[], Post]) -> Delivery:
        match mischief:
            case Mischief.DUPLICATE:
                self.later(lambda: self.post(compose, attempt=2, again=False))
                return self.post(compose)
            case Mischief.DROPPED:
                return self._drop(compose)
            case Mischief.LATE:
                time.sleep(self._platform.mischief.late.total_seconds())
                return self.post(compose)
            case Mischief.FORGED:
                return self._wrong(
                    self._platform.forged(compose()), "forged_webhook_accepted", refused=range(400, 500)
                )
            case Mischief.BROKEN:
                post = compose()
                broken = self._platform.sealed(post, (post.clear.encode() or post.body)[:-7])
                return self._wrong(broken, "broken_webhook_crashed", refused=range(200, 500))
            case Mischief.OVERSIZED:
                huge = self._platform.sealed(compose(), b" " * self._platform.oversized())
                return self._wrong(huge, "oversized_webhook_accepted", refused=range(400, 500))
            case _:
                return self.post(compose)

    def _drop(self, compose: Callable[[], Post]) -> Delivery:
        wait = self._platform.again_after(1) if self._platform.redelivers else None
        if wait is not None:
            self.later(lambda: self.post(compose, attempt=2), wait / self._platform.speed)
        return Delivery(status=0, body=b"", elapsed=timedelta(), message_id=compose().message_id, error=DROPPED)

    def _wrong(self, post: Post, rule: str, *, refused: range) -> Delivery:
        """Posts what no bot may act upon; the answer must be one of *refused*, or a connection that was closed."""
        delivery = self.post(lambda: replace(post, what="mischief"), again=False)
        if delivery.status and delivery.status not in refused:
            self._platform.breach(rule, f"the bot answered {delivery.status}")
        return delivery

    def post(self, compose: Callable[[], Post], *, attempt: int = 1, again: bool = True) -> Delivery:
        """Posts one webhook and, if the platform does so and *again*, repeats it later until it is heard."""
        post, at = compose(), self._platform.clock.now()
        url, heard = self._carried(post)
        self._note(post, url, attempt, heard, at)
        taken = heard.status in self._platform.success
        if post.what != "mischief":
            self._judge(post, heard, taken=taken)
        wait = None if taken or not again or not self._platform.redelivers else self._platform.again_after(attempt)
        if wait is not None:
            self.later(lambda: self.post(compose, attempt=attempt + 1), wait / self._platform.speed)
        return Delivery(
            status=heard.status,
            body=heard.body,
            elapsed=heard.elapsed,
            message_id=post.message_id,
            error=heard.error,
        )

    def _carried(self, post: Post) -> tuple[str, Heard]:
        """To one of the bot's addresses after another; where nothing listens, to the next, as a load balancer does.
        The address that was asked last, and its answer."""
        addresses = self._platform.webhook_url.split() or [""]
        first, query = next(self._turns), f"?{post.query}" if post.query else ""
        for turn in range(first, first + len(addresses)):
            url = f"{addresses[turn % len(addresses)]}{post.suffix}{query}"
            heard = self._courier.carry(post.method, url, post.headers, post.body, patience=self._platform.patience)
            if heard.error != "refused":
                break
        return url, heard

    def _note(self, post: Post, url: str, attempt: int, heard: Heard, at: datetime) -> None:
        self._platform.journal.add(
            Webhook(
                what=post.what,
                message_id=post.message_id,
                attempt=attempt,
                method=post.method,
                url=url,
                headers=post.headers,
                body=post.body,
                clear=post.clear,
                status=heard.status,
                answer=heard.body,
                error=heard.error,
                at=at,
                elapsed=heard.elapsed,
            )
        )

    def _judge(self, post: Post, heard: Heard, *, taken: bool) -> None:
        if taken:
            self._platform.check_answer(post, heard)
        else:
            why = f"HTTP {heard.status}" if heard.status else heard.error
            self._platform.breach("webhook_not_acknowledged", f"{post.what}: {why}")
