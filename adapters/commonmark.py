"""Markdown as models write it: CommonMark with tables and ~~strike~~, and our few exceptions to it."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, emphasis
from markdown_it.tree import SyntaxTreeNode

_NO_URL = r"\s<>()\[\]*`|\\\"，。；！？、（）《》【】「」"
_URL_REST = re.compile(rf"://[^{_NO_URL}]*[^{_NO_URL}_~.,;:!?']")
_CJK = re.compile(r"[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]")


def parse(markdown: str) -> SyntaxTreeNode:
    """The tree of blocks and spans; a node's `map` holds its lines. Raw HTML is text, every link a link."""
    return SyntaxTreeNode(_PARSER.parse(markdown))


class _Reader(MarkdownIt):
    """Takes links as written: markdown-it would percent-encode Chinese, and show what it holds for unsafe raw."""

    def validateLink(self, url: str) -> bool:  # noqa: N802
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


def _emphasis(state: StateInline, silent: bool) -> bool:
    """As CommonMark's, but beside Chinese, Japanese and Korean no space is needed around `**…：**`: models write
    it without, and CommonMark's flanking rule would show the stars."""
    start, known = state.pos, len(state.delimiters)
    if not emphasis.tokenize(state, silent):
        return False
    before = state.src[start - 1] if start else " "
    after = state.src[state.pos] if state.pos < state.posMax else " "
    if state.src[start] == "*" and (_CJK.match(before) or _CJK.match(after)):
        for delimiter in state.delimiters[known:]:
            delimiter.open = delimiter.open or not after.isspace()
            delimiter.close = delimiter.close or not before.isspace()
    return True


def _bare_url(state: StateInline, silent: bool) -> bool:
    """Passes an address over as text, so that no `_` or `~` in it is read as a mark."""
    if state.src[state.pos] != ":":
        return False
    found = _URL_REST.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.pending += found.group()
    state.pos = found.end()
    return True


def _parser() -> MarkdownIt:
    parser = _Reader("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # A model means "text, then a rule" by `---`, nothing by four spaces, and a source list by `[1]: …`.
    parser.disable(["lheading", "code", "reference"])
    parser.inline.ruler.at("emphasis", _emphasis)
    parser.inline.ruler.before("escape", "bare_url", _bare_url)
    return parser


_PARSER = _parser()
