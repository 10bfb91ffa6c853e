"""The bodies of what the robot says (DingTalk sheet §2.2–2.4, §7)."""

import re
from collections.abc import Mapping, Sequence

from adapters.dingtalk.api import written
from adapters.payload import Json
from adapters.text import Limit
from adapters.values import Choice

LARGEST_BODY = 15_000
"""Bytes: a group message's `msgParam`; a session webhook takes 20,000 (§7)."""
OVERHEAD = 1_000
"""Of these, what ids, title and the JSON around them may take."""
LONGEST_TEXT = 3_500
LONGEST_TITLE = 20
PICTURE = "[图片]"
OPEN = "打开"

_MARKUP = re.compile(
    r"^ {0,3}(#{1,6} |> ?|[-*+] |\d+[.)] |```)|\*\*\S|(?<!\w)\*[^\s*][^*\n]*\*|`[^`\n]+`|\[[^\]\n]*\]\(",
    re.MULTILINE,
)
_HEADING = re.compile(r"^ {0,3}#{1,6} +(\S.*)$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*_`#>~]|^\s*([-+]|\d+[.)])\s", re.MULTILINE)
_BRACKETS = re.compile(r"[\[\]()\n]")
_MARKDOWN_BREAK = "  \n  "


def _dumped(value: Mapping[str, Json]) -> str:
    return written(value).decode()


def body_cost(text: str) -> int:
    """The size of *text* in a final body, where it may be a JSON string inside a JSON string; or, if that is more,
    its share of the characters that a message may have."""
    inside = written({"msgParam": _dumped({"text": text})})
    return max(len(inside), len(text) * (LARGEST_BODY - OVERHEAD) // LONGEST_TEXT)


LIMIT = Limit(size=LARGEST_BODY - OVERHEAD, measure=body_cost)


def has_markup(text: str) -> bool:
    return _MARKUP.search(text) is not None


def title(text: str) -> str:
    """What the list of chats shows: the first heading, else the first words."""
    heading = _HEADING.search(text)
    words = _LINK.sub(r"\1", heading.group(1) if heading else text)
    short = " ".join(_MARKS.sub(" ", words).split())[:LONGEST_TITLE].strip()
    return short or "回复"


def _plain(text: str) -> str:
    return text.replace(_MARKDOWN_BREAK, "\n")


def numbered(text: str, choices: Sequence[Choice]) -> str:
    """*text* with *choices* below it, for where there are no buttons."""
    lines = [f"{number}. {choice.title}" for number, choice in enumerate(choices, 1)]
    return "\n\n".join(filter(None, [text, "\n".join(lines)]))


def webhook_body(text: str, *, mention: str = "") -> bytes:
    """For a session webhook. *mention* is a user id; a mention counts only if the text shows it too (§2.3)."""
    to: Mapping[str, Json] = {"at": {"atUserIds": [mention], "isAtAll": False}} if mention else {}
    if has_markup(text):
        shown = f"{text}\n\n@{mention}" if mention else text  # on a line of its own no fence or list swallows it
        return written({"msgtype": "markdown", "markdown": {"title": title(text), "text": shown}, **to})
    shown = f"{_plain(text)} @{mention}" if mention else _plain(text)
    return written({"msgtype": "text", "text": {"content": shown}, **to})


def webhook_picture(address: str, name: str) -> bytes:
    """A picture for a session webhook, which has no type of its own for it (§2.1): *address* is a URL or a media
    id."""
    shown = f"![{_alone(name)}]({address})"
    return written({"msgtype": "markdown", "markdown": {"title": title(name) if name else PICTURE, "text": shown}})


def webhook_link(name: str, url: str) -> bytes:
    """A card with one button, which opens *url*."""
    card: dict[str, Json] = {
        "title": title(name),
        "text": f"📎 {_alone(name)}",
        "singleTitle": OPEN,
        "singleURL": url,
        "btnOrientation": "0",
    }
    return written({"msgtype": "actionCard", "actionCard": card})


def api_text(text: str) -> tuple[str, dict[str, str]]:
    """`msgKey` and `msgParam` of a text for the OpenAPI's sends, which cannot mention."""
    if has_markup(text):
        return "sampleMarkdown", {"title": title(text), "text": text}
    return "sampleText", {"content": _plain(text)}


def api_link(name: str, url: str) -> tuple[str, dict[str, str]]:
    """As :func:`webhook_link`."""
    text = f"📎 {_alone(name)}"
    return "sampleActionCard", {"title": title(name), "text": text, "singleTitle": OPEN, "singleURL": url}


def api_body(message: tuple[str, Mapping[str, str]], *, robot: str, to: Mapping[str, Json]) -> bytes:
    """For the OpenAPI's sends; *to* names the receivers. `msgParam` is a string (§2.4)."""
    key, param = message
    return written({"robotCode": robot, **to, "msgKey": key, "msgParam": _dumped(dict(param))})


def _alone(name: str) -> str:
    """*name* without what would end its brackets."""
    return _BRACKETS.sub(" ", name).strip()
