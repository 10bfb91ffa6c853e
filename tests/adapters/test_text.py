"""Cutting text: in order, nothing lost, no grapheme broken, and at places that a reader would choose."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from adapters.text import Limit, split, utf8_bytes, utf16_units

LETTERS = Limit(size=20, measure=len)
measures = st.sampled_from([len, utf8_bytes, utf16_units])
pieces = st.sampled_from(
    ["a", "字", "😀", "👨‍👩‍👧‍👦", "🇨🇳", "e\u0301", " ", "\n", "\n\n", ". ", "。", "`", "```", "[a](b)"]
)


def test_a_short_text_is_one_part() -> None:
    assert split("hello", LETTERS) == ("hello",)


def test_no_text_is_no_part() -> None:
    assert split(" \n ", LETTERS) == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("first paragraph\n\nsecond one", ("first paragraph", "second one")),
        ("a first line here\nsecond line", ("a first line here", "second line")),
        ("One sentence. Another sentence.", ("One sentence.", "Another sentence.")),
        ("第一句话，说得很长很长很长。第二句话。", ("第一句话，说得很长很长很长。第二句话。",)),
        ("第一句话，说得很长很长很长很长。第二句话也长。", ("第一句话，说得很长很长很长很长。", "第二句话也长。")),
        ("only words without an end", ("only words without", "an end")),
        ("x" * 45, ("x" * 20, "x" * 20, "x" * 5)),
    ],
)
def test_the_cut_is_where_a_reader_would_pause(text: str, parts: tuple[str, ...]) -> None:
    assert split(text, LETTERS) == parts


def test_a_pause_that_comes_too_early_is_passed_over() -> None:
    assert split("Hm. and then many words", LETTERS) == ("Hm. and then many", "words")


@pytest.mark.parametrize(
    "whole", ["`a b. c`", "[a b. c](d.e)", "https://a.b/c?d.e", "```a\n\nb. c```", "![a. b](c.d)"]
)
def test_code_links_and_addresses_are_not_cut(whole: str) -> None:
    parts = split(f"some words. {whole} and more", Limit(size=24, measure=len))
    assert [part for part in parts if whole in part]


def test_code_that_is_longer_than_a_part_is_cut_all_the_same() -> None:
    parts = split("```" + "line of code\n" * 5 + "```", LETTERS)
    assert max(map(len, parts)) <= 20


def test_sizes_are_counted_in_the_given_measure() -> None:
    assert split("字" * 5, Limit(size=6, measure=utf8_bytes)) == ("字字", "字字", "字")
    assert split("😀" * 5, Limit(size=5, measure=utf16_units)) == ("😀😀", "😀😀", "😀")


def test_a_grapheme_is_never_cut_unless_it_is_longer_than_a_part() -> None:
    family = "👨‍👩‍👧‍👦"
    assert split(family * 3, Limit(size=len(family) + 3, measure=len)) == (family,) * 3
    assert "".join(split("e" + "\u0301" * 50, LETTERS)) == "e" + "\u0301" * 50


@given(st.lists(pieces, max_size=60).map("".join), measures, st.integers(min_value=30, max_value=60))
def test_nothing_is_lost_broken_or_too_long(text: str, measure: object, size: int) -> None:
    assert callable(measure)
    limit = Limit(size=size, measure=measure)
    parts = split(text, limit)
    assert all(part.strip() and measure(part) <= size for part in parts)
    assert graphemes("".join(parts)) == graphemes(text)


def graphemes(text: str) -> list[str]:
    return [each for each in regex.findall(r"\X", text) if not each.isspace()]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", ["x", "字", "[", "`", "a ", "```", "[a](", "https://", "\u0301", "。", "`a` "])
def test_a_megabyte_is_cut_in_bounded_time(pattern: str) -> None:
    text = pattern * (1_000_000 // len(pattern))
    parts = split(text, Limit(size=2048, measure=utf8_bytes))
    assert sum(part.count(pattern[0]) for part in parts) == text.count(pattern[0])
