"""Links of an answer to the operator's own files: `![the plan](file:plan.png)`, `[prices](file:prices.pdf)`.

Whoever sends the answer sends the file itself. So a link is kept where the shop wrote it, and nowhere else: what a
model made up, or a customer talked it into, is no file of this answer's.
"""

import re
from collections.abc import Collection, Iterable

LABEL = r"!?\[(?:[^\[\]\n]|\[[^\[\]\n]*\](?:\([^()\n]*\))?)*\]"
"""Of any link or picture. Brackets in it are paired; a picture may be the label of a link."""
TARGET = r"\((?:<[^<>\n]*>[^()\n]*|(?:[^()\n]|\([^()\n]*\))*)\)"

_LINK = re.compile(rf"(?P<label>{LABEL})\((?:<(?P<bracketed>file:[^<>\n]*)>|(?P<bare>file:[^()\s]*))[^()\n]*\)")


def links(text: str) -> list[str]:
    """All file links of *text*, as they stand there."""
    return [found[0] for found in _LINK.finditer(text)] if "file:" in text else []


def targets(texts: Iterable[str]) -> frozenset[str]:
    """The files that *texts* link to."""
    named = (found for text in texts if "file:" in text for found in _LINK.finditer(text))
    return frozenset(_target(found) for found in named)


def only(text: str, known: Collection[str]) -> str:
    """*text* without links to other files than those *known*: a link leaves its words, a picture nothing."""

    def kept(found: re.Match[str]) -> str:
        if _target(found) in known:
            return found[0]
        return "" if found["label"].startswith("!") else found["label"][1:-1]

    return _LINK.sub(kept, text).strip() if "file:" in text else text


def without(text: str) -> str:
    """*text* as far as it counts as text."""
    return _LINK.sub("", text) if "file:" in text else text


def _target(found: re.Match[str]) -> str:
    return found["bracketed"] or found["bare"] or ""
