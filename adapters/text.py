"""Cutting text to a platform's limit: never inside a grapheme, rather between paragraphs than inside a word."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import regex

_BOUNDARIES = (
    regex.compile(r"\n{2,}"),
    regex.compile(r"\n"),
    regex.compile(r"(?<=[.!?;…])\s+|(?<=[。！？；])"),
    regex.compile(r"\s+"),
)
_GRAPHEME = regex.compile(r"\X")
_WHOLE = regex.compile(
    r"```.*?```|`[^`\n]+`|!?\[[^\[\]\n]{0,300}\]\([^()\s]{1,2000}\)|https?://[^\s]{1,2000}", regex.DOTALL
)
"""What is shown wrongly when it is cut: code, a link, an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most of one part: *size* in what *measure* counts, which is at least one for each character."""

    size: int
    measure: Callable[[str], int]


def utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: Limit) -> tuple[str, ...]:
    """*text* in parts within *limit*, without empty ones; the cut's white space is dropped."""
    parts: list[str] = []
    rest = text.strip()
    while len(rest) > limit.size or limit.measure(rest) > limit.size:
        cut = _best_cut(rest, limit)
        head, rest = rest[:cut].rstrip(), rest[cut:].lstrip()
        if head:
            parts.append(head)
    return (*parts, rest) if rest else tuple(parts)


def _best_cut(text: str, limit: Limit) -> int:
    """The index to cut at: the last good boundary that fits, if it is not too early; else the last grapheme.
    What must stay whole is not cut, unless it is longer than a part."""
    fits = _longest_fit(text, limit)
    whole = [found.span() for found in _WHOLE.finditer(text, 0, 2 * fits)]
    fits = next((start for start, end in whole if 0 < start < fits < end), fits)
    for boundary in _BOUNDARIES:
        ends = [found.end() for found in boundary.finditer(text, 0, fits)]
        last = next((end for end in reversed(ends) if not _within(end, whole)), 0)
        if last and last * 2 >= fits:
            return last
    return fits


def _within(place: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start < place < end for start, end in spans)


def _longest_fit(text: str, limit: Limit) -> int:
    """The end of the last grapheme that fits; at least one, so that cutting always advances."""
    low, high = 0, min(len(text), limit.size)
    while low < high:  # the measure grows with the text, so the last index that fits can be halved towards
        middle = (low + high + 1) // 2
        low, high = (middle, high) if limit.measure(text[:middle]) <= limit.size else (low, middle - 1)
    end = 0
    for found in _GRAPHEME.finditer(text, 0, low + 1):
        if found.end() > low:
            break
        end = found.end()
    return end or low or 1
