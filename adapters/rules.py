"""What a refusal asks of us: the shape of an error table, and what is the same on every platform.

A platform's table is `dict[code, Rule]`. What no table knows is judged by its HTTP status, and a call that came to
no answer by how far it got.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.values import Action, Refused, Unknown

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a code means, and the operator's next step. *wait*: not before this has passed. *account*: no message
    of this account gets through until an operator has acted."""

    action: Action
    meaning: str
    next_step: str = ""
    wait: timedelta | None = None
    account: bool = False

    def refused(self, code: str, asked: timedelta | None = None) -> Refused:
        """*asked* is the wait that the platform named in its answer."""
        said = f"{code}: {self.meaning}"
        return Refused(
            reason=f"{said}; {self.next_step}" if self.next_step else said,
            action=self.action,
            code=code,
            retry_after=asked or self.wait,
            account=self.account,
        )


def retry(meaning: str, wait: timedelta | None = None) -> Rule:
    return Rule(action=Action.RETRY, meaning=meaning, wait=wait)


def give_up(meaning: str, next_step: str = "") -> Rule:
    return Rule(action=Action.GIVE_UP, meaning=meaning, next_step=next_step)


def alert(meaning: str, next_step: str) -> Rule:
    return Rule(action=Action.ALERT, meaning=meaning, next_step=next_step)


def halt(meaning: str, next_step: str) -> Rule:
    """As :func:`alert`, for what stops the whole account."""
    return Rule(action=Action.ALERT, meaning=meaning, next_step=next_step, account=True)


def uncoded(answer: HttpAnswer, now: datetime) -> Refused | Unknown:
    """An answer without a code that the table knows. A server's error, and a success that cannot be read, may have
    been heard; a client's error comes from a proxy or a wrong address."""
    status = f"HTTP {answer.status}"
    if answer.status == 429:
        return Refused(
            reason=f"{status}: too many calls", action=Action.RETRY, code="429", retry_after=answer.retry_after(now)
        )
    if 300 <= answer.status < 500 and answer.status != 408:  # 408: the edge waited for us, or for the platform
        return Refused(reason=f"{status} without a known code: check api_base and any proxy", action=Action.ALERT)
    return Unknown(reason=f"{status} without a readable answer")


def honest(platform: str, call: Callable[[], T]) -> T | Refused | Unknown:
    """What *call* gives, or what it means that it came to no answer."""
    try:
        return call()
    except NotSent as error:
        reason = f"{platform} was not reached ({error}): check the network and api_base"
        return Refused(reason=reason, action=Action.RETRY)
    except MaybeSent as error:
        return Unknown(reason=f"{platform} did not say whether it has the message ({error})")
