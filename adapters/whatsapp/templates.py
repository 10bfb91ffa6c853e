"""Approved templates: all that goes out once the customer has been silent for a day (sheet §3.2, §4.1)."""

from collections.abc import Mapping
from typing import Any


def template(name: str, language: str, words: str) -> Mapping[str, Any]:
    """The `template` member of a send whose body has one variable, `{{1}}`, which *words* fill."""
    filled = {"type": "text", "text": parameter(words)}
    return {
        "name": name,
        "language": {"code": language},
        "components": [{"type": "body", "parameters": [filled]}],
    }


def parameter(words: str) -> str:
    """On one line, single-spaced: the platform refuses (132018) a parameter with a newline, a tab or more than four
    spaces in a row."""
    return " ".join(words.split())
