"""The one comparison of secrets: never an exception, never a match by accident."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.signing import any_same, hmac_sha256, same, secrets

anything = st.text(st.characters(exclude_categories=())) | st.binary()


@given(anything, anything)
def test_any_two_values_can_be_compared(left: str | bytes, right: str | bytes) -> None:
    assert same(left, right) in (True, False)


@given(anything)
def test_a_value_equals_itself_unless_it_is_empty(value: str | bytes) -> None:
    assert same(value, value) == bool(value)


@pytest.mark.parametrize("given_value", ["", "a", "ab ", "AB", "é", "\ud800", "ab\n"])
def test_another_value_is_not_the_same(given_value: str) -> None:
    assert not same("ab", given_value)


@pytest.mark.parametrize("given_value", ["", b"", "a"])
def test_nothing_equals_an_empty_secret(given_value: str | bytes) -> None:
    assert not same("", given_value)


def test_text_is_compared_as_utf8() -> None:
    assert same("é", b"\xc3\xa9")


def test_one_of_two_secrets_is_enough() -> None:
    assert any_same(["new", "old"], "old")
    assert any_same(["new", "old"], "new")
    assert not any_same(["new", "old"], "older")
    assert not any_same([], "")


def test_unset_and_empty_secrets_are_left_out() -> None:
    assert secrets(SecretStr("new"), SecretStr("old")) == ("new", "old")
    assert secrets(SecretStr("new"), None) == ("new",)
    assert secrets(SecretStr(""), None) == ()


def test_the_digest_is_the_standard_one() -> None:
    expected = hmac.new("钥匙".encode(), b"message", hashlib.sha256).digest()
    assert hmac_sha256("钥匙", b"message") == hmac_sha256("钥匙".encode(), b"message") == expected
