"""What each platform shows, as a page for operators: `python -m bot.platforms_page > docs/platforms.md`.

Made from the channels' own surfaces, which are also what replies are shaped by, so that the page cannot be wrong.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from adapters.channel import Channel
from adapters.surface import Menu, Surface
from adapters.text import Limit
from adapters.values import Promise
from bot.wiring import PLATFORMS

HEAD = """# What each platform shows

Made by `make docs` from the channels themselves. An answer may hold Markdown, choices, pictures and files; what a
platform lacks becomes text:

- **Choices** are buttons where they fit, else a list to choose from, else numbered lines. A customer may tap, type
  the number, or type the words.
- **Files and pictures** of an answer or of the FAQ, such as `![the plan](file:plan.png)` or
  `[price list](file:prices.pdf)`, are read from `server.files_dir`; https addresses of the hosts in
  `server.file_hosts` are sent as files too. What a platform cannot send is named, with its public address if it has
  one.
- **Pictures that customers send** are shown to the model if `assistants.<name>.vision` is true, **voice messages**
  are written down if `[model.transcription]` is configured. Otherwise the customer is asked to write, and what
  stands beside them is answered.

A dash means: not there.
"""
UNITS = {"len": "characters", "utf16_units": "UTF-16 units", "<lambda>": "UTF-16 units"}
PROMISES = {
    Promise.KEYED: "sent again under the same key, which the platform knows",
    Promise.CONTENT_CHECKED: "sent again byte for byte, which the platform recognises",
    Promise.OBSERVABLE: "held until a status tells; else sent once more",
    Promise.BLIND: "sent at most once more, and counted",
}


def page() -> str:
    kinds = list(PLATFORMS.items())
    rows = [[heading, *(shown(kind) for _, kind in kinds)] for heading, shown in ROWS]
    notes = [f"- `{name}`: {kind.surface.note}" for name, kind in kinds if kind.surface.note]
    table = _table(["", *(f"`{name}`" for name, _ in kinds)], rows)
    return "\n".join([HEAD, *table, "", *notes, ""])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _size(limit: Limit) -> str:
    unit = UNITS.get(getattr(limit.measure, "__name__", ""), "bytes")
    return f"{limit.size:,} {unit}"


def _menu(menu: Menu | None) -> str:
    if menu is None:
        return "–"
    described = f", described in {_size(menu.description)}" if menu.description else ""
    return f"{menu.most} of {_size(menu.title)}{described}, below {_size(menu.body)}"


def _listed(words: frozenset[str]) -> str:
    return ", ".join(sorted(words)) or "–"


def _yes(claim: bool) -> str:
    return "yes" if claim else "–"


def _time(duration: timedelta | None) -> str:
    if duration is None:
        return "–"
    hours, minutes = divmod(duration // timedelta(minutes=1), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _caption(surface: Surface) -> str:
    return _size(surface.caption) if surface.caption else "–"


Kind = type[Channel[Any]]
ROWS: Sequence[tuple[str, Callable[[Kind], str]]] = (
    ("One message holds", lambda kind: _size(kind.limit)),
    ("Buttons", lambda kind: _menu(kind.surface.buttons)),
    ("List to choose from", lambda kind: _menu(kind.surface.menu)),
    ("Sends as files", lambda kind: _listed(kind.surface.attachments)),
    ("Text with a file", lambda kind: _caption(kind.surface)),
    ("Answers grow before the customer's eyes", lambda kind: _yes(kind.surface.grows)),
    ("Shows “typing …”", lambda kind: _yes(kind.surface.typing)),
    ("Replies point at the question", lambda kind: _yes(kind.surface.quotes)),
    ("Takes in from customers, beside text", lambda kind: _listed(kind.surface.hears)),
    ("Free replies after the customer's last word", lambda kind: _time(kind.reply_window)),
    ("Older messages are not answered", lambda kind: _time(kind.oldest_message)),
    ("If nobody knows whether a reply arrived", lambda kind: PROMISES[kind.promise]),
)

if __name__ == "__main__":
    sys.stdout.write(page())
