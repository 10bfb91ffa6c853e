"""What the Cloud API checks of a template send (WhatsApp sheet §3.2, §4.1). Every well-formed name counts as
approved, with one variable in its body."""

import re
from typing import Any

from bot.sandbox.simulator.platform import member

_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Za-z0-9]{2,4})?")
_FORBIDDEN = re.compile(r"[\n\t]| {5}")
_LONGEST_PARAMETER = 1024


class BadTemplate(Exception):
    """*code* is Meta's (§4.4)."""

    def __init__(self, code: int, message: str, details: str) -> None:
        super().__init__(message)
        self.status = 404 if code == 132001 else 400
        self.code = code
        self.message = message
        self.details = details


def shown(template: Any) -> str:
    """What the customer sees: the variable's words (the template's own are not known here). Raises
    :class:`BadTemplate`."""
    name, language = member(template, "name"), member(template, "language", "code")
    if not isinstance(name, str) or not isinstance(language, str):
        raise BadTemplate(131008, "Required parameter is missing", "template.name or template.language.code")
    if not _NAME.fullmatch(name) or not _LANGUAGE.fullmatch(language):
        raise BadTemplate(132001, "Template does not exist", "in this language, or it is not approved")
    parameters = _parameters(template.get("components"))
    if len(parameters) != 1:
        raise BadTemplate(132000, "Number of parameters does not match", f"{len(parameters)} instead of 1")
    text = member(parameters[0], "text")
    if member(parameters[0], "type") != "text" or not isinstance(text, str) or not text.strip():
        raise BadTemplate(132012, "Parameter format does not match", "one text is wanted")
    if len(text) > _LONGEST_PARAMETER:
        raise BadTemplate(132005, "Translated text too long", f"{len(text)} characters")
    if _FORBIDDEN.search(text):
        raise BadTemplate(132018, "Parameter is invalid", "a new line, a tab or more than 4 spaces in a row")
    return text


def _parameters(components: Any) -> list[Any]:
    """Of the body, the only component that the sandbox's templates have."""
    bodies = components if isinstance(components, list) else [None]
    parameters: list[Any] = []
    for each in bodies:
        given = member(each, "parameters")
        if member(each, "type") != "body" or not isinstance(given, list):
            raise BadTemplate(132012, "Parameter format does not match", "components: one body is wanted")
        parameters += given
    return parameters
