"""Cutting text to a platform's limit: never inside a grapheme, rather between paragraphs than inside a word."""

from collections.abc import Callable
from dataclasses import dataclass

import regex

_BOUNDARIES = (
    regex.compile(r"\n{2,}"),
    regex.compile(r"\n"),
    regex.compile(r"(?<=[.!?;…])\s+|(?<=[。！？；])"),
    regex.compile(r"\s+"),
)
_GRAPHEME = regex.compile(r"\X")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most of one part: *size* in what *measure* counts."""

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
    while rest and limit.measure(rest) > limit.size:
        cut = _best_cut(rest, limit)
        head, rest = rest[:cut].rstrip(), rest[cut:].lstrip()
        if head:
            parts.append(head)
    return (*parts, rest) if rest else tuple(parts)


def _best_cut(text: str, limit: Limit) -> int:
    """The index to cut at: the last good boundary that fits, if it is not too early; else the last grapheme."""
    fits = _longest_fit(text, limit)
    for boundary in _BOUNDARIES:
        ends = [found.end() for found in boundary.finditer(text, 0, fits) if found.end() <= fits]
        if ends and ends[-1] * 2 >= fits:
            return ends[-1]
    return fits


def _longest_fit(text: str, limit: Limit) -> int:
    """The end of the last grapheme that fits; at least one, so that cutting always advances."""
    low, high = 0, len(text)
    while low < high:  # the measure grows with the text, so the last index that fits can be halved towards
        middle = (low + high + 1) // 2
        low, high = (middle, high) if limit.measure(text[:middle]) <= limit.size else (low, middle - 1)
    end = 0
    for found in _GRAPHEME.finditer(text):
        if found.end() > low:
            break
        end = found.end()
    return end or low or 1
