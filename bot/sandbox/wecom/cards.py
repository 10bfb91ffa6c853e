"""Template cards of the app and of the AI bot: what they must have, and what can be tapped (§3.3, §4.6)."""

import re
from typing import Any

from bot.sandbox.simulator.journal import Choice
from bot.sandbox.simulator.platform import member

TASK = re.compile(r"[A-Za-z0-9_@-]{1,128}")
INTERACTIVE = ("button_interaction", "vote_interaction", "multiple_interaction")
KINDS = ("text_notice", "news_notice", *INTERACTIVE)


class BadCard(Exception):
    """Why a card is not taken."""


def words(card: Any) -> str:
    """What is read on it."""
    title, described = member(card, "main_title", "title"), member(card, "main_title", "desc")
    lines = (title, described, member(card, "sub_title_text"))
    return "\n".join(str(line) for line in lines if line)


def choices(card: Any) -> tuple[Choice, ...]:
    """What can be tapped; the id of a vote's option has its question before it. Raises :class:`BadCard`."""
    kind = member(card, "card_type")
    if kind not in KINDS:
        raise BadCard(f"card_type {kind}")
    if not words(card).strip():
        raise BadCard("main_title.title or sub_title_text is needed")
    if kind in INTERACTIVE and not TASK.fullmatch(str(member(card, "task_id") or "")):
        raise BadCard("task_id is needed: at most 128 of A-Z a-z 0-9 _ @ -")
    if kind == "button_interaction":
        return _buttons(member(card, "button_list"))
    if kind == "vote_interaction":
        return _options(member(card, "checkbox"))
    if kind == "multiple_interaction":
        selects = member(card, "select_list")
        if not isinstance(selects, list) or not 1 <= len(selects) <= 3:
            raise BadCard("select_list has 1 to 3 lists")
        return tuple(choice for select in selects for choice in _options(select, most=10))
    if kind == "text_notice" and not member(card, "card_action"):
        raise BadCard("card_action is needed")
    return ()


def _buttons(given: Any) -> tuple[Choice, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= 6:
        raise BadCard("button_list has 1 to 6 buttons")
    return tuple(_choice(each, "key", longest=1024) for each in given)


def _options(given: Any, *, most: int = 20) -> tuple[Choice, ...]:
    options = member(given, "option_list")
    if not member(given, "question_key") or not isinstance(options, list) or not 1 <= len(options) <= most:
        raise BadCard(f"question_key, and option_list with 1 to {most} options")
    return tuple(_choice(each, "id", longest=128) for each in options)


def _choice(given: Any, name: str, *, longest: int) -> Choice:
    key, text = member(given, name), member(given, "text")
    if not isinstance(key, str) or not key or len(key.encode()) > longest:
        raise BadCard(f"{name} of at most {longest} bytes")
    if not isinstance(text, str) or not text:
        raise BadCard("text is needed")
    return Choice(id=key, title=text)


def selected(card: Any, choice: str) -> tuple[str, dict[str, Any]]:
    """The event's key, and the selected items, of a tap on *choice*."""
    kind = member(card, "card_type")
    if kind == "button_interaction":
        return choice, {}
    lists = [member(card, "checkbox")] if kind == "vote_interaction" else member(card, "select_list")
    found = next(each for each in lists if any(option["id"] == choice for option in each["option_list"]))
    submit = str(member(card, "submit_button", "key") or "submit")
    return submit, {"question_key": found["question_key"], "option_id": choice}
