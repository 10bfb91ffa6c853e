"""Answers shown in an AI card while they are written, and how that ends (DingTalk sheet §3.1, §3.2)."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from adapters.dingtalk.cards import LARGEST_CARD, QPS
from adapters.dingtalk.finishing import MOST_TRIES
from adapters.dingtalk.growing import BETWEEN, Ledger, Progress, Step
from adapters.text import utf8_bytes
from adapters.values import Action, Choice, Delivered, Message, Part, Refused, Reply, reply_key
from adapters.writing import Writing
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk
from tests.fakes import Answer, Call, RecordingServer, json_answer

CARDS = {"card_template_id": "t-1.schema", "card_key": "content"}
QPS_LIMIT = kit.api_error("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", status=403)
UNDELIVERED = json_answer(
    {"success": True, "result": {"deliverResults": [kit.delivery(), kit.delivery(success=False, errorMsg="left")]}}
)


def of_cards(call: Call) -> bool:
    return call.path in (kit.CREATE, kit.STREAMING)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk.open(RecordingServer(kit.platform, of_cards), **CARDS) as desk:
        yield desk


def message(desk: Desk, body: dict[str, Any] | None = None) -> Message:
    (found,) = desk.robot.parse(kit.signed(body or kit.body()))
    assert isinstance(found, Message)
    return found


def writing(desk: Desk, body: dict[str, Any] | None = None) -> Writing:
    asked = message(desk, body)
    begun = desk.robot.writing([asked], reply_key(asked))
    assert begun is not None
    return begun


def shown(desk: Desk, *texts: str, body: dict[str, Any] | None = None) -> None:
    """Shows *texts*, each until it arrived, and ends."""
    growing = writing(desk, body)
    for text in texts:
        seen = len(desk.calls(kit.STREAMING))
        growing.show(text)
        until(lambda seen=seen: len(desk.calls(kit.STREAMING)) > seen)
    growing.end()


def until(holds: Any) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def updates(desk: Desk) -> list[dict[str, Any]]:
    return [call.json for call in desk.calls(kit.STREAMING)]


def reply(desk: Desk, *parts: Part) -> Reply:
    return replace(desk.reply(kit.body(), "x"), parts=parts)


# ---- while it is written ----


def test_without_a_template_nothing_grows() -> None:
    with Desk.open() as desk:
        asked = message(desk)
        assert desk.robot.writing([asked], reply_key(asked)) is None


def test_a_guest_whom_no_card_can_reach_gets_none(desk: Desk) -> None:
    for body, reached in ((kit.body(senderStaffId=None), False), (kit.group(senderStaffId=None), True)):
        asked = message(desk, body)
        assert (desk.robot.writing([asked], reply_key(asked)) is not None) is reached


def test_nothing_is_called_before_the_first_word(desk: Desk) -> None:
    growing = writing(desk)
    growing.show("")
    growing.show(" \n")
    growing.end()
    assert desk.server.calls == []


def test_a_card_is_made_once_and_shows_the_whole_text_each_time(desk: Desk) -> None:
    shown(desk, "您", "您好，", "您好，**张**")
    (made,) = desk.calls(kit.CREATE)
    assert made.json["outTrackId"] == reply_key(message(desk))
    assert made.json["openSpaceId"] == "dtv1.card//IM_ROBOT.staff01"
    assert [each["content"] for each in updates(desk)] == ["您", "您好，", "您好，**张**"]
    for each in updates(desk):
        assert (each["isFull"], each["isFinalize"], each["isError"]) == (True, False, False)
        assert (each["key"], each["outTrackId"]) == ("content", made.json["outTrackId"])
    assert len({each["guid"] for each in updates(desk)}) == 3


def test_every_value_of_a_cards_data_is_a_string(desk: Desk) -> None:
    shown(desk, "好")
    (made,) = desk.calls(kit.CREATE)
    values = made.json["cardData"]["cardParamMap"]
    assert values
    assert all(isinstance(value, str) for value in values.values())


def test_a_group_is_told_for_whom_the_card_is(desk: Desk) -> None:
    shown(desk, "好", body=kit.group())
    (made,) = desk.calls(kit.CREATE)
    assert made.json["openSpaceId"] == "dtv1.card//IM_GROUP.cidKit0001+/=="
    assert made.json["imGroupOpenDeliverModel"] == {"robotCode": kit.ROBOT, "atUserIds": {"staff01": "王芳"}}


def test_showing_never_waits_for_dingtalk_nor_raises() -> None:
    slow = RecordingServer(lambda call: replace(kit.platform(call), delay=0.5))
    with Desk.open(slow, **CARDS) as desk:
        growing = writing(desk)
        begun = time.monotonic()
        for count in range(200):
            growing.show("好" * count)
        assert time.monotonic() - begun < 0.4
        growing.end()


@pytest.mark.parametrize("fault", [Answer(cut=True), Answer(status=500), QPS_LIMIT, Answer(body=b"<html>")])
def test_what_goes_wrong_while_showing_is_nobodys_trouble(desk: Desk, fault: Answer) -> None:
    desk.server.faults.extend([fault] * 3)
    growing = writing(desk)
    growing.show("您好")
    time.sleep(0.1)
    growing.end()
    growing.show("late")
    assert len(desk.calls(kit.CREATE, kit.STREAMING)) <= 3


def test_updates_keep_their_distance() -> None:
    times: list[float] = []

    def platform(call: Call) -> Answer:
        if call.path == kit.STREAMING:
            times.append(time.monotonic())
        return kit.platform(call)

    with Desk.open(RecordingServer(platform), **CARDS) as desk:
        growing = writing(desk)
        for count in range(1, 200):
            growing.show("好" * count)
            time.sleep(0.01)
        growing.end()
        assert len(times) >= 2
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) >= BETWEEN.total_seconds() - 0.05


def test_a_rate_limit_while_showing_skips_that_text_and_rests(desk: Desk) -> None:
    growing = writing(desk)
    growing.show("一")
    until(lambda: updates(desk))
    desk.server.faults.append(QPS_LIMIT)
    growing.show("一二")
    until(lambda: len(updates(desk)) == 2)
    growing.show("一二三")
    until(lambda: len(updates(desk)) == 3)
    growing.end()
    assert updates(desk)[-1]["content"] == "一二三"


def test_the_apps_bucket_is_shared_by_all_its_cards(desk: Desk) -> None:
    cards = desk.robot._easel.cards if desk.robot._easel else None
    assert cards is not None
    waits = [cards.wait() for _ in range(QPS + 1)]
    assert waits[:QPS] == [timedelta()] * QPS
    assert waits[QPS] > timedelta()


def test_a_spent_budget_shows_no_more_and_the_answer_comes_whole() -> None:
    with Desk.open(RecordingServer(kit.platform), **CARDS, card_monthly_budget=2) as desk:
        shown(desk, "您好")  # one call to make it, one to show it
        asked = message(desk)
        assert desk.robot.writing([asked], "another") is None
        assert isinstance(desk.robot.send(reply(desk, Part(text="您好。")), 0), Delivered)
        assert updates(desk)[-1]["isFinalize"] is True  # what was begun is finished all the same


# ---- the last word ----


def test_the_reply_finishes_its_card_and_is_not_sent_besides(desk: Desk) -> None:
    shown(desk, "您")
    outcome = desk.robot.send(reply(desk, Part(text="您好。")), 0)
    assert outcome == Delivered(platform_id="pqkCard1")
    assert updates(desk)[-1]["content"] == "您好。"
    assert updates(desk)[-1]["isFinalize"] is True
    assert desk.sends() == []


def test_a_reply_without_a_card_is_a_message(desk: Desk) -> None:
    assert isinstance(desk.robot.send(reply(desk, Part(text="好")), 0), Delivered)
    assert desk.ways() == [kit.ONE_TO_ONE]
    assert updates(desk) == []


def test_another_process_finishes_the_card(desk: Desk) -> None:
    shown(desk, "您")
    assert isinstance(desk.another().send(reply(desk, Part(text="您好")), 0), Delivered)
    assert desk.sends() == []
    assert updates(desk)[-1]["isFinalize"] is True


def test_a_finished_card_is_not_touched_again(desk: Desk) -> None:
    shown(desk, "您")
    whole = reply(desk, Part(text="您好"))
    first = desk.robot.send(whole, 0)
    calls = len(desk.server.calls)
    assert desk.robot.send(whole, 0, again=True) == first
    assert len(desk.server.calls) == calls


def test_a_rate_limit_on_the_last_update_is_tried_again_with_the_same_guid(desk: Desk) -> None:
    shown(desk, "您")
    desk.server.faults.append(QPS_LIMIT)
    whole = reply(desk, Part(text="您好"))
    refused = desk.robot.send(whole, 0)
    assert isinstance(refused, Refused)
    assert refused.action is Action.RETRY
    assert refused.retry_after is not None
    assert isinstance(desk.robot.send(whole, 0), Delivered)
    assert desk.sends() == []
    assert len({each["guid"] for each in updates(desk)[-2:]}) == 1


@pytest.mark.parametrize("fault", [Answer(cut=True), Answer(status=504), QPS_LIMIT])
def test_a_card_that_cannot_be_finished_gives_way_to_a_message(desk: Desk, fault: Answer) -> None:
    shown(desk, "您")
    whole = reply(desk, Part(text="您好"))
    desk.server.faults.extend([fault] * MOST_TRIES)
    outcomes = [desk.robot.send(whole, 0, again=count > 0) for count in range(MOST_TRIES)]
    assert [type(outcome) for outcome in outcomes] == [Refused] * (MOST_TRIES - 1) + [Delivered]
    assert desk.ways() == [kit.ONE_TO_ONE]
    assert updates(desk)[-1]["isError"] is True
    assert isinstance(desk.robot.send(whole, 0), Delivered)  # a failed card stays failed
    assert len(desk.sends()) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        kit.api_error("param.stream.content"),
        json_answer({"success": False, "result": True}),
        json_answer({"success": True, "result": False}),
        json_answer({"result": True}),
    ],
)
def test_a_refused_last_update_gives_way_to_a_message_at_once(desk: Desk, refusal: Answer) -> None:
    shown(desk, "您")
    desk.server.faults.append(refusal)
    assert isinstance(desk.robot.send(reply(desk, Part(text="您好")), 0), Delivered)
    assert kit.shown(desk.sends()[0]) == "您好"


@pytest.mark.parametrize(
    "fault",
    [
        UNDELIVERED,
        json_answer({"success": False, "result": {"deliverResults": [kit.delivery()]}}),
        kit.api_error("param.templateNotExist"),
        kit.api_error(
            "Forbidden.AccessDenied.AccessTokenPermissionDenied",
            status=403,
            accessdenieddetail={"requiredScopes": ["Card.Instance.Write"]},
        ),
    ],
)
def test_a_card_that_was_not_delivered_gives_way_to_a_message(desk: Desk, fault: Answer) -> None:
    desk.server.faults.append(fault)
    growing = writing(desk)
    growing.show("您")
    until(lambda: desk.calls(kit.CREATE))
    growing.end()
    assert isinstance(desk.robot.send(reply(desk, Part(text="您好")), 0), Delivered)
    assert desk.ways() == [kit.ONE_TO_ONE]
    assert updates(desk) == []


def test_a_card_that_may_exist_is_asked_for_again_by_its_own_number(desk: Desk) -> None:
    desk.server.faults.append(Answer(cut=True))
    growing = writing(desk)
    growing.show("您")
    until(lambda: desk.calls(kit.CREATE))
    growing.end()
    desk.server.faults.append(kit.api_error("param.cardAlreadyExist"))
    assert isinstance(desk.robot.send(reply(desk, Part(text="您好")), 0), Delivered)
    first, second = desk.calls(kit.CREATE)
    assert first.json["outTrackId"] == second.json["outTrackId"]
    assert [each["content"] for each in updates(desk)] == ["您好"]
    assert desk.sends() == []


def test_a_turn_that_is_run_again_goes_on_with_its_card(desk: Desk) -> None:
    shown(desk, "您")
    shown(desk, "您好")
    assert len(desk.calls(kit.CREATE)) == 1
    assert [each["content"] for each in updates(desk)] == ["您", "您好"]


def test_nothing_shrinks_before_the_customers_eyes(desk: Desk) -> None:
    shown(desk, "您好，您的订单")
    growing = writing(desk)  # another process, after the first one died
    growing.show("您")
    time.sleep(BETWEEN.total_seconds() + 0.2)
    assert len(updates(desk)) == 1
    growing.show("您好，您的订单已发货")
    until(lambda: len(updates(desk)) == 2)
    growing.end()
    assert updates(desk)[-1]["content"] == "您好，您的订单已发货"


def test_a_long_answer_ends_the_card_and_goes_on_in_a_message(desk: Desk) -> None:
    paragraphs = "\n\n".join(f"第{number}段，很长的一段话。" for number in range(200))
    (text,) = desk.robot.compose(paragraphs)
    shown(desk, paragraphs)
    whole = reply(desk, Part(text=text))
    desk.server.faults.clear()
    assert isinstance(desk.robot.send(whole, 0), Delivered)
    assert max(utf8_bytes(each["content"]) for each in updates(desk)) <= LARGEST_CARD
    head, tail = updates(desk)[-1]["content"], kit.shown(desk.sends()[0])
    assert head.startswith("第0段")
    assert tail.endswith("第199段，很长的一段话。")
    assert (head + tail).count("很长") == 200


def test_a_full_card_is_not_filled_again(desk: Desk) -> None:
    growing = writing(desk)
    growing.show("字" * 1000)
    until(lambda: updates(desk))
    growing.show("字" * 1100)
    time.sleep(BETWEEN.total_seconds() + 0.3)
    growing.show("字" * 1200)
    time.sleep(BETWEEN.total_seconds() + 0.3)
    growing.end()
    assert len(updates(desk)) == 1


def test_when_the_message_behind_a_card_is_refused_only_that_is_sent_again(desk: Desk) -> None:
    server = RecordingServer(kit.platform, lambda call: call.path == kit.ONE_TO_ONE)
    with Desk.open(server, **CARDS) as desk:
        text = "字" * 1500
        shown(desk, text)
        server.faults.append(QPS_LIMIT)
        whole = reply(desk, Part(text=text))
        assert isinstance(desk.robot.send(whole, 0), Refused)
        finals = len(updates(desk))
        assert isinstance(desk.robot.send(whole, 0), Delivered)
        assert len(updates(desk)) == finals
        assert len({call.body for call in desk.sends()}) == 1


def test_a_line_break_is_written_as_cards_read_it(desk: Desk) -> None:
    shown(desk, "一\n二")
    assert updates(desk)[0]["content"] == "一<br>二"


def test_choices_follow_the_card_as_a_numbered_list(desk: Desk) -> None:
    shown(desk, "哪个")
    asked = Part(text="哪个？", choices=(Choice(id="a", title="红"), Choice(id="b", title="蓝")))
    assert isinstance(desk.robot.send(reply(desk, asked), 0), Delivered)
    assert "1. 红\n2. 蓝" in kit.shown(desk.sends()[0])


def test_a_card_waits_its_turn_like_all_others(desk: Desk) -> None:
    shown(desk, "您")
    cards = desk.robot._easel.cards if desk.robot._easel else None
    assert cards is not None
    while cards.wait() == timedelta():
        pass
    refused = desk.robot.send(reply(desk, Part(text="您好")), 0)
    assert isinstance(refused, Refused)
    assert refused.retry_after


def test_what_is_noted_of_a_card_is_read_as_it_was_written(desk: Desk) -> None:
    ledger = Ledger("shop", desk.growth)
    assert ledger.read("k") is None
    assert ledger.begin("k") == Progress(step=Step.MAKING)
    for progress in (
        Progress(step=Step.SHOWN, carrier="c", length=9, tries=3),
        Progress(step=Step.DONE, carrier="c"),
    ):
        ledger.note("k", progress)
        assert ledger.read("k") == progress
    ledger.note("k", Progress(step=Step.FAILED))
    assert ledger.read("k") == Progress(step=Step.DONE, carrier="c"), "what is done stays done"


def test_card_calls_are_counted_with_the_months_calls(desk: Desk) -> None:
    shown(desk, "您")
    desk.robot.send(reply(desk, Part(text="您好")), 0)
    assert desk.meter.read("shop", month="2026-11") == {"api_calls": 3, "card_calls": 3}
    assert json.loads(desk.calls(kit.CREATE)[0].body)["callbackType"] == "STREAM"
