"""Where a call's arguments and the customer's identity are written: `{order_id}`, `{customer.user}`.

The two never mix: an argument is what a model said, the customer is what the platform vouches for. A value cannot
leave its place: in an address it is percent-encoded and is never a whole `.` or `..` segment.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from inference.tools.schema import Schema
from inference.tools.tool import Arguments, ToolFailed
from inference.values import Customer

IDENTITY = ("customer.channel", "customer.account", "customer.user")
LONGEST_IN_ADDRESS = 512
"""Characters of one value."""

_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\}")
_IDENTITY_HOLE = re.compile(r"\{(customer\.[A-Za-z0-9_]+)\}")

Values = Mapping[str, Any]


def values(arguments: Arguments, customer: Customer) -> Values:
    """What the placeholders stand for. No argument's name holds a dot, so none can pass for the identity."""
    given = {name: value for name, value in arguments.items() if "." not in name}
    identity = (customer.channel, customer.account, customer.user)
    return {**given, **dict(zip(IDENTITY, identity, strict=True))}


def text(value: Any) -> str:
    """A value inside other text."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def fill(template: str, given: Values, write: Callable[[Any], str] = text) -> str:
    """Once through: a placeholder inside a value stays as it is."""
    return _HOLE.sub(lambda hole: write(given[hole[1]]), template)


def address(template: str, given: Values) -> str:
    """An address. Raises :class:`ToolFailed` for a value that would change the path."""
    filled = fill(template, given, _segment)
    pattern, path = urlsplit(template).path.split("/"), urlsplit(filled).path.split("/")
    for wanted, segment in zip(pattern, path, strict=True):
        if _HOLE.search(wanted) and segment in ("", ".", ".."):
            raise ToolFailed(f"the value for {' '.join(_HOLE.findall(wanted))} is not usable", outcome="invalid")
    return filled


def _segment(value: Any) -> str:
    written = text(value)
    if len(written) > LONGEST_IN_ADDRESS:
        raise ToolFailed(f"a value has more than {LONGEST_IN_ADDRESS} characters", outcome="invalid")
    return quote(written, safe="", errors="replace")


def header(template: str, given: Values) -> str:
    """Only the identity is filled in; other braces are a secret's own. Percent-encoded: ids are in any script."""
    return _IDENTITY_HOLE.sub(lambda hole: quote(text(given[hole[1]]), safe="+@:=!$*-._~"), template)


def body(template: Any, given: Values) -> Any:
    """A JSON value whose strings are filled in. A string that is one placeholder becomes its value, typed."""
    if isinstance(template, Mapping):
        return {name: body(each, given) for name, each in template.items()}
    if isinstance(template, list | tuple):
        return [body(each, given) for each in template]
    if not isinstance(template, str):
        return template
    alone = _HOLE.fullmatch(template)
    return given[alone[1]] if alone else fill(template, given)


def holes(template: Any) -> Iterator[str]:
    """The names of all placeholders."""
    if isinstance(template, str):
        yield from _HOLE.findall(template)
    elif isinstance(template, Mapping):
        for each in template.values():
            yield from holes(each)
    elif isinstance(template, list | tuple):
        for each in template:
            yield from holes(each)


def strangers(template: Any, schema: Schema) -> Iterator[str]:
    """A problem for each placeholder that stands for nothing."""
    known = [*sorted(schema.names), *IDENTITY]
    for name in dict.fromkeys(holes(template)):
        if name not in known:
            yield f"{{{name}}} stands for nothing; known here: {', '.join(f'{{{each}}}' for each in known)}"


def address_problems(template: str, schema: Schema) -> Iterator[str]:
    """What is wrong with an address template."""
    yield from strangers(template, schema)
    try:
        url = urlsplit(template)
        valid = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    if not valid or not template.isprintable() or " " in template:
        yield "should be an address such as https://shop.example.com/orders/{order_id}"
    elif _HOLE.search(url.netloc):
        yield "has a placeholder in the host; only path and query may have one"
    elif url.username or url.password or url.fragment:
        yield "has a user, a password or a fragment; put credentials into headers"
    for name in dict.fromkeys(holes(template)):
        if name in schema.names and not schema.scalar(name):
            yield f"{{{name}}} may be a list or a table, which no address can hold; send it in json"


def header_problems(template: str) -> Iterator[str]:
    """*template* may be a secret, and is not repeated."""
    if not template.isprintable() or not template.isascii():
        yield "has characters that no header can carry; write ASCII without line breaks"
    if any(name not in IDENTITY for name in _IDENTITY_HOLE.findall(template)):
        yield f"has a placeholder that stands for nothing; known here: {', '.join(IDENTITY)}"
