"""Who said what, who was told what: every accepted message is answered once, or parked; nothing is doubled."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.sandbox.simulator.journal import SentMessage
from sessions.inbox import DeadLetter

NUMBER = re.compile(r"#(\d+)")


def numbers(text: str) -> list[int]:
    return [int(found) for found in NUMBER.findall(text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Of one channel: *shown* counts replies, *disordered* answers that came before an earlier question's;
    *parked* counts messages by reason."""

    accepted: int
    shown: int
    lost: Sequence[int]
    doubled: Sequence[int]
    tripled: Sequence[int]
    disordered: Sequence[int]
    parked: Mapping[str, int]

    def __str__(self) -> str:
        return (
            f"accepted {self.accepted}, replies {self.shown}, lost {len(self.lost)}, doubled {len(self.doubled)}, "
            f"tripled {len(self.tripled)}, disordered {len(self.disordered)}, parked {dict(self.parked)}"
        )


def balance(accepted: Iterable[int], shown: Sequence[SentMessage], letters: Iterable[DeadLetter]) -> Balance:
    """Each question carries one number (`#17`), and its answer names it."""
    parked: Counter[str] = Counter()
    excused: set[int] = set()
    for letter in letters:
        for message in letter.messages:
            parked[letter.reason] += 1
            excused.update(numbers(message.text))
    told: Counter[int] = Counter()
    disordered: list[int] = []
    newest: dict[str, int] = defaultdict(int)
    for reply in shown:
        for number in numbers(reply.text):
            if not told[number] and number < newest[reply.to]:
                disordered.append(number)
            newest[reply.to] = max(newest[reply.to], number)
            told[number] += 1
    known = set(accepted)
    return Balance(
        accepted=len(known),
        shown=len(shown),
        lost=sorted(known - set(told) - excused),
        doubled=sorted(number for number, count in told.items() if count > 1),
        tripled=sorted(number for number, count in told.items() if count > 2),
        disordered=disordered,
        parked=parked,
    )
