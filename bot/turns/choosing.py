"""What a customer means by "2" after a list of choices."""

import re
from collections.abc import Sequence

from sessions.inbox import HistoryEntry

_NUMBER = re.compile(r"\s*([0-9]{1,3})\s*[.．)）]?\s*")


def offered(history: Sequence[HistoryEntry]) -> Sequence[str]:
    """The titles that the newest words of ours offered; none if they offered nothing."""
    return next((entry.choices for entry in reversed(history) if entry.role == "assistant"), ())


def meant(text: str, titles: Sequence[str]) -> str:
    """The title that *text* picks by its number ("2", "2.", "２") or by itself; else *text* as it is."""
    number = _NUMBER.fullmatch(text.translate(_ASCII))
    if number and 0 < int(number[1]) <= len(titles):
        return titles[int(number[1]) - 1]
    said = text.strip().casefold()
    return next((title for title in titles if title.strip().casefold() == said), text)


_ASCII = {0xFF10 + digit: str(digit) for digit in range(10)}
"""Digits as Chinese keyboards write them."""
