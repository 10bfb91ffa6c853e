"""Markdown as the little HTML that some chats take, cut into parts before it is written: no tag or entity is ever
cut, and what is open at a cut is closed and opened again.
"""

import html
import re
from collections.abc import Iterator, Sequence

from adapters.markdown import Marks, Writer
from adapters.text import Limit, split, utf16_units

_TAGS = {"\ue000": "b", "\ue001": "i", "\ue002": "s", "\ue003": "code", "\ue004": "pre"}
"""Marks of one character stand for tags until the text is cut; a second one closes the first."""
_LINK = re.compile(r"\ue005([^\ue006]*)\ue006")
_LINK_END = "\ue007"
_FIRST_LINK = 0xE100
_LAST_LINK = 0xF8FF
_PRIVATE = re.compile(r"([\ue000-\uf8ff])")
_WRITER = Writer(
    Marks(
        strong="\ue000",
        em="\ue001",
        strike="\ue002",
        code="\ue003",
        fence=("\ue004", "\ue004"),
        link="\ue005{url}\ue006{text}\ue007",
    )
)


def typeset(markdown: str, *, longest: int) -> Iterator[str]:
    """HTML in parts of at most *longest* UTF-16 units on the customer's screen: tags and addresses do not count."""
    urls: list[str] = []

    def opened(found: re.Match[str]) -> str:
        urls.append(found.group(1))
        return chr(_FIRST_LINK + len(urls) - 1) if _FIRST_LINK + len(urls) <= _LAST_LINK else ""

    marked = _LINK.sub(opened, _WRITER(_PRIVATE.sub("", markdown)))
    still: list[str] = []
    for part in split(marked, Limit(size=longest, measure=utf16_units)):
        written = "".join(_opening(mark, urls) for mark in still)
        for piece in _PRIVATE.split(part):
            written += _tagged(piece, still, urls) if _PRIVATE.match(piece) else html.escape(piece, quote=False)
        written += "".join(_closing(mark) for mark in reversed(still))
        if shown(written).strip():
            yield written


def shown(written: str) -> str:
    """What the customer sees of the HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", written))


def plain(written: str) -> str:
    """The HTML as text, for the day that a platform cannot parse it: addresses are written out."""
    return shown(re.sub(r'<a href="([^"]*)">(.*?)</a>', r"\2 (\1)", written, flags=re.DOTALL))


def _tagged(mark: str, still: list[str], urls: Sequence[str]) -> str:
    """The tag that *mark* stands for; *still* are the marks that are open, outermost first. What is open inside of
    a tag that ends, ends with it: a link over two lines stands around marks that end with their line."""
    opener = next((each for each in still if each not in _TAGS), "") if mark == _LINK_END else mark
    if opener not in still:
        if opener:
            still.append(opener)
        return _opening(opener, urls) if opener else ""
    inside = still[still.index(opener) :]
    del still[still.index(opener) :]
    return "".join(_closing(each) for each in reversed(inside))


def _opening(mark: str, urls: Sequence[str]) -> str:
    return f"<{_TAGS[mark]}>" if mark in _TAGS else f'<a href="{html.escape(urls[ord(mark) - _FIRST_LINK])}">'


def _closing(mark: str) -> str:
    return f"</{_TAGS.get(mark, 'a')}>"
