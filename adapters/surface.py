"""What each platform can show, and what becomes of the rest: the one place that knows.

A reply is :class:`Content`: Markdown, choices, attachments. A channel says in its :class:`Surface` what it has;
`parts` makes sendable parts of the content, so that whatever is missing degrades visibly and sensibly:

choices      buttons where they fit, else a list, else a numbered list in the text (the number is understood)
attachment   the file itself where its kind can be sent; else its public address in the text; else its name, and
             that it cannot be sent here
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.text import Limit
from adapters.values import Attachment, Choice, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """One way of tapping: at *most* so many choices, each *title* (and *description*) within its limit, below a
    text within *body*. *description* None: it has none, and one is left out."""

    most: int
    title: Limit
    body: Limit
    description: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What a channel shows beyond text. *buttons* and *menu* (a list to choose from): None where it has none.
    *attachments*: the kinds that it sends as files. *caption*: how much text goes with an attachment, None: none.
    *grows*: an answer is shown while it is written. *typing*: that one is being written is shown. *quotes*: a reply
    points at the message that it answers. *hears*: the kinds of media that customers can send and we can fetch.
    *note* is for the operators' page: one sentence on what is special."""

    buttons: Menu | None = None
    menu: Menu | None = None
    attachments: frozenset[str] = frozenset()
    caption: Limit | None = None
    grows: bool = False
    typing: bool = False
    quotes: bool = False
    hears: frozenset[str] = frozenset()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is to be said, before a channel shapes it. *prompt* stands above the choices where the text itself is
    too long to (in the customer's language)."""

    markdown: str
    choices: tuple[Choice, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    prompt: str = ""


def parts(content: Content, surface: Surface, compose: Callable[[str], Sequence[str]]) -> tuple[Part, ...]:
    """*content* within what *surface* has; *compose* makes a Markdown text into the channel's own, cut to size."""
    sendable = tuple(each for each in content.attachments if each.kind in surface.attachments)
    markdown = _with_links(content.markdown, [each for each in content.attachments if each not in sendable])
    menu = _fitting(content.choices, surface)
    if content.choices and menu is None:
        markdown = _numbered(markdown, content.choices)
    written = [Part(text=text) for text in compose(markdown)]
    if menu is not None:
        written = _with_choices(written, content, menu)
    return tuple(_with_attachments(written, sendable, surface))


def _fitting(choices: Sequence[Choice], surface: Surface) -> Menu | None:
    """The first way of tapping that takes them all: buttons are seen at once, a list has to be opened."""
    for menu in (surface.buttons, surface.menu):
        if (
            choices
            and menu
            and len(choices) <= menu.most
            and all(_fits(each.title, menu.title) for each in choices)
        ):
            return menu
    return None


def _fits(text: str, limit: Limit) -> bool:
    return limit.measure(text) <= limit.size


def _numbered(markdown: str, choices: Sequence[Choice]) -> str:
    lines = (
        f"{number}. {each.title}" + (f" – {each.description}" if each.description else "")
        for number, each in enumerate(choices, 1)
    )
    return f"{markdown}\n\n" + "\n".join(lines)


def _with_links(markdown: str, unsendable: Sequence[Attachment]) -> str:
    lines = (f"📎 {each.name or each.file}" + (f": {each.url}" if each.url else "") for each in unsendable)
    return "\n\n".join(filter(None, [markdown, "\n".join(lines)]))


def _with_choices(written: list[Part], content: Content, menu: Menu) -> list[Part]:
    """Below the last text if that is short enough, else below a line of their own."""
    shown = tuple(_described(choice, menu) for choice in content.choices)
    if written and _fits(written[-1].text, menu.body):
        return [*written[:-1], replace(written[-1], choices=shown)]
    return [*written, Part(text=content.prompt.strip() or "👇", choices=shown)]


def _described(choice: Choice, menu: Menu) -> Choice:
    if menu.description is None or not _fits(choice.description, menu.description):
        return replace(choice, description="")
    return choice


def _with_attachments(written: list[Part], sendable: Sequence[Attachment], surface: Surface) -> list[Part]:
    """One attachment with a short text is one message, where there are captions: each message may cost money."""
    if len(sendable) == 1 and len(written) == 1 and not written[0].choices and surface.caption:
        [part], [attachment] = written, sendable
        if attachment.kind != "audio" and _fits(part.text, surface.caption):
            return [replace(part, attachment=attachment)]
    files = [Part(text="", attachment=each) for each in sendable]
    return [*files, *written] if written and written[-1].choices else [*written, *files]
