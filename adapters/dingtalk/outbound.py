"""The bodies of what the robot says (DingTalk sheet §2.2–2.4, §7)."""

import json
import re
from collections.abc import Mapping

from adapters.payload import Json
from adapters.text import Limit

LARGEST_BODY = 15_000
"""Bytes: a group message's `msgParam`; a session webhook takes 20,000 (§7)."""
OVERHEAD = 1_000
"""Of these, what ids, title and the JSON around them may take."""
LONGEST_TEXT = 3_500
LONGEST_TITLE = 20

_MARKUP = re.compile(
    r"^ {0,3}(#{1,6} |> ?|[-*+] |\d+[.)] |```)|\*\*\S|(?<!\w)\*[^\s*][^*\n]*\*|`[^`\n]+`|\[[^\]\n]*\]\(",
    re.MULTILINE,
)
_HEADING = re.compile(r"^ {0,3}#{1,6} +(\S.*)$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*_`#>~]|^\s*([-+]|\d+[.)])\s", re.MULTILINE)
_MARKDOWN_BREAK = "  \n  "


def _dumped(value: Mapping[str, Json]) -> str:
    """Chinese as itself: escaped, each character would take six bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _encoded(value: Mapping[str, Json]) -> bytes:
    return _dumped(value).encode("utf-8", "replace")


def body_cost(text: str) -> int:
    """The size of *text* in a final body, where it may be a JSON string inside a JSON string; or, if that is more,
    its share of the characters that a message may have."""
    inside = _encoded({"msgParam": _dumped({"text": text})})
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


def webhook_body(text: str, *, mention: str = "") -> bytes:
    """For a session webhook. *mention* is a user id; a mention counts only if the text shows it too (§2.3)."""
    to: Mapping[str, Json] = {"at": {"atUserIds": [mention], "isAtAll": False}} if mention else {}
    if has_markup(text):
        shown = f"{text}\n\n@{mention}" if mention else text  # on a line of its own no fence or list swallows it
        return _encoded({"msgtype": "markdown", "markdown": {"title": title(text), "text": shown}, **to})
    shown = f"{_plain(text)} @{mention}" if mention else _plain(text)
    return _encoded({"msgtype": "text", "text": {"content": shown}, **to})


def api_body(text: str, *, robot: str, to: Mapping[str, Json]) -> bytes:
    """For the OpenAPI's sends, which cannot mention; *to* names the receivers. `msgParam` is a string (§2.4)."""
    if has_markup(text):
        key, param = "sampleMarkdown", _dumped({"title": title(text), "text": text})
    else:
        key, param = "sampleText", _dumped({"content": _plain(text)})
    return _encoded({"robotCode": robot, **to, "msgKey": key, "msgParam": param})
