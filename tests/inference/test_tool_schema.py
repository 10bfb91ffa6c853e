"""Arguments are held to a strict schema, and no schema asks the model who the customer is."""

from typing import Any

import pytest

from inference.tools.schema import LARGEST_ARGUMENTS, BadArguments, BadSchema, Schema

ORDER = {"type": "object", "properties": {"number": {"type": "string", "pattern": "^[0-9]+$"}}}


def test_every_argument_is_needed_and_no_other_is_taken() -> None:
    schema = Schema(ORDER)
    assert schema.parameters == ORDER | {"required": ["number"], "additionalProperties": False}
    assert schema.read('{"number": "12"}') == {"number": "12"}


def test_what_is_configured_is_not_changed() -> None:
    given = {"type": "object", "properties": {"deep": {"type": "object", "properties": {"x": {"type": "null"}}}}}
    Schema(given)
    assert "required" not in given
    assert given["properties"]["deep"] == {"type": "object", "properties": {"x": {"type": "null"}}}  # type: ignore[index]


def test_objects_within_are_strict_too_whatever_their_properties_are_called() -> None:
    inner = {"type": "object", "properties": {"type": {"type": "string"}, "properties": {"type": "string"}}}
    schema = Schema({"type": "object", "properties": {"list": {"type": "array", "items": inner}, "enum": inner}})
    assert schema.read('{"list": [{"type": "a", "properties": "b"}], "enum": {"type": "", "properties": ""}}')
    for wrong in ('{"list": [{"type": "a"}], "enum": {"type": "", "properties": ""}}', '{"list": [], "enum": {}}'):
        with pytest.raises(BadArguments):
            schema.read(wrong)


WRONG_ARGUMENTS = {
    "not JSON": "{",
    "a list": "[]",
    "a text": '"12"',
    "null": "null",
    "nothing where something is needed": "",
    "one missing": "{}",
    "one too many": '{"number": "12", "admin": true}',
    "one of another type": '{"number": 12}',
    "one against its pattern": '{"number": "12; DROP TABLE"}',
    "the same name twice": '{"number": "1", "number": "2"}',
    "no number that JSON knows": '{"number": NaN}',
    "deeply nested": "[" * 5000,
    "too long": '{"number": "' + "1" * LARGEST_ARGUMENTS + '"}',
    "two objects": '{"number": "1"}{"number": "2"}',
    "Harmony's markup": '{"number": "1"}<|call|>',
    "Python's quotes": "{'number': '1'}",
}


@pytest.mark.parametrize("case", WRONG_ARGUMENTS)
def test_arguments_that_do_not_fit_are_told_in_words_that_repeat_no_value(case: str) -> None:
    with pytest.raises(BadArguments) as caught:
        Schema(ORDER).read(WRONG_ARGUMENTS[case])
    assert str(caught.value)
    assert "DROP" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_words_say_what_would_fit() -> None:
    schema = Schema({"type": "object", "properties": {"size": {"type": "integer", "enum": [1, 2]}}})
    with pytest.raises(BadArguments, match=r"size: must have enum \[1, 2\]"):
        schema.read('{"size": 3}')
    with pytest.raises(BadArguments, match="only size may be given"):
        schema.read('{"size": 1, "x": 1}')
    with pytest.raises(BadArguments, match="every one of size is needed"):
        schema.read("{}")


def of(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"}}}


BAD_SCHEMAS: dict[str, tuple[Any, str]] = {
    "no table": ("text", "should be a JSON schema"),
    "no object": ({"type": "string"}, "should describe an object"),
    "no type": ({"properties": {}}, "should describe an object"),
    "properties that are no table": ({"type": "object", "properties": []}, "should describe an object"),
    "an unknown type": ({"type": "object", "properties": {"a": {"type": "text"}}}, "properties.a"),
    "further arguments": (of("a") | {"additionalProperties": True}, "takes further arguments"),
    "optional arguments": (of("a") | {"required": []}, "must require every argument"),
    "a reference": ({"type": "object", "properties": {"a": {"$ref": "https://example.com/x"}}}, "not followed"),
    "a name with a dot": (of("customer.user"), "no name for an argument"),
    "a name that is none": (of("a b"), "no name for an argument"),
    **{name: (of(name), "{customer.user}") for name in ("user_id", "customer", "Customer_ID", "openid", "channel")},
    "the identity deep inside": (
        {"type": "object", "properties": {"who": {"type": "object", "properties": {"userId": {}}}}},
        "{customer.user}",
    ),
}


@pytest.mark.parametrize("case", BAD_SCHEMAS)
def test_a_schema_that_is_not_strict_is_a_problem_with_a_next_step(case: str) -> None:
    schema, words = BAD_SCHEMAS[case]
    with pytest.raises(BadSchema) as caught:
        Schema(schema)
    assert words in str(caught.value)


def test_all_problems_of_a_schema_come_at_once() -> None:
    with pytest.raises(BadSchema) as caught:
        Schema(of("user_id") | {"required": [], "additionalProperties": {}})
    assert len(str(caught.value).splitlines()) == 3
