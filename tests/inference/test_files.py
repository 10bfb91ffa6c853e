"""Links to the shop's own files come through an answer whole, or not at all, and only those that the shop wrote."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.assistant import Assistant, AssistantSettings
from inference.faq import Entry, Faq
from inference.files import links, only, targets, without
from inference.scripted import ScriptedModel, calling
from inference.shorten import shorten, without_unfinished
from inference.values import Answer, ChatMessage, Question, Source
from tests.inference.tool_kit import Counter, Recorder, tool

PLAN = "![the plan](file:plan.png)"
PRICES = "[price list](file:prices.pdf)"
KNOWN = Faq([Entry(question="Where are you?", answer=f"In the old town, see the plan. {PLAN}")])


def ask(said: str, *texts: str, history: list[ChatMessage] | None = None, **settings: Any) -> Answer:
    question = Question(
        conversation="c",
        history=history or [],
        texts=texts or ("Where are you?",),
        now=datetime.now(UTC),
        deadline=timedelta(seconds=5),
    )
    return Assistant(ScriptedModel(said), KNOWN, AssistantSettings(**settings)).answer(question)


LINKS = [
    PLAN,
    PRICES,
    "[a [b] c](file:x.pdf)",
    "![](file:x.png)",
    "[x](<file:price list.pdf>)",
    '[x](file:a.pdf "the list")',
    "[x](file:a%20b.pdf)",
]


@pytest.mark.parametrize("link", LINKS)
def test_a_file_is_found_however_its_link_is_written(link: str) -> None:
    assert links(f"See {link} please (or [that](https://x.example)).") == [link]
    assert without(f"See {link}.") == "See ."
    assert len(targets([f"See {link}."])) == 1


WHOLE = [
    *LINKS,
    "[![a plan](file:plan.png)](https://shop.example.com/plan)",
    "[wiki](https://en.wikipedia.org/wiki/A_(b))",
    "[Our terms. All of them](https://shop.example.com/terms)",
    "![a, b, c](https://shop.example.com/a.png)",
]


@pytest.mark.parametrize("link", WHOLE)
def test_an_answer_is_never_cut_inside_a_link_or_a_picture(link: str) -> None:
    text = f"Please look here: {link} and then go on and on and on. " + "There is more to say. " * 4
    for most in range(20, 90):
        cut = shorten(text, most)
        assert cut.count("[") == cut.count("]")
        assert cut.count("(") == cut.count(")")
        assert link in cut or "](" not in cut.removesuffix("\n\n![a plan](file:plan.png)")


PIECES = ["Some words ", "and more. ", "也可以。", *LINKS, "\n", "[a](https://b.example) ", "**c** ", "1. "]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.integers(min_value=30, max_value=120))
def test_no_file_is_lost_by_shortening_and_the_text_keeps_its_length(text: str, most: int) -> None:
    cut = shorten(text, most)
    assert targets([cut]) == targets([text])
    assert len(without(cut).strip()) <= most + 2 * len(links(cut))


def test_files_do_not_count_as_text() -> None:
    text = f"We are in the old town of Sampleton. {PLAN}"
    assert shorten(text, 40) == text


def test_a_file_behind_the_cut_still_goes_out() -> None:
    cut = shorten(f"We are in the old town. {'You will find us there. ' * 9}{PLAN}", 60)
    assert cut.startswith("We are in the old town.")
    assert cut.endswith(f"\n\n{PLAN}")


def test_an_answer_that_ran_out_of_tokens_keeps_the_files_that_it_named() -> None:
    assert without_unfinished(f"We are here. {PLAN} See y") == f"We are here.\n\n{PLAN}"


def test_the_model_is_told_to_keep_the_links_of_the_notes_and_its_answer_may_hold_them() -> None:
    model = ScriptedModel(f"We are here: {PLAN}")
    question = Question(
        conversation="c", history=(), texts=["Where are you?"], now=datetime.now(UTC), deadline=timedelta(seconds=5)
    )
    answer = Assistant(model, KNOWN, AssistantSettings()).answer(question)
    system, *_, newest = model.asked[0].messages
    assert "begin with file:" in system.content
    assert PLAN in newest.content
    assert answer.text == f"We are here: {PLAN}"


def test_a_stored_answer_without_a_model_keeps_its_file() -> None:
    question = Question(
        conversation="c", history=(), texts=["Where are you?"], now=datetime.now(UTC), deadline=timedelta(seconds=5)
    )
    answer = Assistant(None, KNOWN, AssistantSettings()).answer(question)
    assert (answer.source, PLAN in answer.text) == (Source.FAQ, True)


@pytest.mark.parametrize("made_up", ["file:secrets.pdf", "file:../plan.png", "file:Plan.png"])
def test_a_file_that_the_shop_never_named_is_not_sent(made_up: str) -> None:
    said = f"Look: [the list]({made_up}) ![a picture]({made_up})"
    answer = ask(said, f"Please say {said}")
    assert answer.text == "Look: the list"


def test_a_file_of_an_earlier_answer_of_a_tool_or_of_the_rules_may_be_sent_again() -> None:
    earlier = [ChatMessage(role="user", content="?"), ChatMessage(role="assistant", content=PRICES)]
    assert ask(f"Again: {PRICES}", history=earlier).text == f"Again: {PRICES}"
    assert ask(f"Again: {PRICES}", system_prompt=f"Offer {PRICES}.").text == f"Again: {PRICES}"
    counter = Counter([tool(Recorder(f"Their invoice is {PRICES}"))])
    counter.model.script(calling(("order_status", '{"order_number": "1"}')), f"Here: {PRICES}")
    assert counter.ask().text == f"Here: {PRICES}"


def test_a_customers_link_is_not_the_shops() -> None:
    earlier = [ChatMessage(role="user", content=PRICES), ChatMessage(role="assistant", content="No.")]
    assert ask(f"Here: {PRICES}", history=earlier).text == "Here: price list"


def test_a_text_without_files_is_as_it_was() -> None:
    assert only("The profile: [a](https://b)", ()) == "The profile: [a](https://b)"
