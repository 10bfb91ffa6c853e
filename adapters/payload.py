"""Reading a platform's JSON without trusting it: bounded depth, no NaN, no lone surrogates, no surprises."""

import json
import math
import re
from collections.abc import Iterator
from typing import NoReturn

from adapters.errors import Malformed

DEEPEST = 64
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def read_json(body: bytes, *, deepest: int = DEEPEST, forgiving: bool = False) -> Json:
    """The JSON of *body*. Raises :class:`Malformed` for anything that is not plain, finite and encodable.

    *forgiving* is for platforms that put a customer's words into their JSON as they are, cut inside a character or
    with raw control characters: half a character becomes "?" or U+FFFD, and the rest is read. (wechatpy reads all
    of WeCom's answers so, `decode('utf-8', 'ignore')` and `strict=False`.)"""
    errors = "replace" if forgiving else "strict"
    try:  # decoded here: json would guess other encodings, and let encoded surrogates through
        value: Json = json.loads(
            body.decode("utf-8-sig", errors),
            parse_constant=_no_constant,
            parse_float=_finite,
            strict=not forgiving,
        )
    except (ValueError, RecursionError) as error:  # ValueError: syntax, encoding, endless integers
        raise Malformed(f"not JSON: {type(error).__name__}") from None
    _check_depth(value, deepest)
    if not _SURROGATE_ESCAPE.search(body):
        return value
    return _encodable(value, errors)


def read_object(body: bytes, *, forgiving: bool = False) -> dict[str, Json]:
    """As :func:`read_json`, for bodies that must be an object."""
    value = read_json(body, forgiving=forgiving)
    if not isinstance(value, dict):
        raise Malformed(f"expected a JSON object, got {type(value).__name__}")
    return value


def text(source: Json, *path: str) -> str:
    """The string at *path*, or "" where anything on the way is missing or of another type. Integers are
    read as their digits: platforms disagree with themselves about ids and times."""
    found = at(source, *path)
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""


def at(source: Json, *path: str) -> Json:
    """What is at *path*, or None."""
    for step in path:
        source = source.get(step) if isinstance(source, dict) else None
    return source


def objects(source: Json, *path: str) -> Iterator[dict[str, Json]]:
    """The objects of the list at *path*; other members are passed over."""
    found = at(source, *path)
    if isinstance(found, list):
        yield from (each for each in found if isinstance(each, dict))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("a number beyond all numbers")
    return value


def _check_depth(value: Json, deepest: int) -> None:
    level: list[Json] = [value]
    for _ in range(deepest + 1):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise Malformed(f"JSON deeper than {deepest} levels")


def _encodable(value: Json, errors: str) -> Json:
    try:
        encoded = json.dumps(value, ensure_ascii=False).encode("utf-8", errors)
    except UnicodeEncodeError:
        raise Malformed("a lone surrogate in the text") from None
    written: Json = json.loads(encoded)
    return written
