"""`[tools.<name>]`: what an assistant may do beside talking, and what can be wrong with it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, SecretStr, StringConstraints

from bot.config.sections import Duration, Section, from_json, is_private
from inference.tools import confirm
from inference.tools.python import BadEntry, resolve
from inference.tools.schema import BadSchema, Schema
from inference.tools.template import address_problems, header_problems, strangers

NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
_KINDS = ("url", "python", "builtin")
_OF_URL = ("method", "headers", "query", "body", "result")
_OF_BUILTIN = ("builtin", "description", "timeout")

Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


def _both(value: object) -> object:
    """One text for all languages, or a table of them."""
    if isinstance(value, str) and not value.lstrip().startswith('{"'):
        return dict.fromkeys(confirm.LANGUAGES, value)
    return from_json(value)


def _paths(value: object) -> str | dict[str, str]:
    value = from_json(value) if isinstance(value, str) and value.lstrip().startswith("{") else value
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and all(isinstance(path, str) for path in value.values()):
        return {str(name): path for name, path in value.items()}
    raise ValueError('should be a path such as "order.state", or a table of such paths')


class Tool(Section):
    """A call of *url*, a function of the operator's own (*python*), or a *builtin*. *confirm*: customers are asked
    first, with *confirm_text*."""

    description: str = Field("", max_length=4000)
    parameters: Annotated[dict[str, Any], BeforeValidator(from_json)] = NOTHING
    url: str | None = None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: Annotated[dict[Header, SecretStr], BeforeValidator(from_json)] = Field(default_factory=dict)
    query: Annotated[dict[str, str], BeforeValidator(from_json)] = Field(default_factory=dict)
    body: Annotated[dict[str, Any] | None, BeforeValidator(from_json)] = None
    result: Annotated[str | dict[str, str], PlainValidator(_paths)] = ""
    python: str | None = None
    builtin: Literal["set_reminder"] | None = None
    timeout: Duration = timedelta(seconds=10)
    max_result_chars: int = Field(4000, ge=100, le=100_000)
    confirm: bool = False
    confirm_text: Annotated[dict[Literal["en", "zh"], str], BeforeValidator(_both)] = Field(default_factory=dict)


Table = Mapping[str, Any]


def tool_problems(values: Table) -> Iterator[str]:
    """What no single value of a tool's table can show. Works on raw *values*, so that all is told at once."""
    for name, table in _tables(values.get("tools")):
        for key, problem in _problems(table):
            yield f"tools.{name}{key}: {problem}"


def _problems(table: Table) -> Iterator[tuple[str, str]]:
    kinds = [kind for kind in _KINDS if table.get(kind) is not None]
    if len(kinds) != 1:
        yield "", f"has {' and '.join(kinds) or 'neither url, python nor builtin'}; write exactly one of them"
        return
    (kind,) = kinds
    if kind == "builtin":
        yield from ((f".{key}", "is fixed for a builtin; remove it") for key in table if key not in _OF_BUILTIN)
        return
    if not table.get("description"):
        yield ".description", "is missing; tell the model what the tool does and when to use it"
    schema = None
    try:
        schema = Schema(_json(table.get("parameters", NOTHING)))
    except BadSchema as bad:
        yield from ((".parameters", line) for line in str(bad).splitlines())
    if kind == "python":
        yield from _of_python(table)
    if schema is not None:
        if kind == "url":
            yield from _of_url(table, schema)
        yield from _of_confirmation(table, schema)


def _of_python(table: Table) -> Iterator[tuple[str, str]]:
    yield from ((f".{key}", "belongs to a tool with a url; remove it") for key in _OF_URL if key in table)
    try:
        resolve(str(table["python"]))
    except BadEntry as bad:
        yield ".python", str(bad)


def _of_url(table: Table, schema: Schema) -> Iterator[tuple[str, str]]:
    url = str(table["url"])
    yield from ((".url", problem) for problem in address_problems(url, schema))
    if not is_private(url):
        yield ".url", "would send a customer's data over plain http; write https://"
    for name, template in _items(table.get("headers")):
        if isinstance(template, str):
            yield from ((f".headers.{name}", problem) for problem in header_problems(template))
    for part in ("query", "body"):
        yield from ((f".{part}", problem) for problem in strangers(_json(table.get(part)), schema))
    if table.get("body") is not None and table.get("method", "GET") == "GET":
        yield ".body", 'is not sent with GET; write method = "POST", or use query'


def _of_confirmation(table: Table, schema: Schema) -> Iterator[tuple[str, str]]:
    texts = table.get("confirm_text")
    asks = str(table.get("confirm", "false")).lower() in ("true", "1", "yes", "on")
    if asks and not texts:
        example = " ".join(["cancel order", *(f"{{{name}}}" for name in sorted(schema.names))])
        yield ".confirm_text", f'is missing; say what the customer confirms, such as "{example}"'
    elif texts and not asks:
        yield ".confirm_text", "is said only before an action that must be confirmed; write confirm = true"
    elif asks:
        given = _both(texts) if isinstance(texts, str) else texts
        written = {str(language): str(text) for language, text in _items(given)}
        yield from ((".confirm_text", problem) for problem in confirm.problems(written, schema))


def tool_advice(tools: Mapping[str, Tool]) -> Iterator[str]:
    for name, tool in tools.items():
        if tool.url and tool.method != "GET" and not tool.confirm:
            yield f"tools.{name}: sends {tool.method} without asking the customer; confirm = true asks first"


def _json(value: Any) -> Any:
    try:
        return from_json(value)
    except ValueError:
        return value


def _tables(value: Any) -> Iterator[tuple[str, Table]]:
    yield from ((name, each) for name, each in _items(value) if isinstance(each, dict))


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    value = _json(value)
    if isinstance(value, dict):
        yield from value.items()
