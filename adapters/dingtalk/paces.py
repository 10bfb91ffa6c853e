"""How often and after how long a temporary refusal of a send is tried again (DingTalk sheet §2.6).

Codes that are not listed go by the engine's own backoff, until its horizon.
"""

from collections.abc import Mapping

from adapters.dingtalk.rules import DENIED
from adapters.patience import Pace, pace

_TOO_FAST = pace(1, 4, 16, 60, ends=True)  # five tries
_BUSY = pace(2, 10, 60, ends=True)  # three tries more

PACES: Mapping[str, Pace] = {
    f"{DENIED}QpsLimitForAppkeyAndApi": _TOO_FAST,
    f"{DENIED}QpsLimitForApi": _TOO_FAST,
    "system.error": _BUSY,
    "system.busy": _BUSY,
    "-1": _BUSY,
    "15": _BUSY,
    "88": _BUSY,
}
