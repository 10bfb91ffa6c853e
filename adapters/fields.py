"""Types of settings that more than one platform has."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

_BASE = re.compile(
    r"https?://[A-Za-z0-9._-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?"
)


def _base(url: str) -> str:
    if not _BASE.fullmatch(url):
        raise ValueError("expected http(s)://host[:port][/path] without user, query or fragment")
    return url.rstrip("/")


def _seconds(given: object) -> object:
    """The environment has strings only, and pydantic takes `3600` for a duration but not `"3600"`."""
    return int(given) if isinstance(given, str) and given.isascii() and given.isdigit() else given


def matching(pattern: str, expected: str) -> AfterValidator:
    """For a secret whose form is known: it has no `pattern` of its own, and an error must not show it."""

    def check(secret: SecretStr) -> SecretStr:
        if not re.fullmatch(pattern, secret.get_secret_value()):
            raise ValueError(f"expected {expected}")
        return secret

    return AfterValidator(check)


Base = Annotated[str, AfterValidator(_base)]
"""Where a platform's API is, without a trailing slash."""
Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
