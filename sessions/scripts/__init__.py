"""The Lua scripts: every change of state is one of these.

A script's text is `prelude.lua` followed by `<name>.lua`; its header there explains its KEYS and ARGV. Redis
knows a script by its SHA-1, as EVALSHA asks for it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """One script and the name that Redis gives it."""

    name: str
    text: str
    sha: str


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a script: all *keys* lie in one hash slot, but for those of :data:`SPANNING`."""

    script: Script
    keys: Sequence[str]
    args: Sequence[str | bytes | int]


_FOLDER = files("sessions.scripts")
_PRELUDE = (_FOLDER / "prelude.lua").read_text("utf-8")


def _load(name: str) -> Script:
    text = f"{_PRELUDE}\n{(_FOLDER / f'{name}.lua').read_text('utf-8')}"
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


ACCEPT = _load("accept")
CLAIM = _load("claim")
RENEW = _load("renew")
COMMIT = _load("commit")
RECORD = _load("record")
SETTLE = _load("settle")
PARK = _load("park")
POSTPONE = _load("postpone")
HAND_BACK = _load("hand_back")
WAKE = _load("wake")
SCHEDULE = _load("schedule")
UNSCHEDULE = _load("unschedule")
REMIND = _load("remind")
REDRIVE = _load("redrive")
DEPTHS = _load("depths")
TIDY = _load("tidy")
SWAP_TOKEN = _load("swap_token")
OPEN_GATE = _load("open_gate")
MAKE_GROUP = _load("make_group")
ACCEPT_PAGE = _load("accept_page")
ADOPT = _load("adopt")
OBSERVE = _load("observe")
SIGHT = _load("sight")
TAKE_TOKENS = _load("take_tokens")
COUNT = _load("count")
OPEN_GROWTH = _load("open_growth")
GROW = _load("grow")
LEAD = _load("lead")
PROLONG = _load("prolong")
RAISE_ALARM = _load("raise_alarm")
CLEAR_ALARM = _load("clear_alarm")
MAY_TRY = _load("may_try")
ASK = _load("ask")
TAKE_ERRAND = _load("take_errand")
ANSWER = _load("answer")

ALL = (
    ACCEPT,
    CLAIM,
    RENEW,
    COMMIT,
    RECORD,
    SETTLE,
    PARK,
    POSTPONE,
    HAND_BACK,
    WAKE,
    SCHEDULE,
    UNSCHEDULE,
    REMIND,
    REDRIVE,
    DEPTHS,
    TIDY,
    SWAP_TOKEN,
    OPEN_GATE,
    MAKE_GROUP,
    ACCEPT_PAGE,
    ADOPT,
    OBSERVE,
    SIGHT,
    TAKE_TOKENS,
    COUNT,
    OPEN_GROWTH,
    GROW,
    LEAD,
    PROLONG,
    RAISE_ALARM,
    CLEAR_ALARM,
    MAY_TRY,
    ASK,
    TAKE_ERRAND,
    ANSWER,
)

SPANNING = (ACCEPT_PAGE, ADOPT)
"""What must be one step over keys of several shards. A Redis Cluster could not run it; one is refused at start."""
