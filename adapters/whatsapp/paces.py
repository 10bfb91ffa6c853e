"""How often and after how long each temporary refusal is tried again (sheet §4.4)."""

from collections.abc import Mapping

from adapters.patience import Pace, pace

_DOWN = pace(2, 4, 8, 16, 32, 60, 60, 60, 60, ends=True)  # about five minutes
THRICE = pace(2, 10, 60, ends=True)

PACES: Mapping[str, Pace] = {
    "1": pace(5, ends=True),
    "2": _DOWN,
    "131016": _DOWN,
    "133004": _DOWN,
    "131000": THRICE,
    "131053": pace(5, ends=True),
    "131057": pace(60),
    "4": pace(300, 300, ends=True),  # minutes, and a chat reply is stale after ten
    "80007": pace(60, 120, 240, 300),
    "130429": pace(1, 2, 4),
    "131056": pace(1, 4, 16, 64),  # 4^X, X = 0, 1, 2 … for this customer alone
    "132069": pace(3600),
    "429": pace(1, 4, 16, 64),  # whether the two limits above come with this status is UNCONFIRMED
}
