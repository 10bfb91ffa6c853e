"""The numbers that a turn obeys; the configuration fills them in."""

from dataclasses import dataclass, field
from datetime import timedelta

from adapters.backoff import Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRules:
    """*deadline* bounds one answer of the model. *hold*: how long an OBSERVABLE channel waits for a status before
    it resends. *gathers*: how often a turn is asked anew because more messages arrived. *abandonments*: how many
    workers may die over one turn. *blind_resend*: whether a BLIND channel sends once more after Unknown."""

    deadline: timedelta = timedelta(seconds=60)
    hold: timedelta = timedelta(seconds=20)
    gathers: int = 3
    abandonments: int = 5
    blind_resend: bool = True
    backoff: Backoff = field(default_factory=Backoff)
