"""What stands in the messages that DingTalk gets: kind, title, mention, size."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.dingtalk.outbound import (
    LARGEST_BODY,
    LIMIT,
    LONGEST_TEXT,
    LONGEST_TITLE,
    api_body,
    api_text,
    has_markup,
    title,
    webhook_body,
)
from adapters.values import Delivered
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk.open() as desk:
        yield desk


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("好的，明天发货。", False),
        ("a * b = c, 2 * 3", False),
        ("snake_case and https://x.y/z_a", False),
        ("1.5 kg - about #3", False),
        ("**好的**", True),
        ("*ok*", True),
        ("# T\n\nx", True),
        ("> said", True),
        ("- a\n- b", True),
        ("1. a\n2. b", True),
        ("[x](https://x.y)", True),
        ("![x](https://x.y)", True),
        ("`x`", True),
        ("```\nx\n```", True),
    ],
)
def test_markdown_is_sent_as_such_only_where_there_is_some(text: str, markup: bool) -> None:
    assert has_markup(text) is markup
    assert json.loads(webhook_body(text))["msgtype"] == ("markdown" if markup else "text")
    sent = json.loads(api_body(api_text(text), robot="r", to={}))
    assert sent["msgKey"] == ("sampleMarkdown" if markup else "sampleText")
    assert isinstance(sent["msgParam"], str)


def test_a_plain_text_has_plain_line_breaks(desk: Desk) -> None:
    (composed,) = desk.robot.compose("一\n二\n\n三")
    desk.send(desk.with_session(), composed)
    desk.send(kit.body(), composed)
    assert [kit.shown(call) for call in desk.sends()] == ["一\n二\n\n三"] * 2


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("# 退货 **流程**\n\n先看订单", "退货 流程"),
        ("intro\n\n## Second\n\nx", "Second"),
        ("**您好**，请问 [订单](https://x.y) 号是多少？", "您好 ，请问 订单 号是多少？"),
        ("- 一\n- 二", "一 二"),
        ("长" * 500, "长" * LONGEST_TITLE),
        ("***", "回复"),
        ("", "回复"),
    ],
)
def test_a_title_is_the_first_heading_or_the_first_words(text: str, short: str) -> None:
    assert title(text) == short


@given(st.text(max_size=300))
def test_a_title_is_always_there_and_short(text: str) -> None:
    assert 0 < len(title(text)) <= LONGEST_TITLE
    assert "\n" not in title(text)


def test_a_mention_stands_in_the_list_and_in_the_text(desk: Desk) -> None:
    desk.send(desk.group_with_session(), "好的")
    desk.send(desk.group_with_session(), "**好的**\n\n```\nx\n```")
    plain, marked = desk.sends()
    assert kit.shown(plain) == "好的 @staff01"
    assert kit.shown(marked) == "**好的**\n\n```\nx\n```\n\n@staff01"
    for call in (plain, marked):
        assert call.json["at"] == {"atUserIds": ["staff01"], "isAtAll": False}


def test_only_the_first_part_mentions(desk: Desk) -> None:
    desk.send(desk.group_with_session(), "一", "二", index=1)
    (call,) = desk.sends()
    assert kit.shown(call) == "二"
    assert "at" not in call.json


def test_nobody_is_mentioned_without_a_staff_id_or_by_the_openapi_or_alone(desk: Desk) -> None:
    desk.send(desk.group_with_session(senderStaffId=""), "好的")
    desk.send(kit.group(), "好的")
    desk.send(desk.with_session(), "好的")
    assert [kit.shown(call) for call in desk.sends()] == ["好的"] * 3


@given(st.text(max_size=9000) | st.text(alphabet='"\\\n\x01字😀a*', min_size=2000, max_size=9000))
def test_no_part_makes_a_body_that_is_too_large(text: str) -> None:
    """With ids as long as any that was seen, twice over."""
    part = text
    while LIMIT.measure(part) > LIMIT.size:
        part = part[: len(part) // 2]
    whole = {"openConversationId": "cid" + "c" * 120}
    assert len(api_body(api_text(part), robot="r" * 60, to=whole)) <= LARGEST_BODY
    assert len(webhook_body(part, mention="u" * 120)) <= LARGEST_BODY
    assert len(part) <= LONGEST_TEXT


@pytest.mark.parametrize("letter", ["\x01", '"', "\\", "😀", "字", "a"])
def test_a_part_that_fills_the_limit_makes_a_body_that_fits(letter: str) -> None:
    """What JSON escapes is escaped twice in `msgParam`."""
    length = max(n for n in range(LONGEST_TEXT + 2) if LIMIT.measure(f"# {letter * n}") <= LIMIT.size)
    assert LIMIT.measure(f"# {letter * (length + 1)}") > LIMIT.size
    part = f"# {letter * length}"
    whole = {"openConversationId": "cid" + "c" * 120}
    assert len(api_body(api_text(part), robot="r" * 60, to=whole)) <= LARGEST_BODY
    assert len(part) <= LONGEST_TEXT


@pytest.mark.parametrize("text", ["字" * 20_000, '"\\' * 9_000, "😀" * 9_000, "# 标题\n\n" + "段落。\n\n" * 4_000])
def test_a_long_answer_is_sent_in_bodies_within_the_limits(desk: Desk, text: str) -> None:
    parts = desk.robot.compose(text)
    assert len(parts) > 1
    for index in range(len(parts)):
        assert isinstance(desk.send(kit.group(), *parts, index=index), Delivered)
    assert all(len(call.body) <= LARGEST_BODY for call in desk.sends())
    assert all(len(kit.shown(call)) <= LONGEST_TEXT for call in desk.sends())


def test_chinese_is_not_escaped(desk: Desk) -> None:
    desk.send(kit.body(), "**好的**")
    desk.send(desk.with_session(), "好的")
    assert all("好的".encode() in call.body for call in desk.sends())


def test_a_lone_surrogate_is_sent_as_a_question_mark(desk: Desk) -> None:
    assert isinstance(desk.send(desk.with_session(), "a\ud800b"), Delivered)
    assert kit.shown(desk.sends()[0]) == "a?b"
