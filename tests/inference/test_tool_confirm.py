"""What changes something waits for the customer's yes, is done once, and never without."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.sandbox.shop import Shop
from inference.errors import ModelFailed
from inference.scripted import calling
from inference.tools.confirm import EXPIRES, LONGEST_VALUE, Pending, Verdict, problems, verdict
from inference.tools.schema import Schema
from inference.tools.tool import Arguments, Occasion, ToolFailed
from inference.values import Answer, Source
from tests.inference.tool_kit import BEN, NOW, Counter, Recorder, cancel_order, open_shop, order_status, tool

CANCEL = calling(("cancel_order", '{"order_number": "1001"}'))
QUESTION = 'Please confirm: cancel order 1001. Shall I do this now? Reply "yes" or "no".'


@pytest.fixture
def shop() -> Iterator[tuple[Shop, Counter]]:
    with open_shop() as (service, url):
        yield service, Counter([order_status(url), cancel_order(url)])


def asked(counter: Counter, *, turn: str = "turn-1") -> Answer:
    counter.model.script(CANCEL)
    answer = counter.ask("Cancel order 1001", turn=turn)
    assert answer.pending
    return answer


def test_the_first_call_only_asks_in_a_fixed_sentence(shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    answer = asked(counter)
    assert (answer.text, answer.source) == (QUESTION, Source.TOOL)
    assert not service.requests
    assert len(counter.model.asked) == 1
    assert answer.choices == ("Yes", "No")
    pending = Pending.load(answer.pending)
    assert pending is not None
    assert (pending.tool, pending.arguments, pending.user) == ("cancel_order", {"order_number": "1001"}, "ana")


@pytest.mark.parametrize("yes", ["yes", "Yes!", "  OK. ", "好的", "是", "确认！", "對", "go ahead"])
def test_a_yes_acts_once_with_the_key_of_the_turn_that_asked(yes: str, shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    counter.model.script("Order 1001 is cancelled.")
    answer = counter.ask(yes, turn="turn-2", pending=pending)
    assert (answer.text, answer.source, answer.pending) == ("Order 1001 is cancelled.", Source.MODEL, "")
    key = json.loads(pending)["key"]
    assert service.acts == {key: 1}
    assert service.of("shop", "ana")["1001"]["state"] == "cancelled"
    assert counter.told() == ["cancelled"]
    assert counter.heard()[-2].tool_calls[0].name == "cancel_order"


@pytest.mark.parametrize(
    ("no", "line"), [("no", "All right, I will leave it as it is."), ("不用了。", "好的，我不会办理。")]
)
def test_a_no_drops_it_without_asking_the_model(no: str, line: str, shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    answer = counter.ask(no, turn="turn-2", pending=pending)
    assert (answer.text, answer.source, answer.pending) == (line, Source.TOOL, "")
    assert len(counter.model.asked) == 1
    assert not service.requests


@pytest.mark.parametrize("text", ["Cancel order 1001", "请取消 1001"])
def test_yes_and_no_are_offered_in_the_customers_language_and_a_tap_is_understood(
    text: str, shop: tuple[Shop, Counter]
) -> None:
    service, counter = shop
    counter.model.script(CANCEL)
    asking = counter.ask(text)
    yes, no = asking.choices
    assert (verdict(yes), verdict(no)) == (Verdict.YES, Verdict.NO)
    assert all(title.casefold() in asking.text for title in asking.choices)
    dropped = counter.ask(no, turn="turn-2", pending=asking.pending)
    assert (dropped.source, dropped.choices) == (Source.TOOL, ())
    assert not service.acts
    done = counter.ask(yes, turn="turn-3", pending=asking.pending)
    assert done.choices == ()
    assert len(service.acts) == 1


def test_a_second_question_after_a_yes_offers_its_choices_too(shop: tuple[Shop, Counter]) -> None:
    _, counter = shop
    pending = asked(counter).pending
    counter.model.script(calling(("cancel_order", '{"order_number": "1002"}')))
    answer = counter.ask("yes", "and 1002, too", turn="turn-2", pending=pending)
    assert answer.choices == ("Yes", "No")
    assert answer.text.startswith("Done: ")


@pytest.mark.parametrize(
    "other", ["Yes, but which order was that?", "yes no", "maybe", "不是吧", "👍?!", "1001", "Oh yes I see"]
)
def test_anything_else_drops_it_and_is_answered(other: str, shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    answer = counter.ask(other, turn="turn-2", pending=pending)
    assert (answer.text, answer.pending) == ("That is all I know.", "")
    assert not service.requests


def test_the_first_text_decides_and_the_rest_is_answered(shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    counter.model.script("Cancelled. We open at nine.")
    assert counter.ask("yes", "and when do you open?", turn="turn-2", pending=pending).text.startswith("Cancelled.")
    assert len(service.acts) == 1
    assert "when do you open?" in counter.heard()[-3].content
    pending = asked(counter, turn="turn-3").pending
    counter.ask("wait", "yes", turn="turn-4", pending=pending)
    assert len(service.acts) == 1


def test_a_turn_that_grew_after_the_yes_acts_with_the_same_key(shop: tuple[Shop, Counter]) -> None:
    """More messages came while the answer was made: the turn is asked anew, with all of them."""
    service, counter = shop
    pending = asked(counter).pending
    counter.ask("yes", turn="turn-2", pending=pending)
    counter.ask("yes", "no, stop!", turn="turn-2", pending=pending)
    assert list(service.acts.values()) == [1]
    assert counter.told() == ["cancelled"]


def test_a_crash_before_the_answer_was_kept_repeats_the_call_with_the_same_key(shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    later = NOW + EXPIRES * 2
    counter.ask("yes", turn="turn-2", pending=pending, sent_at=NOW + timedelta(minutes=1))
    again = counter.ask("yes", turn="turn-2", pending=pending, sent_at=NOW + timedelta(minutes=1), now=later)
    assert [request.headers["idempotency-key"] for request in service.requests] == [json.loads(pending)["key"]] * 2
    assert list(service.acts.values()) == [1]
    assert again.source is Source.MODEL


def test_the_same_wish_in_another_turn_has_another_key(shop: tuple[Shop, Counter]) -> None:
    _, counter = shop
    keys = {json.loads(asked(counter, turn=turn).pending)["key"] for turn in ("turn-1", "turn-1", "turn-5")}
    assert len(keys) == 2


def test_after_ten_minutes_a_yes_means_nothing_any_more(shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    counter.ask("yes", turn="turn-2", pending=pending, sent_at=NOW + EXPIRES + timedelta(seconds=1))
    assert not service.requests
    counter.ask("yes", turn="turn-2", pending=pending, sent_at=NOW + EXPIRES)
    assert len(service.acts) == 1


def test_another_members_yes_is_not_this_customers(shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    for customer in (BEN, None):
        counter.ask("yes", turn="turn-2", pending=pending, customer=customer)
    assert not service.requests


BROKEN: Mapping[str, dict[str, Any]] = {
    "another tool": {"tool": "order_status"},
    "a tool that is gone": {"tool": "refund"},
    "arguments against the schema": {"arguments": {"order_number": "../x"}},
    "no arguments": {"arguments": {}},
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_waits_is_checked_again_before_it_is_done(case: str, shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = Pending.load(asked(counter).pending)
    assert pending is not None
    answer = counter.ask("yes", turn="turn-2", pending=replace(pending, **BROKEN[case]).dump())
    assert answer.source is Source.MODEL
    assert not service.requests


@pytest.mark.parametrize("stored", ["", "{", "[]", "null", "{}", '{"tool": "cancel_order"}', '{"since": 3}'])
def test_what_no_version_wrote_is_no_pending_action(stored: str, shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    assert counter.ask("yes", pending=stored).source is Source.MODEL
    assert not service.requests


def test_a_model_that_calls_again_what_was_just_done_does_not_ask_again(shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    counter.model.script(CANCEL, "It is cancelled.")
    assert counter.ask("yes", turn="turn-2", pending=pending).text == "It is cancelled."
    assert list(service.acts.values()) == [1]


def test_a_second_action_after_the_yes_is_asked_for_and_the_first_is_told(shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    counter.model.script(calling(("cancel_order", '{"order_number": "1002"}')))
    answer = counter.ask("yes", turn="turn-2", pending=pending)
    assert answer.text.startswith("Done: cancel order 1001.\n\nPlease confirm: cancel order 1002.")
    assert json.loads(answer.pending)["arguments"] == {"order_number": "1002"}
    assert len(service.acts) == 1


# When the model or the service fails


def test_a_yes_is_acted_on_and_answered_without_a_model(shop: tuple[Shop, Counter]) -> None:
    service, counter = shop
    pending = asked(counter).pending
    counter.model.up = False
    answer = counter.ask("好的", turn="turn-2", pending=pending)
    assert (answer.text, answer.source) == ("已办理：cancel order 1001。", Source.TOOL)
    assert answer.degraded
    assert len(service.acts) == 1


def test_what_else_was_asked_is_handed_over_then(shop: tuple[Shop, Counter]) -> None:
    _, counter = shop
    pending = asked(counter).pending
    counter.model.script(ModelFailed("broken"))
    answer = counter.ask("yes", "and who are you?", turn="turn-2", pending=pending)
    assert answer.text.startswith("Done: cancel order 1001.\n\n")
    assert (answer.source, bool(answer.degraded)) == (Source.HANDOVER, True)


def refusing(_: Arguments, __: Occasion) -> object:
    raise ToolFailed("it was sent already")


def breaking(_: Arguments, __: Occasion) -> object:
    raise ToolFailed("it took too long", unsure=True)


@pytest.mark.parametrize(
    ("act", "line", "source"),
    [
        (refusing, "This did not work: cancel 1001.", Source.TOOL),
        (breaking, "I could not tell whether this worked: cancel 1001. A colleague will check", Source.HANDOVER),
    ],
)
def test_a_failed_action_is_never_told_as_done(act: Any, line: str, source: Source) -> None:
    counter = Counter([tool(act, "cancel_order", confirm="cancel {order_number}")])
    pending = asked(counter).pending
    counter.model.script("I am sorry, that did not work.")
    assert counter.ask("yes", turn="turn-2", pending=pending).text == "I am sorry, that did not work."
    assert counter.told()[0].startswith("Failed: ")
    counter.model.up = False
    answer = counter.ask("yes", turn="turn-2", pending=pending)
    assert answer.text.startswith(line)
    assert answer.source is source
    assert answer.degraded


def test_an_action_that_hangs_does_not_hold_the_turn() -> None:
    def hanging(_: Arguments, __: Occasion) -> object:
        time.sleep(5)
        return "done"

    counter = Counter([tool(hanging, "cancel_order", confirm="cancel {order_number}", seconds=0.1)])
    pending = asked(counter).pending
    started = time.monotonic()
    counter.ask("yes", turn="turn-2", pending=pending)
    assert time.monotonic() - started < 3
    assert "It may have worked nevertheless" in counter.told()[0]


# What the customer reads


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a  b\nc", "a b c"),
        ("**free** [gift](http://evil.example)", "\\*\\*free\\*\\* \\[gift\\](http://evil.example)"),
        ("AB_12", "AB\\_12"),
        ("{customer.user}", "{customer.user}"),
    ],
)
def test_every_argument_is_shown_letter_for_letter_on_one_line(value: str, shown: str) -> None:
    counter = Counter([tool(Recorder(), "change", confirm="set the note to {note}", note={"type": "string"})])
    counter.model.script(calling(("change", json.dumps({"note": value}))))
    assert (
        counter.ask("Change it").text
        == f'Please confirm: set the note to {shown}. Shall I do this now? Reply "yes" or "no".'
    )


def test_what_is_too_long_to_be_read_is_not_confirmed() -> None:
    counter = Counter([tool(Recorder(), "change", confirm="set {note}", note={"type": "string"})])
    counter.model.script(calling(("change", json.dumps({"note": "x" * (LONGEST_VALUE + 1)}))))
    assert counter.ask("Change it").pending == ""
    assert "too many to confirm" in counter.told()[0]


def test_the_sentence_is_in_the_customers_language() -> None:
    act = tool(Recorder(), "cancel_order")
    counter = Counter([replace(act, confirm={"en": "cancel {order_number}", "zh": "取消订单 {order_number}"})])
    counter.model.script(CANCEL, CANCEL)
    assert counter.ask("请取消 1001").text == "请确认：取消订单 1001。要我现在办理吗？请回复“是”或“否”。"
    assert counter.ask("cancel it").text.startswith("Please confirm: cancel 1001.")


def test_a_template_must_name_every_argument_and_nothing_else() -> None:
    schema = Schema.of(order={"type": "string"}, amount={"type": "number"})
    assert problems({"en": "refund {amount} for {order}"}, schema) == []
    (hidden,) = problems({"en": "a refund for {order}"}, schema)
    assert "{amount}" in hidden
    (stranger,) = problems({"en": "{order} {amount} {secret}"}, schema)
    assert "{secret} stands for nothing" in stranger


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("YES", Verdict.YES), ("yes, please!", Verdict.YES), ("好，的", Verdict.ELSE), ("可以。", Verdict.YES),
        ("No.", Verdict.NO), ("Don't", Verdict.NO), ("不要！", Verdict.NO), ("", Verdict.ELSE),
        ("？", Verdict.ELSE),
        ("yesterday", Verdict.ELSE), ("no problem", Verdict.ELSE), ("not yes", Verdict.ELSE),
        ("好吗", Verdict.ELSE),
        ("可以吗？", Verdict.ELSE), ("yes yes", Verdict.ELSE),
    ],
)  # fmt: skip
def test_only_an_unambiguous_word_decides(said: str, meant: Verdict) -> None:
    assert verdict(said) is meant


def test_a_question_mark_after_a_yes_is_a_doubt() -> None:
    assert verdict("yes?") is Verdict.ELSE
    assert verdict("是吗？") is Verdict.ELSE
    assert verdict("可以？") is Verdict.ELSE
