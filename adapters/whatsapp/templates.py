"""Approved templates: all that goes out once the customer has been silent for a day (sheet §3.2, §4.1)."""

from collections.abc import Mapping
from typing import Any


def template(name: str, language: str, words: str, *, parameter_name: str = "") -> Mapping[str, Any]:
    """The body of a send whose template has one variable, which *words* fill: `{{1}}`, or *parameter_name*.
    Without *words* it has none."""
    named = {"parameter_name": parameter_name} if parameter_name else {}
    filled = {"type": "text", **named, "text": parameter(words)}
    components = [{"type": "body", "parameters": [filled]}] if filled["text"] else []
    content = {"name": name, "language": {"code": language}, **({"components": components} if components else {})}
    return {"type": "template", "template": content}


def parameter(words: str) -> str:
    """On one line, single-spaced: the platform refuses (132018) a parameter with a newline, a tab or more than four
    spaces in a row."""
    return " ".join(words.split())
