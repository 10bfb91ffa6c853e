"""The model's Markdown in each platform's own dialect.

markdown-it parses it once; a dialect is a small table of marks, and one writer renders every dialect from it.
What a platform cannot show is turned into what reads well there: a table becomes a list, a heading bold text.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markdown_it.tree import SyntaxTreeNode

from adapters.commonmark import parse

LONGEST_PARSED = 32_768
"""Characters. A longer text is no answer of a model; it is passed on as it is, in linear time."""

_MARKUP = re.compile(r"[\\`*_~\[\]<>#|!&=\0\t]|://|^[ ]*([-+]|\d+[.)])|^[ ]{4}", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_TASK = re.compile(r"^\[([ xX])\] ")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=:)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_AS_TEXT = "{text} ({url})"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a platform shows. *render* takes CommonMark (with tables and ~~strike~~) and never raises."""

    render: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How a platform writes what CommonMark knows; "" where it has no such thing. *gap* is what stands between
    two blocks (None: as written). *whole_words*: marks count only beside a space or punctuation."""

    strong: str = ""
    em: str = ""
    strike: str = "~~"
    code: str = ""
    fence: tuple[str, str] = ("", "")
    heading: str = ""
    link: str = _AS_TEXT
    image: str = "{text}: {url}"
    line_break: str = "\n"
    gap: str | None = None
    whole_words: bool = False


class Writer:
    """Renders one dialect. Stateless but for its table, so one serves all threads."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._spans = {"strong": marks.strong, "em": marks.em, "s": marks.strike}

    def __call__(self, markdown: str) -> str:
        text = markdown.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        if len(text) > LONGEST_PARSED:
            return text.strip()
        if not _MARKUP.search(text):
            return self._plain(text)
        rendered = self._blocks(parse(text).children, text.split("\n"))
        return rendered.strip() or text.strip()

    def _plain(self, text: str) -> str:
        """The fast path: paragraphs without any markup."""
        paragraphs = _BLANK_LINES.split(text.strip())
        lines = ([line.strip() for line in each.split("\n")] for each in paragraphs)
        written = (self._marks.line_break.join(each).strip() for each in lines)
        return "\n\n".join(filter(None, written))

    def _blocks(self, nodes: Sequence[SyntaxTreeNode], lines: Sequence[str]) -> str:
        """*nodes* one below the other, with a blank line where *lines*, the source, has one."""
        written = ""
        ruled = False
        for node in nodes:
            text = self._block(node, lines)
            if not text:
                ruled = True  # a rule is shown as the blank line around it
                continue
            if written:
                written += "\n\n" if ruled else self._gap(node, lines)
            written += text
            ruled = False
        return written

    def _gap(self, node: SyntaxTreeNode, lines: Sequence[str]) -> str:
        listed = node.type == "list_item" or (node.parent is not None and node.parent.type == "list_item")
        if self._marks.gap and not listed:
            return self._marks.gap
        first = node.map[0] if node.map else 0
        blank_before = 0 < first <= len(lines) and not lines[first - 1].strip(" \t>")
        return "\n\n" if blank_before else "\n"

    def _block(self, node: SyntaxTreeNode, lines: Sequence[str]) -> str:
        match node.type:
            case "paragraph":
                return self._paragraph(node)
            case "heading":
                return self._heading(node)
            case "bullet_list" | "ordered_list":
                return self._list(node, lines)
            case "blockquote":
                return _prefixed(self._blocks(node.children, lines), first="> ", rest="> ", blank=self._quote_blank)
            case "fence":
                return self._fence(node.content.strip("\n"))
            case "table":
                return _as_list(self._rows(node))
            case _:
                return ""

    @property
    def _quote_blank(self) -> str | None:
        return ">" if self._marks.gap else None

    def _paragraph(self, node: SyntaxTreeNode) -> str:
        lines = (line.strip() for line in self._inline(node).split("\n"))
        return self._marks.line_break.join(lines).strip()

    def _heading(self, node: SyntaxTreeNode) -> str:
        marks = self._marks
        if marks.heading:
            return f"{node.markup} {self._inline(node)}".rstrip()
        text = self._inline(node, frozenset({marks.strong}) if marks.strong else frozenset())
        return _wrapped(text, marks.strong)

    def _list(self, node: SyntaxTreeNode, lines: Sequence[str]) -> str:
        number = int(node.attrs.get("start", 1))
        written = ""
        for offset, item in enumerate(node.children):
            mark = f"{number + offset}. " if node.type == "ordered_list" else "- "
            text = _TASK.sub(_box, self._blocks(item.children, lines))
            if offset:
                written += self._gap(item, lines)
            written += _prefixed(text, first=mark, rest=" " * len(mark), blank="")
        return written

    def _fence(self, code: str) -> str:
        opening, closing = self._marks.fence
        return f"{opening}{code}{closing}"

    def _rows(self, table: SyntaxTreeNode) -> list[list[str]]:
        rows = [row for section in table.children for row in section.children]
        return [[self._inline(cell) for cell in row.children] for row in rows]

    def _inline(self, node: SyntaxTreeNode, active: frozenset[str] = frozenset()) -> str:
        """The text of a block's one `inline` child. *active*: marks that are open already."""
        return "".join(self._run(child.children, active) for child in node.children if child.type == "inline")

    def _run(self, nodes: Sequence[SyntaxTreeNode], active: frozenset[str]) -> str:
        shown = [_peeled(node) for node in nodes if node.type != "text" or node.content]
        marks = [[self._spans[kind] for kind in kinds] for kinds, _ in shown]
        texts = [self._span(node, active.union(own)) for own, (_, node) in zip(marks, shown, strict=True)]
        written = ""
        for place, (text, own) in enumerate(zip(texts, marks, strict=True)):
            following = texts[place + 1] if place + 1 < len(texts) else ""
            joined = written[-1:].isalnum() or following[:1].isalnum()
            if not (joined and self._marks.whole_words):
                for mark in own:
                    text = text if mark in active else _wrapped(text, mark)
            written += text
        return written

    def _span(self, node: SyntaxTreeNode, active: frozenset[str]) -> str:
        match node.type:
            case "strong" | "em" | "s":
                return self._run(node.children, active)
            case "softbreak" | "hardbreak":
                return "\n"
            case "code_inline":
                return f"{self._marks.code}{node.content}{self._marks.code}"
            case "link":
                return self._link(self._run(node.children, active), str(node.attrs.get("href", "")))
            case "image":
                return self._image(node.content, str(node.attrs.get("src", "")))
            case _:
                return node.content

    def _link(self, text: str, url: str) -> str:
        scheme = _scheme(url)
        if scheme is None:
            return text
        address = url.removeprefix(f"{scheme}:") if scheme in ("mailto", "tel") else url
        if not text or text == address:
            return address
        form = self._marks.link if scheme.startswith("http") else _AS_TEXT
        return form.format(text=text, url=_unbroken(address))

    def _image(self, text: str, url: str) -> str:
        if not url or not _scheme(url):
            return text
        return self._marks.image.format(text=text, url=_unbroken(url)) if text else url


