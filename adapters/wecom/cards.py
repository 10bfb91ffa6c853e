"""Choices as a template card, and what comes back when one is tapped (WeCom sheet §2, §3.3 and §3.4).

A tap brings back only the key that the card gave the button, so the key holds the choice's title.
"""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from adapters.surface import Menu
from adapters.text import Limit, utf8_bytes
from adapters.values import Choice

CARD_EVENT = "template_card_event"
TASK = "fd-"
"""What our cards' task ids begin with: a company may send cards of its own by the same app."""
BUTTONS = 6
TITLE = Limit(size=20, measure=len)
"""The console's documents advise some ten characters and cut on narrow screens; no hard limit is documented."""
BODY = Limit(size=112, measure=len)
"""What the documents advise for a card's second line."""
_HEADLINE = 26
_KEY = re.compile(r"\d{1,2}:(.+)", re.DOTALL)
_CJK = re.compile(r"[\u3400-\u9fff]")

BUTTON_CARD = Menu(most=BUTTONS, title=TITLE, body=BODY)
LIST_CARD = Menu(most=20, title=TITLE, body=BODY)


def task_id(part_key: str) -> str:
    """At most 128 of `[A-Za-z0-9_@-]`, unique in the app: the same part has the same."""
    return TASK + re.sub(r"[^A-Za-z0-9_-]", "@", part_key)[:120]


def card(text: str, choices: Sequence[Choice], *, part_key: str) -> dict[str, object]:
    """A card with up to six buttons, else with a list of which one is submitted."""
    if len(choices) <= BUTTONS:
        buttons = [{"text": each.title, "style": 1, "key": key} for each, key in _keyed(choices)]
        kind: dict[str, object] = {"card_type": "button_interaction", "button_list": buttons}
    else:
        options = [{"id": key, "text": each.title, "is_checked": False} for each, key in _keyed(choices)]
        kind = {
            "card_type": "vote_interaction",
            "checkbox": {"question_key": "choice", "option_list": options, "mode": 0},
            "submit_button": {"text": "提交" if _CJK.search(text) else "OK", "key": "submit"},
        }
    return {**kind, **_words(text), "task_id": task_id(part_key)}


def _words(text: str) -> dict[str, object]:
    """Either the headline or the line below it must be there."""
    if len(text) <= _HEADLINE and "\n" not in text:
        return {"main_title": {"title": text}}
    return {"main_title": {"title": ""}, "sub_title_text": text}


def _keyed(choices: Sequence[Choice]) -> list[tuple[Choice, str]]:
    """An option's id may have 128 bytes; the number keeps two choices of the same words apart."""
    return [(each, f"{number}:{_cut(each.title, 120)}") for number, each in enumerate(choices, 1)]


def _cut(text: str, most: int) -> str:
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore") if utf8_bytes(text) > most else text


def chosen(event: Element) -> str:
    """The title that was tapped on a card of ours; "" where it was another's card, or nothing was chosen."""
    if not event.findtext("TaskId", "").startswith(TASK):
        return ""
    options = (each.text or "" for each in event.iterfind("SelectedItems/SelectedItem/OptionIds/OptionId"))
    found = (_KEY.fullmatch(key) for key in (*options, event.findtext("EventKey", "")))
    return ", ".join(match.group(1) for match in found if match)


def spent_words(title: str) -> str:
    """What the card's button says from then on."""
    return f"已选择 {title}" if _CJK.search(title) else f"✓ {title}"
