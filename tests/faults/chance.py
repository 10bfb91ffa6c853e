"""Platforms that go wrong by chance, from a seed."""

import random
from dataclasses import dataclass

from bot.sandbox.simulator.faults import Fault, Faults

LOST = Fault(cut_after_accept=True)
REFUSALS = {
    "wa": Fault(status=400, json={"error": {"code": 130429, "message": "(#130429) Rate limit hit"}}),
    "corp": Fault(status=200, json={"errcode": 45033, "errmsg": "api concurrent out of limit"}),
    "kf": Fault(status=200, json={"errcode": -1, "errmsg": "system busy"}),
    "ding": Fault(status=403, json={"code": "Forbidden.AccessDenied.QpsLimitForApi"}),
    "feishu": Fault(
        status=429, json={"code": 99991400, "msg": "frequency limit"}, headers={"x-ogw-ratelimit-reset": "1"}
    ),
    "telegram": Fault(status=429, json={"ok": False, "error_code": 429, "parameters": {"retry_after": 1}}),
}
SENDS = {"send", "session", "send_group"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """The shares of sends whose answer is lost after the message was shown, and that are refused for now."""

    lost: float = 0.01
    refused: float = 0.05


class ChanceFaults(Faults):
    """What a platform's `faults` become: each send takes its chance. *played* counts by name."""

    def __init__(self, name: str, odds: Odds, seed: int) -> None:
        super().__init__()
        self._random = random.Random(f"{name} {seed}")
        self._refusal = REFUSALS[name]
        self._odds = odds
        self.played = {"lost": 0, "refused": 0}

    def take(self, endpoint: str) -> Fault | None:
        drawn = self._random.random()
        if endpoint not in SENDS or drawn >= self._odds.lost + self._odds.refused:
            return None
        kind = "lost" if drawn < self._odds.lost else "refused"
        self.played[kind] += 1
        return LOST if kind == "lost" else self._refusal
