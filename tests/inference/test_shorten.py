"""Answers are kept within their length without hurting what they say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.shorten import shorten, without_unfinished


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("Short.", 150, "Short."),
        ("  padded  ", 6, "padded"),
        ("One is here. Two is here. Three is here.", 26, "One is here. Two is here."),
        ("第一句话在这里。第二句话在这里。第三句话在这里。", 17, "第一句话在这里。第二句话在这里。"),
        ("她说：“可以退货。”然后就走了，没有再回头看一眼。", 14, "她说：“可以退货。”"),
        ("It costs 3.50 euros in total and takes a while. More text follows here.", 50, None),
        ("You can do this, e.g. by mail or by phone, whichever you like best today.", 45, None),
        (
            "Steps:\n1. Open the app now\n2. Choose return\n3. Send it",
            47,
            "Steps:\n1. Open the app now\n2. Choose return",
        ),
        (
            "没有句号的一段话，只有逗号，一直说下去，一直说下去，停不下来",
            20,
            "没有句号的一段话，只有逗号，一直说下去…",
        ),
        ("nothing but words without any end at all in sight", 20, "nothing but words…"),
    ],
)
def test_it_ends_where_a_reader_would(text: str, most: int, short: str | None) -> None:
    cut = shorten(text, most)
    assert len(cut) <= most
    if short is not None:
        assert cut == short


def test_a_number_or_an_abbreviation_is_no_end_of_a_sentence() -> None:
    assert shorten("It costs 3.50 euros in total and takes a while. More text.", 50).endswith("while.")
    assert shorten("You can do this e.g. by mail or phone as you like it.", 30) == "You can do this e.g. by mail…"


@pytest.mark.parametrize(
    "whole",
    [
        "https://shop.example.com/returns?order=A1024",
        "[our returns page](https://shop.example.com/returns)",
        "`frontdesk check --config shop.toml`",
        "help@shop.example.com",
        "**the whole of the amount**",
        "1,299.00",
        "+86 138 0013 8000",
    ],
)
@pytest.mark.parametrize("script", ["en", "zh"])
def test_what_must_stay_whole_is_kept_or_left_out(whole: str, script: str) -> None:
    before, after = {"en": ("Please look here: ", " and then go on"), "zh": ("请看这里：", "，然后继续说下去")}[
        script
    ]
    text = before + whole + after * 9
    for most in range(len(before) + 2, len(before + whole) + 12):
        cut = shorten(text, most)
        assert whole in cut or not any(piece in cut[len(before) :] for piece in (whole[:3], whole[-3:]))
        assert len(cut) <= most


def test_a_link_longer_than_the_limit_is_not_cut() -> None:
    link = "https://shop.example.com/" + "x" * 80
    assert shorten(f"{link} is the page", 50) == link


def test_a_fence_is_not_left_open() -> None:
    assert "```" not in shorten("Run this in your terminal now:\n```\nmake run\nmake test\n```\nDone.", 45)


@pytest.mark.parametrize("cluster", ["👨‍👩‍👧‍👦", "🇨🇳", "é", "한", "ก็"])
def test_a_grapheme_is_never_cut(cluster: str) -> None:
    for most in range(12, 30):
        cut = shorten("x" + cluster * 30, most)
        assert cut.removesuffix("…").removeprefix("x").replace(cluster, "") == ""


@settings(deadline=None)
@given(st.text(min_size=1), st.integers(min_value=20, max_value=200))
def test_any_text_comes_out_within_the_limit_unless_it_is_one_long_link(text: str, most: int) -> None:
    cut = shorten(text, most)
    assert len(cut) <= most or cut.startswith(("http", "www.", "[", "![", "<"))


@settings(deadline=None)
@given(st.text(alphabet="ab。.!？ \n`*[](),，1", min_size=30))
def test_what_is_kept_is_a_beginning_of_the_text(text: str) -> None:
    kept = shorten(text, 25).removesuffix("…")
    assert text.strip().startswith(kept)
    assert kept or not text.strip()


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("This is whole. This is n", "This is whole."),
        ("这句完整。这句不完", "这句完整。"),
        ("Nothing is whole h", "Nothing is whole h…"),
        ("All is whole.", "All is whole."),
        ("See [the page](https://shop.exam", "See…"),
    ],
)
def test_an_answer_that_ran_out_of_tokens_loses_its_unfinished_sentence(text: str, whole: str) -> None:
    assert without_unfinished(text) == whole
