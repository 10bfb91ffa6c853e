"""What arguments a tool takes, strictly: every argument is listed, no other is taken; who the customer is, is none.

vLLM holds a model to a schema only where asked to, and then not always (vLLM sheet §0.9): all is checked again.
"""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

LARGEST_ARGUMENTS = 16_384
"""Characters of a call's raw JSON."""
_MOST_PROBLEMS = 5
_IDENTITY = frozenset(
    {
        "customer",
        "customerid",
        "customeruser",
        "user",
        "userid",
        "username",
        "openid",
        "channel",
        "account",
        "accountid",
    }
)
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$id", "$schema"})
_LITERAL = frozenset({"default", "const", "enum", "examples"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class BadSchema(ValueError):
    """The schema cannot be used; each line of the text is one problem with its next step."""


class BadArguments(Exception):
    """The arguments do not fit; the text tells the model why, without repeating a value."""


class Schema:
    """A strict object schema. *parameters* is what the model is shown."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises :class:`BadSchema` with every problem."""
        if found := list(_problems(parameters)):
            raise BadSchema("\n".join(found))
        self.parameters: dict[str, Any] = _strict(deepcopy(dict(parameters)))
        self._validator = Draft202012Validator(self.parameters)

    @classmethod
    def of(cls, **properties: Mapping[str, Any]) -> Self:
        return cls({"type": "object", "properties": properties})

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.parameters["properties"])

    def scalar(self, name: str) -> bool:
        """Whether the argument is never an array or an object."""
        kind = self.parameters["properties"][name].get("type", ())
        kinds = {kind} if isinstance(kind, str) else set(kind)
        return bool(kinds) and kinds <= {"string", "integer", "number", "boolean", "null"}

    def read(self, raw: str) -> dict[str, Any]:
        """The arguments in a call's raw JSON. Raises :class:`BadArguments`."""
        if len(raw) > LARGEST_ARGUMENTS:
            raise BadArguments(f"the arguments have more than {LARGEST_ARGUMENTS} characters")
        try:
            arguments = json.loads(raw or "{}", parse_constant=_no_number, object_pairs_hook=_unique)
        except (ValueError, RecursionError):
            raise BadArguments("the arguments are no valid JSON object") from None
        if not isinstance(arguments, dict):
            raise BadArguments("the arguments are no valid JSON object")
        self.check(arguments)
        return arguments

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raises :class:`BadArguments` unless they fit the schema."""
        errors = sorted(self._validator.iter_errors(dict(arguments)), key=lambda error: list(map(str, error.path)))
        if errors:
            raise BadArguments("; ".join(map(self._words, errors[:_MOST_PROBLEMS])))

    def _words(self, error: ValidationError) -> str:
        where = ".".join(map(str, error.absolute_path)) or "arguments"
        wanted = error.validator_value
        match error.validator:
            case "required":
                return f"{where}: every one of {_listed(wanted)} is needed"
            case "additionalProperties" if isinstance(error.schema, Mapping):
                return f"{where}: only {_listed(error.schema['properties'])} may be given"
        return f"{where}: must have {error.validator} {json.dumps(wanted, ensure_ascii=False)[:200]}"


def _listed(names: Any) -> str:
    return ", ".join(names) or "nothing"


def _no_number(_: str) -> float:
    raise ValueError("NaN and Infinity are no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that comes twice is read as the first by some and as the last by others."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _problems(schema: Any) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        yield "should be a JSON schema: a table, or JSON text of an object"
        return
    if schema.get("type") != "object" or not isinstance(schema.get("properties", {}), Mapping):
        yield 'should describe an object; write type = "object" and the arguments under properties'
        return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "the schema"
        yield f"is no valid JSON schema at {where}; see https://json-schema.org/understanding-json-schema"
        return
    yield from _loose(schema, "")


def _loose(schema: Any, where: str) -> Iterator[str]:
    """What is valid, but not strict."""
    if isinstance(schema, list):
        for each in schema:
            yield from _loose(each, where)
    if not isinstance(schema, Mapping):
        return
    for word in sorted(_REFERENCES & set(schema)):
        yield f"{where or 'the schema'} has {word}, which is not followed; write the schema out in full"
    if "properties" in schema:
        yield from _loose_object(schema, where)
    for name, each in schema.items():
        if name == "properties":
            for argument, inner in each.items():
                yield from _loose(inner, f"{where}.{argument}".lstrip("."))
        elif name not in _LITERAL:
            yield from _loose(each, where)


def _loose_object(schema: Mapping[str, Any], where: str) -> Iterator[str]:
    names = set(schema["properties"])
    if schema.get("additionalProperties", False) is not False:
        yield f"{where or 'the schema'} takes further arguments; remove additionalProperties, or set it to false"
    if set(schema.get("required", names)) != names:
        yield (
            f"{where or 'the schema'} must require every argument; remove required, and let one that may be absent "
            'have type = ["string", "null"]'
        )
    for name in sorted(names):
        if not _NAME.fullmatch(name):
            yield f"{name!r} is no name for an argument; use letters, digits and _"
        if re.sub(r"[^a-z]", "", name.lower()) in _IDENTITY:
            yield (
                f"{name} asks the model who the customer is, and a model can be talked into a lie; remove it, and "
                "write {customer.user}, {customer.channel} or {customer.account} where it is sent"
            )


def _strict(schema: Any) -> Any:
    """The schema with what strictness needs written out, so that a server can enforce it too."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: each if name in _LITERAL else _strict(each) for name, each in schema.items()}
    if schema.get("type") == "object" or "properties" in schema:
        properties = {name: _strict(each) for name, each in schema.get("properties", {}).items()}
        strict |= {"properties": properties, "required": list(properties), "additionalProperties": False}
    return strict
