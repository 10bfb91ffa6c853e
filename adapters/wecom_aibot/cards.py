"""Choices as a card with buttons, and what a tap on one comes back as (WeCom sheet §4.3, §4.6).

The platform returns only a button's key, so the choice's title is put into it: `id:title`, and `~id:title` for what
has been chosen already.
"""

from collections.abc import Mapping, Sequence

from adapters.payload import Json, objects, text
from adapters.payload import at as node
from adapters.text import Limit
from adapters.values import Choice
from adapters.wecom_aibot.words import please_choose

MOST_BUTTONS = 6
TITLE = Limit(size=10, measure=len)
"""What the platform advises for a button; longer ones are cut off on a phone."""
_DONE = "~"
_PLAIN, _BLUE = 2, 1


def choice_card(choices: Sequence[Choice], *, task_id: str, lang: str) -> Mapping[str, object]:
    """A `template_card` below the text that asks. *task_id* is unique for the bot: 128 of 0-9 A-Z a-z _ - @."""
    buttons = [
        {"text": each.title, "style": _BLUE if not place else _PLAIN, "key": f"{each.id}:{each.title}"}
        for place, each in enumerate(choices[:MOST_BUTTONS])
    ]
    return _card(please_choose(lang), buttons, task_id)


def chosen_update(body: Json) -> Mapping[str, object] | None:
    """What a card of ours becomes for whoever chose, by the `template_card_event` of *body*; None: not one of ours.
    In a group the others keep their buttons: nobody chooses for somebody else."""
    event = node(body, "event", "template_card_event")
    key, user = text(event, "event_key"), text(body, "from", "userid")
    title = _title(key)
    if not title or text(event, "card_type") != "button_interaction":
        return None
    button = {"text": f"✓ {title}", "style": _PLAIN, "key": key if key.startswith(_DONE) else _DONE + key}
    update = {
        "response_type": "update_template_card",
        "template_card": _card(title, [button], text(event, "task_id")),
    }
    return {**update, "userids": [user]} if user else update


def tapped(event: Json) -> str:
    """What the customer says with a tap; "" where that is nothing new: the one button that is left of a card."""
    key = text(event, "event_key")
    if key.startswith(_DONE):
        return ""
    options = [
        each
        for item in objects(event, "selected_items", "selected_item")
        for each in _strings(node(item, "option_ids", "option_id"))
    ]
    return _title(key) or ", ".join(options) or key


def _title(key: str) -> str:
    return key.removeprefix(_DONE).partition(":")[2].strip()


def _card(title: str, buttons: Sequence[Mapping[str, object]], task_id: str) -> Mapping[str, object]:
    return {
        "card_type": "button_interaction",
        "main_title": {"title": title},
        "button_list": buttons,
        "task_id": task_id,
    }


def _strings(found: Json) -> list[str]:
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
