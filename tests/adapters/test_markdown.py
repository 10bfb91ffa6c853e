"""What a model writes, as each platform shows it."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.markdown import DINGTALK, LONGEST_PARSED, PLAIN, WHATSAPP, Dialect

VECTORS = Path(__file__).parent.parent / "vectors"
CASES = json.loads((VECTORS / "whatsapp_format_cases.json").read_text("utf-8"))
ALL = pytest.mark.parametrize("dialect", [WHATSAPP, PLAIN, DINGTALK], ids=["whatsapp", "plain", "dingtalk"])


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_whatsapp_shows_what_the_vectors_say(case: dict[str, str]) -> None:
    assert WHATSAPP.render(case["markdown"]) == case["whatsapp"]


@pytest.mark.parametrize(
    ("markdown", "whatsapp", "plain", "dingtalk"),
    [
        ("## A **b**", "*A b*", "A b", "## A **b**"),
        ("a\nb", "a\nb", "a\nb", "a  \n  b"),
        ("# A\nb", "*A*\nb", "A\nb", "# A\n\nb"),
        (
            "[t](https://s.example/a)",
            "t (https://s.example/a)",
            "t (https://s.example/a)",
            "[t](https://s.example/a)",
        ),
        (
            "![m](https://s.example/a)",
            "m: https://s.example/a",
            "m: https://s.example/a",
            "![m](https://s.example/a)",
        ),
        ("[us](mailto:a@s.example)", "us (a@s.example)", "us (a@s.example)", "us (a@s.example)"),
        ("> a\n>\n> b", "> a\n> b", "> a\n> b", "> a\n>\n> b"),
        ("```\nx\n```", "```x```", "x", "```\nx\n```"),
        ("`x`", "`x`", "x", "`x`"),
        ("~~9~~ 8", "~9~ 8", "~~9~~ 8", "~~9~~ 8"),
        ("a\n\n---\n\nb", "a\n\nb", "a\n\nb", "a\n\nb"),
        ("a\n---\nb", "a\n\nb", "a\n\nb", "a\n\nb"),
        ("- a\n  - b", "- a\n  - b", "- a\n  - b", "- a\n  - b"),
        ("3) a\n4) b", "3. a\n4. b", "3. a\n4. b", "3. a\n4. b"),
    ],
)
def test_each_dialect_writes_its_own_marks(markdown: str, whatsapp: str, plain: str, dingtalk: str) -> None:
    assert [each.render(markdown) for each in (WHATSAPP, PLAIN, DINGTALK)] == [whatsapp, plain, dingtalk]


@ALL
def test_a_table_becomes_a_list(dialect: Dialect) -> None:
    table = "| Size | Price |\n|---|---|\n| S | 9 |\n| M | |\n"
    assert dialect.render(table) == "- Size: S; Price: 9\n- Size: M"


@ALL
def test_raw_html_is_text(dialect: Dialect) -> None:
    assert dialect.render("a <script>alert(1)</script> b") == "a <script>alert(1)</script> b"


@ALL
@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "JaVaScRiPt:x", "java&#10;script:x", "file:///x"]
)
def test_a_dangerous_link_is_only_its_text(dialect: Dialect, url: str) -> None:
    assert dialect.render(f"see [here]({url}) ![pic]({url})") == "see here pic"


@ALL
def test_an_address_in_the_text_stays_as_it_is(dialect: Dialect) -> None:
    text = "see https://s.example/_a_/b__c__?d=~~e~~&f=2, or *not*"
    assert "https://s.example/_a_/b__c__?d=~~e~~&f=2, or " in dialect.render(text)


@ALL
@pytest.mark.parametrize(
    "text", ["2 * 3 * 4", "snake_case_name", "5 < 6 & 7", "C# or F#", "10% | 20%", "a_b@s.example"]
)
def test_what_only_looks_like_markup_is_left_alone(dialect: Dialect, text: str) -> None:
    assert dialect.render(text) == text


@ALL
@pytest.mark.parametrize("text", ["[1]: https://s.example", "[]()x", "***", "---", "<>", "    four spaces"])
def test_nothing_that_was_written_vanishes(dialect: Dialect, text: str) -> None:
    assert dialect.render(text) == text.strip().replace("[]()", "")


def test_bold_between_chinese_words_shows_no_stars_on_whatsapp() -> None:
    assert WHATSAPP.render("共**三件**商品") == "共三件商品"
    assert WHATSAPP.render("**价格：**99元，**运费**：免") == "价格：99元，*运费*：免"


def test_bold_that_ends_in_chinese_punctuation_is_bold_without_a_space() -> None:
    assert DINGTALK.render("**价格：**99元") == "**价格：**99元"
    assert PLAIN.render("**价格：**99元") == "价格：99元"


def test_a_span_over_two_lines_is_marked_on_each() -> None:
    assert WHATSAPP.render("**a\nb**") == "*a*\n*b*"


def test_a_link_that_holds_brackets_does_not_end_early() -> None:
    assert DINGTALK.render("[t](https://s.example/a_(b))") == "[t](https://s.example/a_%28b%29)"


HOSTILE = [
    *("*a ", "**a", "[", "[a](", "![", "`", "``a", "<", "> ", "- ", "|a", "_a", "~~", "\\", "&", "a*_", "[a]["),
    *("1. ", "<a@", "https://", "|\n|-", "](", "*a**b***c", "```\n", "中**，", "\0", "#", "\u202e"),
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("size", [LONGEST_PARSED, 1_000_000])
@pytest.mark.parametrize("pattern", HOSTILE)
def test_hostile_text_is_rendered_in_bounded_time(pattern: str, size: int) -> None:
    assert WHATSAPP.render(pattern * (size // len(pattern)) + "end").endswith(("end", "end*", "end`", "end```"))


@ALL
@given(st.text(alphabet="ab中，*_`~[]()<>!#|-+1. \n\\&:/\t\r\0\ud800😀", max_size=80))
def test_rendering_never_raises(dialect: Dialect, text: str) -> None:
    assert isinstance(dialect.render(text), str)


@ALL
@given(st.text(alphabet="aB中，。 \n\r(')\"?%@$\u00a0😀", max_size=60))
@example("?\r\u00a0\r?")  # a line of a hard space is no blank line
def test_the_fast_path_gives_what_the_parser_would(dialect: Dialect, text: str) -> None:
    parsed = dialect.render(text + "\n\n&#120;")  # an entity that forces the parser
    assert parsed == (dialect.render(text) + "\n\nx").strip()


@ALL
@given(st.text(alphabet="ab中 \n*_`~#->1.[]()", max_size=60))
def test_no_letter_is_lost_or_reordered(dialect: Dialect, text: str) -> None:
    letters = [each for each in text if each in "ab中"]
    assert [each for each in dialect.render(text) if each in "ab中"] == letters
