"""Keeps an answer within its length: whole sentences, whole graphemes, whole links and code.

The model is asked for a length and mostly keeps it; this is for when it does not.
"""

import re
from collections.abc import Iterable

import regex

from inference.files import LABEL, TARGET, links, without

_CLOSERS = r"[」』”’\"')）】*_~]*"
_SENTENCE = re.compile(rf"[。！？…]+{_CLOSERS}|[.!?]+{_CLOSERS}(?=\s|$|[\u3000-\u9fff])|(?<![:：\n])\n+")
_CLAUSE = re.compile(r"[，、；：]|[,;:](?=\s)|\s[–—-]\s")
_SPACE = re.compile(r"\s+")
_NO_END = re.compile(
    r"(?:\b(?:e\.g|i\.e|mrs?|ms|dr|st|no|vs|etc|approx|a\.m|p\.m)|^\s*\d{1,2}|\n\s*\d{1,2})\.$", re.IGNORECASE
)
_URL = r"<?(?:https?://|www\.)[^\s<>\u3000-\u9fff\uff00-\uffef]+>?"
_PAIRED = rf"```.*?(?:```|\Z)|`[^`\n]+`|{LABEL}{TARGET}"
_WHOLE = re.compile(
    rf"{_PAIRED}|{_URL}"
    r"|[\w.+-]+@[\w-]+\.[\w.-]*\w"
    r"|\*\*[^*\n]+\*\*|__[^_\n]+__"
    r"|[+]?\d(?:[\d.,:/ -]*\d)?",
    re.DOTALL,
)
_OPEN = re.compile(
    rf"{_PAIRED}|\*\*[^*\n]+\*\*|(?P<open>(?:"
    r"`[^`\n]{0,80}|\*\*[^*\n]{0,80}\*?"
    r"|!?\[(?:[^\[\]\n]|\[[^\[\]\n]*\](?:\([^()\n]*\))?)*(?:\[[^\[\]\n]*(?:\](?:\([^()\n]*)?)?)?"
    rf"|{LABEL}(?:\([^\n]*)?|{_URL}"
    r")\Z)",
    re.DOTALL,
)
"""What has begun in a growing text and must be whole to be read: its beginning would be shown as bare markup."""
_MAYBE = re.compile(r"(?:[!<]|(?<!\*)\*|<?(?<![A-Za-z])(?:h(?:t(?:t(?:ps?(?::/{0,2})?)?)?)?|w{1,3}))\Z")
"""What may begin such a thing."""
_LINK = re.compile(r"!?\[|<?(?:https?://|www\.)")
_GRAPHEME = regex.compile(r"\X")
ELLIPSIS = "…"


def shorten(text: str, most: int) -> str:
    """*text* in at most *most* characters, ended after a sentence where there is one in the last two thirds, else
    after a clause or a word, with an ellipsis. Only a link that is longer than *most* by itself is left longer.
    Links to files are sent as files: they do not count, and those that were cut off follow at the end."""
    text = text.strip()
    if len(text) <= most or len(without(text)) <= most:
        return text
    return _with_files(_shortened(text, most), text)


def so_far(text: str, most: int) -> str:
    """What of an answer that is still growing may be seen: `shorten` of what is whole in it."""
    return shorten(_MAYBE.sub("", _closed(text)), most)


def _closed(text: str) -> str:
    """*text* without a last link, code or bold print that has not ended."""
    begun = next((found.start() for found in _OPEN.finditer(text) if found["open"] is not None), len(text))
    return text[:begun].rstrip()


def _shortened(text: str, most: int) -> str:
    spans = [found.span() for found in _WHOLE.finditer(text)]
    if ends := _usable(_sentence_ends(text[:most], text), spans, most):
        return text[:ends].rstrip()
    for boundary in (_CLAUSE, _SPACE):
        starts = (found.start() for found in boundary.finditer(text, 0, most))
        if cut := _usable((at for at in starts if at < most), spans, most):
            return text[:cut].rstrip() + ELLIPSIS
    return _cut(text, most, spans)


def without_unfinished(text: str) -> str:
    """*text* without a last sentence that has no end, for an answer that ran out of tokens; with an ellipsis where
    not even one sentence is whole."""
    text = _closed(text.rstrip()) or text.rstrip()
    spans = [found.span() for found in _WHOLE.finditer(text)]
    ends = [at for at in _sentence_ends(text, text) if not _inside(at, spans)]
    whole = text[: ends[-1]].rstrip() if ends else ""
    return _with_files(whole, text) if whole else text + ELLIPSIS


def _with_files(kept: str, text: str) -> str:
    return "\n\n".join([kept, *(link for link in links(text) if link not in kept)])


def _sentence_ends(part: str, text: str) -> Iterable[int]:
    """Where a sentence of *text* ends within its beginning *part*."""
    for found in _SENTENCE.finditer(text):
        if found.end() - found.group().count("\n") > len(part):
            return
        if not _NO_END.search(text, max(0, found.start() - 12), found.start() + 1):
            yield min(found.end(), len(part))


def _usable(cuts: Iterable[int], spans: list[tuple[int, int]], most: int) -> int:
    """The last cut that is inside of nothing whole, and not too early; 0 if there is none."""
    return max((at for at in cuts if at * 3 >= most and not _inside(at, spans)), default=0)


def _inside(at: int, spans: list[tuple[int, int]]) -> bool:
    return any(start < at < end for start, end in spans)


def _cut(text: str, most: int, spans: list[tuple[int, int]]) -> str:
    """Between two graphemes, before what must stay whole."""
    at = 0
    for found in _GRAPHEME.finditer(text):
        if found.end() > most - len(ELLIPSIS):
            break
        at = found.end()
    start, end = next(((start, end) for start, end in spans if start < at < end), (at, at))
    if start == 0 and _LINK.match(text):
        return text[:end]
    return text[: start or at].rstrip() + ELLIPSIS
