"""Telegram's HTML from the platform's side: few tags, each closed, and only known entities."""

from html.parser import HTMLParser

TAGS = frozenset({"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "blockquote"})
ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}


class BadHtml(Exception):
    """The text is not what Telegram parses; the message says why."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.shown = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise BadHtml(f'Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise BadHtml(f'Unexpected end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        if "<" in data:
            raise BadHtml("Unescaped < in the text")
        self.shown += data

    def handle_entityref(self, name: str) -> None:
        self.shown += ENTITIES.get(name, f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.shown += chr(int(name[1:], 16) if name[:1] in "xX" else int(name))


def shown(text: str) -> str:
    """What the customer sees. Raises :class:`BadHtml`."""
    reader = _Reader()
    reader.feed(text)
    if reader.rawdata:
        raise BadHtml("The text ends inside a tag or an entity")
    reader.close()
    if reader.open:
        raise BadHtml(f'Can\'t find end tag corresponding to start tag "{reader.open[-1]}"')
    return reader.shown
