"""An answer as one message, since most cost money and two can arrive in the wrong order (sheet §3.3, §4.2)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from adapters.surface import Content, Surface, parts
from adapters.values import Part
from adapters.whatsapp.bodies import opens_link
from adapters.whatsapp.limits import BODY, BUTTONS, TEXT, clipped, fits

Compose = Callable[[str], Sequence[str]]

_HEADERS = frozenset({"image", "video", "document"})


def shaped(content: Content, surface: Surface, compose: Compose, *, split: bool) -> tuple[Part, ...]:
    """As few parts as there can be: a long text is shortened unless it is to be *split*, stands above a list rather
    than beside buttons, and below the one file that comes with it."""

    def whole(markdown: str) -> Sequence[str]:
        written = compose(markdown)
        return written if split or len(written) < 2 else (_shortened(written[0]),)

    if len(content.choices) == 1 and opens_link(content.choices[0]):
        return _merged(_with_link(content, surface, whole))
    made = parts(content, surface, whole)
    if content.choices and len(made) > 1:
        listed = parts(content, replace(surface, buttons=None), whole)
        made = min(made, listed, key=len)
    return _merged(made)


def _shortened(text: str) -> str:
    return clipped(f"{text}…", TEXT)


def _with_link(content: Content, surface: Surface, compose: Compose) -> tuple[Part, ...]:
    """The last text carries the button, if it is short enough; else the address is told in the text."""
    made = parts(replace(content, choices=()), surface, compose)
    at = next((place for place, part in reversed(list(enumerate(made))) if part.text), None)
    if at is None or not fits(made[at].text, BODY):
        [choice] = content.choices
        words = f"{content.markdown}\n\n{choice.title}: {choice.description}"
        return parts(replace(content, markdown=words, choices=()), surface, compose)
    return (*made[:at], replace(made[at], choices=content.choices), *made[at + 1 :])


def _merged(made: tuple[Part, ...]) -> tuple[Part, ...]:
    """A file without words, and what can be tapped after it, are one message: the file above the buttons."""
    if len(made) != 2:
        return made
    file, asked = made
    if file.attachment is None or file.text or not asked.choices or asked.attachment:
        return made
    fit = len(asked.choices) <= BUTTONS and fits(asked.text, BODY)
    return (replace(asked, attachment=file.attachment),) if fit and file.attachment.kind in _HEADERS else made
