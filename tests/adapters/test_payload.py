"""JSON from the outside: read as what it claims to be, or refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Malformed
from adapters.payload import at, objects, read_json, read_object, text

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"{",
            b"hello",
            b"\xff",
            b"NaN",
            b'{"a": NaN}',
            b"[Infinity]",
            b"[-Infinity]",
            b"[1e999]",
            b"[-1e999]",
        ),
        *(
            b'"\\ud800"',
            b'{"\\udfff": 1}',
            b'{"a":"\xed\xa0\x80"}',
            b"9" * 5000,
            b"[" * 100_000,
            b'{"a":' * 100_000,
        ),
        *('{"a": 1}'.encode("utf-16"), '"\\ud800"'.encode("utf-16"), b"[" * 70 + b"]" * 70, b"1 2", b"'a'"),
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_is_no_plain_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_json(body)


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_what_is_read_can_be_written_again(body: bytes) -> None:
    try:
        value = read_json(body)
    except Malformed:
        return
    assert json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode()) == value


def test_a_pair_of_surrogate_escapes_is_one_character() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"a": "x\x0by\nz"}', "x\x0by\nz"),
        (b'{"a": "\xe4\xbd"}', "\ufffd"),
        (b'{"a": "\xed\xa0\x80"}', "\ufffd" * 3),
        (b'{"a": "\\ud83d!"}', "?!"),
        (b'{"a": "\\ud83d\\ude00"}', "😀"),
        ('{"a": "你"}'.encode(), "你"),
    ],
)
def test_a_platform_s_slips_within_a_text_can_be_forgiven(body: bytes, read: str) -> None:
    assert text(read_object(body, forgiving=True), "a") == read


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"[1e999]", b"[" * 70 + b"]" * 70, b"9" * 5000, b"'a'"])
def test_what_is_no_json_at_all_is_not_forgiven(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_json(body, forgiving=True)


def test_depth_is_counted_from_the_root() -> None:
    assert read_json(b"[" * 64 + b"]" * 64)
    with pytest.raises(Malformed):
        read_json(b"[[1]]", deepest=1)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"a"', b"7", b"true"])
def test_a_body_that_must_be_an_object_is_malformed_if_it_is_none(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_object(body)


def test_an_error_does_not_quote_the_body() -> None:
    with pytest.raises(Malformed) as caught:
        read_json(b'{"pin": 4471')
    assert "4471" not in f"{caught.value!r}{caught.value.__cause__!r}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"a": {"b": "x"}}, "x"),
        ({"a": {"b": 7}}, "7"),
        ({"a": {"b": 0}}, "0"),
        ({"a": {"b": True}}, ""),
        ({"a": {"b": 1.5}}, ""),
        ({"a": {"b": None}}, ""),
        ({"a": {"b": ["x"]}}, ""),
        ({"a": ["b"]}, ""),
        ({"a": "b"}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_text_is_found_or_empty(source: Any, found: str) -> None:
    assert text(source, "a", "b") == found


@given(values, st.lists(st.text(max_size=2), max_size=3))
def test_looking_into_anything_never_raises(source: Any, path: list[str]) -> None:
    assert isinstance(text(source, *path), str)
    assert all(isinstance(each, dict) for each in objects(source, *path))
    assert at(source) is source