_INSIDE_OUT = ("s", "em", "strong")


def _peeled(node: SyntaxTreeNode) -> tuple[list[str], SyntaxTreeNode]:
    """The kinds of the spans that hold the same words, in one fixed nesting, and the innermost of them."""
    kinds: list[str] = []
    while node.type in _INSIDE_OUT:
        kinds.append(node.type)
        inner = [child for child in node.children if child.type != "text" or child.content]
        if len(inner) != 1 or inner[0].type not in _INSIDE_OUT:
            break
        node = inner[0]
    return sorted(set(kinds), key=_INSIDE_OUT.index), node


def _scheme(url: str) -> str | None:
    """The scheme in lower case, "" if there is none; None where the link must not be offered at all."""
    found = _SCHEME.match(url)
    scheme = found.group().lower() if found else ""
    if _CONTROL.search(url) or scheme not in ("", "http", "https", "mailto", "tel"):
        return None
    return scheme


def _unbroken(url: str) -> str:
    """A round bracket or a space would end the address early, in Markdown and in the customer's app."""
    return url.replace("(", "%28").replace(")", "%29").replace(" ", "%20")


def _wrapped(text: str, mark: str) -> str:
    """*mark* around each line, inside its outer spaces: a span ends with its line (WhatsApp sheet §5)."""
    if not mark:
        return text
    return "\n".join(_wrapped_line(line, mark) for line in text.split("\n"))


def _wrapped_line(line: str, mark: str) -> str:
    core = line.strip()
    if not core:
        return line
    start = line.index(core)
    return f"{line[:start]}{mark}{core}{mark}{line[start + len(core) :]}"


def _prefixed(text: str, *, first: str, rest: str, blank: str | None) -> str:
    """*text* with a mark before its first line and *rest* before the others; *blank* replaces an empty line
    (None: it is left out)."""
    head, *tail = text.split("\n")
    lines = [(rest + line) if line.strip() else blank for line in tail]
    return "\n".join([(first + head).rstrip(), *(line for line in lines if line is not None)])


def _box(found: re.Match[str]) -> str:
    return "☐ " if found.group(1) == " " else "✓ "


def _as_list(rows: Sequence[Sequence[str]]) -> str:
    """One line a row, each cell behind its column's name: a phone shows no table (WhatsApp sheet §5)."""
    head, *body = rows
    if not body:
        return "- " + "; ".join(head)
    named = ([(name, cell) for name, cell in zip(head, row, strict=False) if cell] for row in body)
    return "\n".join("- " + "; ".join(f"{name}: {cell}" if name else cell for name, cell in row) for row in named)


WHATSAPP = Dialect(
    Writer(Marks(strong="*", em="_", strike="~", code="`", fence=("```", "```"), whole_words=True))
)  # WhatsApp sheet §5
PLAIN = Dialect(Writer(Marks()))
DINGTALK = Dialect(
    Writer(
        Marks(
            strong="**",
            em="*",
            code="`",
            fence=("```\n", "\n```"),
            heading="#",
            link="[{text}]({url})",
            image="![{text}]({url})",
            line_break="  \n  ",
            gap="\n\n",
        )
    )
)  # DingTalk sheet §7
