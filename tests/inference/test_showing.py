"""What an assistant shows of its answer while the model writes it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.assistant import Assistant, AssistantSettings
from inference.errors import ContextTooLong, ModelBusy
from inference.faq import EXAMPLE, Faq, NoKnowledge
from inference.scripted import ScriptedModel, calling
from inference.shorten import shorten, so_far
from inference.values import Answer, ChatMessage, Completion, Knowledge, Question, Source
from tests.inference.tool_kit import Counter, Recorder, tool

ANSWER = "Your order left this morning. It arrives **on Monday**, see [your parcel](https://shop.example.com/p/1)."


def asked(
    model: ScriptedModel | None,
    *texts: str,
    knowledge: Knowledge | None = None,
    history: Sequence[ChatMessage] = (),
    **settings: Any,
) -> tuple[list[str], Answer]:
    shown: list[str] = []
    question = Question(
        conversation="c",
        history=history,
        texts=texts or ("Where is it?",),
        now=datetime.now(UTC),
        deadline=timedelta(seconds=10),
        show=shown.append,
    )
    known = knowledge or NoKnowledge()
    return shown, Assistant(model, known, AssistantSettings(**settings)).answer(question)


def test_it_grows_into_the_answer() -> None:
    shown, answer = asked(ScriptedModel(ANSWER))
    assert answer.text == ANSWER
    assert len(shown) > 10
    assert all(later.startswith(sooner) and later != sooner for sooner, later in pairwise(shown))
    assert ANSWER.startswith(shown[-1])


def test_a_link_and_bold_print_are_shown_when_they_are_whole() -> None:
    shown, _ = asked(ScriptedModel(ANSWER))
    assert all(text.count("**") in (0, 2) for text in shown)
    assert not any("[" in text and "/p/1)" not in text for text in shown)


def test_more_than_the_answer_may_hold_is_not_shown() -> None:
    long = "This is the first sentence. " * 20
    shown, answer = asked(ScriptedModel(long), max_reply_chars=100)
    assert max(map(len, shown)) <= 100
    assert shown[-1] == answer.text


def test_without_a_model_and_for_stored_answers_nothing_is_shown() -> None:
    for model in (None, ScriptedModel(up=False)):
        shown, answer = asked(model, "请问运费是多少", knowledge=Faq.load(EXAMPLE))
        assert (shown, answer.source) == ([], Source.FAQ)


def test_nothing_is_shown_of_a_model_that_fails() -> None:
    model = ScriptedModel()
    model.script(ModelBusy("busy"))
    shown, answer = asked(model)
    assert (shown, answer.source) == ([], Source.HANDOVER)


def test_a_shorter_try_is_shown_like_any_other() -> None:
    model = ScriptedModel(ANSWER)
    model.script(ContextTooLong("too long"))
    shown, _ = asked(model, history=[ChatMessage(role="user", content="Hello")])
    assert shown == asked(ScriptedModel(ANSWER))[0]


def test_a_callback_that_fails_does_not_break_the_answer() -> None:
    calls: list[str] = []

    def fail(text: str) -> None:
        calls.append(text)
        raise KeyError(text)

    counter = Counter([])
    assert counter.ask(show=fail).text == "That is all I know."
    assert len(calls) == 1


LOOKUP = calling(("order_status", '{"order_number": "1001"}'))


def test_only_the_words_after_the_tools_are_shown() -> None:
    counter = Counter([tool(Recorder("shipped"))])
    said = "Order 1001 has been shipped and will be with you on Monday, which is the day after tomorrow, I am told."
    preamble = Completion(text="Let me look.", finish="tool_calls", tool_calls=LOOKUP.tool_calls)
    counter.model.script(preamble, LOOKUP, said)
    shown: list[str] = []
    assert counter.ask(show=shown.append).text == said
    assert shown
    assert all(said.startswith(text) for text in shown)


def test_nothing_is_shown_before_the_customer_has_confirmed() -> None:
    counter = Counter([tool(Recorder(), "cancel_order", confirm="cancel order {order_number}")])
    call = calling(("cancel_order", '{"order_number": "1001"}'))
    counter.model.script(Completion(text="I cancelled it.", finish="tool_calls", tool_calls=call.tool_calls))
    shown: list[str] = []
    answer = counter.ask("Cancel it", show=shown.append)
    assert (answer.source, shown) == (Source.TOOL, [])


BEGUN = ["[", "![the", "[a [b", "[a](", "[a](file:x", "[![a](file:b", "[![a](file:b)](https://x", "`code", "**bold"]


@pytest.mark.parametrize("begun", [*BEGUN, "https://shop.exam", "see www.shop", "http", "https:/"])
def test_what_has_begun_waits(begun: str) -> None:
    assert so_far(f"Look here: {begun}", 150) == so_far("Look here:", 150) or begun.startswith("see")
    assert "www" not in so_far(f"Look here: {begun}", 150)


@pytest.mark.parametrize("text", ["Press [OK] now", "`a` b", "**a** b", "1 * 2 ** 3 is", "a [b](c) d", "Hi! There"])
def test_what_is_whole_does_not_wait(text: str) -> None:
    assert so_far(f"{text} and on.", 150).startswith(text.split(" ** ")[0])


def texts(pieces: Sequence[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=30).map("".join)


@settings(deadline=None, max_examples=300)
@given(
    texts(
        [
            "Some words ",
            ". ",
            "，",
            "[a](file:b.pdf)",
            "![c](d)",
            "**e** ",
            "\n",
            "好的。",
            "https://f.example ",
            "7",
        ]
    )
)
def test_a_text_that_fits_only_grows_and_one_that_does_not_stays_within_its_length(text: str) -> None:
    last = ""
    for at in range(len(text)):
        cut = so_far(text[:at], 60)
        if len(text.strip()) <= 60:
            assert cut.startswith(last)
            assert shorten(text, 60).startswith(cut)
        last = cut
