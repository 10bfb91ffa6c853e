"""A notice, and what `kf/sync_msg` then gives (WeCom sheet §5.1, §5.2 and §5.4)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.crypto import BadContent, NotSealed
from adapters.http import MaybeSent
from adapters.tokens import NoToken
from adapters.values import (
    NOTICE,
    Action,
    Control,
    ControlEvent,
    DeliveryState,
    Event,
    Media,
    Message,
    Response,
    StatusUpdate,
)
from adapters.wecom_kf import WeComKf
from adapters.wecom_kf.events import message_id, part_key
from tests.adapters.wecom_app import events_of
from tests.adapters.wecom_kf_fake import (
    CUSTOMER,
    GREET,
    KFID,
    STATE,
    SYNC,
    TICKET,
    KfPlatform,
    account,
    calls,
    notice,
    pages,
)
from tests.adapters.wecom_platform import NOW, Console, request_of, vector, vectors
from tests.fakes import Answer, RecordingServer, html_answer, json_answer

CONSOLE = Console()
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def kf() -> KfPlatform:
    return KfPlatform()


@pytest.fixture
def server(kf: KfPlatform) -> Iterator[RecordingServer]:
    with RecordingServer(kf) as server:
        yield server


def pulled(channel: WeComKf) -> list[Event]:
    return [event for page in pages(channel, "c0") for event in page.events]


def message(event: Event) -> Message:
    assert isinstance(event, Message), event
    return event


def control(event: Event) -> ControlEvent:
    assert isinstance(event, ControlEvent), event
    return event


# ---- the notice ----


def test_a_notice_is_no_message_of_a_customer() -> None:
    channel, request = account(NOWHERE), request_of(vector("kf_event"))
    channel.verify(request)
    (event,) = channel.parse(request)
    found = message(event)
    assert (found.kind, found.conversation.peer, found.conversation.account) == (NOTICE, "~notices", KFID)
    assert found.route == {"token": TICKET}
    assert found.sent_at == datetime.fromtimestamp(1795100100, UTC)
    assert channel.answer(request, (event,)) == Response()


def test_a_notice_of_the_first_form_names_no_account(kf: KfPlatform) -> None:
    (event,) = account(NOWHERE).parse(CONSOLE.post("<xml><Event>kf_msg_or_event</Event><Token>T</Token></xml>"))
    assert message(event).route == {"token": "T"}


@pytest.mark.parametrize(
    ("inner", "what"),
    [
        ("<xml><Event>kf_msg_or_event</Event><OpenKfId>wkOther</OpenKfId></xml>", "other_account"),
        ("<xml><Event>change_contact</Event></xml>", "unknown_event"),
        ("<xml><MsgType>text</MsgType><Content>hi</Content></xml>", "unknown_event"),
    ],
)
def test_what_is_no_notice_for_this_account_is_noted(inner: str, what: str) -> None:
    (event,) = account(NOWHERE).parse(CONSOLE.post(inner))
    assert control(event).what == what


def test_a_notice_for_another_account_of_the_app_is_its_channel_s() -> None:
    inner = "<xml><Event>kf_msg_or_event</Event><Token>T</Token><OpenKfId>wkOther</OpenKfId></xml>"
    (event,) = account(NOWHERE, other_accounts={"wkOther": "service"}).parse(CONSOLE.post(inner))
    found = message(event)
    assert (found.conversation.channel, found.conversation.account) == ("service", "wkOther")
    assert (found.kind, found.route) == (NOTICE, {"token": "T"})


def test_two_notices_are_two_and_a_repeat_is_none() -> None:
    channel = account(NOWHERE)
    inner = "<xml><Event>kf_msg_or_event</Event><Token>{}</Token></xml>"
    ids = [message(channel.parse(CONSOLE.post(inner.format(each)))[0]).key for each in ("a", "b", "a")]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize(
    "name", [each for each in vectors("app-xml", "app-get") if vector(each)["expected"]["error"]]
)
def test_every_published_bad_callback_is_refused(name: str) -> None:
    found = vector(name)
    config = found["config"]
    secrets = {"token": config["token"], "encoding_aes_key": config["encoding_aes_key"]}
    channel, request = account(NOWHERE, corp_id=config["receive_id"], **secrets), request_of(found)
    with pytest.raises((NotSealed, BadContent)) as caught:
        events_of(channel, request)
    error = caught.value
    assert isinstance(error, NotSealed | BadContent)
    assert error.flaw.value in found["expected"]["error"].split("|")


def test_row_4_the_url_check_is_answered_with_the_exact_bytes() -> None:
    channel, request = account(NOWHERE), request_of(vector("get_app_ok"))
    channel.verify(request)
    assert channel.parse(request) == ()
    assert channel.answer(request, ()).body == b"2836502384937403712"


# ---- asking ----


def test_the_first_page_is_asked_for_as_the_documents_say(server: RecordingServer, kf: KfPlatform) -> None:
    found = vector("kf_sync_page1")
    kf.will(SYNC, json_answer(found["response"]["json"]))
    page = account(server.url, first_pull=86_400).pull(notice(), "")
    assert calls(server, SYNC) == [found["request"]["json"]]
    assert page.more
    assert page.cursor.endswith("CURSOR_1")
    texts = [(event.id, event.text) for event in page.events if isinstance(event, Message)]
    assert texts == [("m_1", "你好"), ("m_3", "")]


def test_row_17_what_a_servicer_wrote_is_no_customer_s_message(server: RecordingServer, kf: KfPlatform) -> None:
    """But it says that a human has the conversation."""
    kf.will(SYNC, json_answer({**vector("kf_sync_page1")["response"]["json"], "has_more": 0}))
    entered, first, theirs, second = pulled(account(server.url))
    assert [message(each).id for each in (first, second)] == ["m_1", "m_3"]
    assert control(entered).what == "enter_session"
    assert control(theirs).what == Control.HUMAN_TOOK_OVER
    assert "人工回复" not in str(theirs)


@pytest.mark.parametrize("origin", [0, 4, 6, None, "x"])
def test_row_17_only_origin_three_is_a_customer(server: RecordingServer, kf: KfPlatform, origin: object) -> None:
    kf.says("mine", origin=origin)
    assert pulled(account(server.url)) == []


def test_the_cursor_goes_with_every_further_call(server: RecordingServer, kf: KfPlatform) -> None:
    kf.page = 2
    for number in range(5):
        kf.says(str(number), message_id=f"m_{number}")
    found = pages(account(server.url), "c0")
    assert [asked["cursor"] for asked in calls(server, SYNC)] == ["c0", "c2", "c4"]
    assert [[message(event).text for event in page.events] for page in found] == [["0", "1"], ["2", "3"], ["4"]]
    assert [page.more for page in found] == [True, True, False]
    assert found[-1].cursor == "c5"


def test_an_empty_page_is_no_end(server: RecordingServer, kf: KfPlatform) -> None:
    empty: dict[str, Any] = {"errcode": 0, "next_cursor": "c1", "has_more": 1, "msg_list": []}
    kf.says("behind it", message_id="m_2")
    kf.items.insert(0, kf.items[0])
    kf.will(SYNC, json_answer(empty))
    first, second = pages(account(server.url), "c0")
    assert (first.events, first.more) == ((), True)
    assert message(second.events[0]).text == "behind it"


def test_an_empty_page_behind_the_same_cursor_is_asked_for_again(server: RecordingServer, kf: KfPlatform) -> None:
    empty: dict[str, Any] = {"errcode": 0, "next_cursor": "c0", "has_more": 1, "msg_list": []}
    kf.says("behind it")
    kf.will(SYNC, *[json_answer(empty)] * 3)
    (event,) = account(server.url).pull(notice(), "c0").events
    assert message(event).text == "behind it"


def test_a_platform_that_promises_more_for_ever_is_not_asked_for_ever(
    server: RecordingServer, kf: KfPlatform
) -> None:
    empty: dict[str, Any] = {"errcode": 0, "next_cursor": "c0", "has_more": 1, "msg_list": []}
    kf.will(SYNC, *[json_answer(empty)] * 99)
    assert account(server.url).pull(notice(), "c0").events == ()
    assert len(calls(server, SYNC)) == 5


def test_a_token_is_used_for_ten_minutes(server: RecordingServer) -> None:
    channel = account(server.url)
    channel.pull(replace(notice(), sent_at=NOW - timedelta(minutes=9)), "c0")
    channel.pull(replace(notice(), sent_at=NOW - timedelta(minutes=10)), "c0")
    channel.pull(replace(notice(), route={}), "c0")
    assert ["token" in asked for asked in calls(server, SYNC)] == [True, False, False]


def test_a_rejected_token_is_left_out(server: RecordingServer, kf: KfPlatform) -> None:
    kf.bad_tokens.add(TICKET)
    kf.says("still here")
    (event,) = account(server.url).pull(notice(), "c0").events
    assert message(event).text == "still here"
    assert ["token" in asked for asked in calls(server, SYNC)] == [True, False]


@pytest.mark.parametrize(("code", "action"), [(45009, Action.RETRY), (95000, Action.ALERT), (95007, Action.RETRY)])
def test_a_refused_pull_says_why(server: RecordingServer, kf: KfPlatform, code: int, action: Action) -> None:
    kf.will(SYNC, *[json_answer({"errcode": code, "errmsg": "no"})] * 2)
    with pytest.raises(NoToken) as caught:
        account(server.url).pull(notice(), "c0")
    assert (caught.value.refused.code, caught.value.refused.action) == (str(code), action)


@pytest.mark.parametrize("answer", [html_answer(502), Answer(cut=True), Answer(body=b"[]")])
def test_a_lost_page_is_asked_for_again(server: RecordingServer, kf: KfPlatform, answer: Answer) -> None:
    kf.will(SYNC, answer)
    with pytest.raises(MaybeSent):
        account(server.url).pull(notice(), "c0")


@pytest.mark.parametrize("odd", [b"half \xe4\xbd", b"raw \x0b\x01 control", b"half \\ud83d"])
def test_one_customer_s_odd_characters_hide_no_page(server: RecordingServer, kf: KfPlatform, odd: bytes) -> None:
    kf.says("ODD", message_id="m_1")
    kf.says("hello", message_id="m_2")
    items = json.dumps(kf.items).encode().replace(b"ODD", odd)
    page = b'{"errcode": 0, "errmsg": "ok", "next_cursor": "c2", "has_more": 0, "msg_list": ' + items + b"}"
    kf.will(SYNC, Answer(body=page))
    found = account(server.url).pull(notice(), "c0")
    assert found.cursor == "c2"
    first, second = (message(event).text for event in found.events)
    assert first[:3] == odd[:3].decode()
    assert second == "hello"


def test_a_page_too_large_to_be_read_is_asked_for_in_smaller_ones(server: RecordingServer, kf: KfPlatform) -> None:
    for number in range(60):
        kf.says("x" * 75_000, message_id=f"m_{number}")
    assert len(pulled(account(server.url))) == 60
    assert [call["limit"] for call in calls(server, SYNC)] == [1000, 50, 1000]


# ---- the first start ----


def test_at_the_first_start_old_messages_are_passed_over_on_every_page(
    server: RecordingServer, kf: KfPlatform
) -> None:
    kf.page = 2
    now = int(NOW.timestamp())
    for number, age in enumerate((200_000, 601, 599, 700, 10)):
        kf.says(str(number), message_id=f"m_{number}", send_time=now - age)
    found = pages(account(server.url))
    assert [message(event).text for page in found for event in page.events] == ["2", "4"]
    assert found[-1].cursor == "c5"
    assert "cursor" not in calls(server, SYNC)[0]


def test_at_the_first_start_old_events_are_passed_over_too(server: RecordingServer, kf: KfPlatform) -> None:
    kf.happens("session_status_change", age=5000, change_type=2)
    assert pages(account(server.url))[0].events == ()


def test_how_far_the_first_start_looks_back_is_a_setting(server: RecordingServer, kf: KfPlatform) -> None:
    kf.says(send_time=int(NOW.timestamp()) - 3000)
    (page,) = pages(account(server.url, first_pull=3600))
    assert len(page.events) == 1


def test_after_an_outage_nothing_is_passed_over(server: RecordingServer, kf: KfPlatform) -> None:
    kf.says(send_time=int(NOW.timestamp()) - 200_000)
    assert len(pulled(account(server.url))) == 1


# ---- the items ----


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"msgtype": "text", "text": {"content": "是", "menu_id": "101"}}, "是"),
        (
            {
                "msgtype": "location",
                "location": {"latitude": 23.1, "longitude": 113.3, "name": "店", "address": "路"},
            },
            "📍 店 路 (23.1, 113.3)",
        ),
        ({"msgtype": "location", "location": {"latitude": 23, "longitude": 113}}, "📍 23, 113"),
        ({"msgtype": "link", "link": {"title": "T", "desc": "D", "url": "https://a.b"}}, "T\nD\nhttps://a.b"),
        ({"msgtype": "business_card", "business_card": {"userid": "lisi"}}, "[名片]"),
        ({"msgtype": "miniprogram", "miniprogram": {"title": "商城"}}, "[小程序] 商城"),
        ({"msgtype": "channels", "channels": {"sub_type": 1, "nickname": "号", "title": "片"}}, "[视频号] 片 1 号"),
        ({"msgtype": "merged_msg", "merged_msg": {}}, "[聊天记录]"),
        ({"msgtype": "hologram"}, "[不支持的消息]"),
        (
            {
                "msgtype": "msgmenu",
                "msgmenu": {"head_content": "H", "list": [{"type": "click", "click": {"content": "A"}}]},
            },
            "H\nA",
        ),
    ],
)
def test_every_kind_is_told_in_words(
    server: RecordingServer, kf: KfPlatform, body: dict[str, Any], text: str
) -> None:
    kf.gets(body)
    (event,) = pulled(account(server.url))
    assert message(event).text == text
    assert message(event).kind == body["msgtype"]


@pytest.mark.parametrize(
    ("kind", "media"),
    [
        ("image", Media(kind="image", id="M1")),
        ("voice", Media(kind="audio", id="M1", mime="audio/amr")),
        ("video", Media(kind="video", id="M1")),
        ("file", Media(kind="file", id="M1")),
    ],
)
def test_a_file_comes_by_its_media_id(server: RecordingServer, kf: KfPlatform, kind: str, media: Media) -> None:
    kf.gets({"msgtype": kind, kind: {"media_id": "M1"}})
    (event,) = pulled(account(server.url))
    assert message(event).media == (media,)


def test_a_message_knows_who_wrote_it_when(server: RecordingServer, kf: KfPlatform) -> None:
    kf.says("hi", message_id="m_9", send_time=1795100091)
    found = message(pulled(account(server.url))[0])
    assert (found.id, found.sender, found.conversation.peer) == ("m_9", CUSTOMER, CUSTOMER)
    assert found.sent_at == datetime.fromtimestamp(1795100091, UTC)
    assert found.route == {"last": "m_9"}


def test_another_account_s_items_are_left_alone(server: RecordingServer, kf: KfPlatform) -> None:
    kf.says(open_kfid="wkOther")
    kf.happens("session_status_change", change_type=1)
    kf.items[-1]["event"]["open_kfid"] = "wkOther"
    assert pulled(account(server.url)) == []


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"msgid": ""},
        {"msgid": "x" * 600, "origin": 3, "external_userid": "u", "msgtype": "text", "text": {"content": "x"}},
        {"msgid": "1", "origin": 3, "external_userid": "", "msgtype": "text", "text": {"content": "x"}},
        {"msgid": "1", "origin": 3, "external_userid": "u" * 600, "msgtype": "text"},
        {"msgid": ["1"], "origin": {}, "external_userid": 7.5, "msgtype": None},
        {"msgid": "1", "origin": 3, "external_userid": "u", "msgtype": "event", "event": []},
    ],
)
def test_one_bad_item_stops_no_other(server: RecordingServer, kf: KfPlatform, bad: dict[str, Any]) -> None:
    kf.items.append(bad)
    kf.says("good")
    found = [event for event in pulled(account(server.url)) if isinstance(event, Message)]
    assert [event.text for event in found] == ["good"]


def test_a_text_without_its_body_is_a_message_without_words(server: RecordingServer, kf: KfPlatform) -> None:
    kf.gets({"msgtype": "text", "text": None})
    assert message(pulled(account(server.url))[0]).text == ""


# ---- who serves the customer ----


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (1, Control.HUMAN_TOOK_OVER),
        (2, Control.HUMAN_TOOK_OVER),
        (3, Control.HUMAN_LEFT),
        (4, Control.HUMAN_TOOK_OVER),
        (9, "session_status_change"),
    ],
)
def test_a_change_of_the_session_silences_or_wakes_the_bot(
    server: RecordingServer, kf: KfPlatform, change: int, what: str
) -> None:
    kf.happens("session_status_change", change_type=change, new_servicer_userid="lisi", msg_code="MSG_CODE")
    event = control(pulled(account(server.url))[0])
    assert event.what == what
    assert event.conversation is not None
    assert event.conversation.peer == CUSTOMER
    assert event.detail["new_servicer_userid"] == "lisi"
    assert "MSG_CODE" not in str(event)


@pytest.mark.parametrize("state", [2, 3])
def test_a_customer_who_has_a_human_already_is_left_to_him(
    server: RecordingServer, kf: KfPlatform, state: int
) -> None:
    kf.states[CUSTOMER] = state
    kf.says("one")
    kf.says("two", message_id="m_2")
    *rest, last = pulled(account(server.url))
    assert control(last).what == Control.HUMAN_TOOK_OVER
    assert [message(event).text for event in rest] == ["one", "two"]
    assert len(calls(server, STATE)) == 1


@pytest.mark.parametrize("state", [0, 1, 4])
def test_a_customer_without_a_human_is_the_bot_s(server: RecordingServer, kf: KfPlatform, state: int) -> None:
    kf.states[CUSTOMER] = state
    kf.says("hi")
    assert [type(event) for event in pulled(account(server.url))] == [Message]


def test_a_state_that_cannot_be_read_loses_no_message(server: RecordingServer, kf: KfPlatform) -> None:
    kf.will(STATE, html_answer(502))
    kf.says("hi")
    assert [type(event) for event in pulled(account(server.url))] == [Message]


# ---- what became of our messages ----


@pytest.mark.parametrize("key", ["0123456789abcdef" * 2, "0123456789abcdef" * 2 + ".1", "f" * 32 + ".12"])
def test_a_part_is_found_again_by_its_msgid(key: str) -> None:
    given = message_id(key)
    assert len(given) <= 32
    assert set(given) <= set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")
    assert part_key(given) == key


@pytest.mark.parametrize("given", ["", "x", "A" * 22 + "_", "é" * 22 + "_1", "0" * 31, "0" * 33])
def test_a_msgid_of_somebody_else_is_nobody_s_part(given: str) -> None:
    assert part_key(given) == ""


@pytest.mark.parametrize(("kind", "says"), [(4, "48 hours"), (6, "5 messages"), (3, "not documented")])
def test_a_message_that_did_not_arrive_is_told_by_our_own_key(
    server: RecordingServer, kf: KfPlatform, kind: int, says: str
) -> None:
    key = "ab" * 16 + ".2"
    kf.happens("msg_send_fail", fail_msgid=message_id(key), fail_type=kind)
    (event,) = pulled(account(server.url))
    assert isinstance(event, StatusUpdate)
    assert (event.state, event.reply_key) == (DeliveryState.FAILED, key)
    assert event.platform_id == message_id(key)
    assert says in event.error


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("user_recall_msg", {"recall_msgid": "m_1"}),
        ("servicer_recall_msg", {"recall_msgid": "m_1", "servicer_userid": "lisi"}),
        ("servicer_status_change", {"servicer_userid": "lisi", "status": "1"}),
        ("reject_customer_msg_switch_change", {"servicer_userid": "lisi", "reject_switch": "1"}),
    ],
)
def test_the_other_events_are_noted(
    server: RecordingServer, kf: KfPlatform, name: str, fields: dict[str, Any]
) -> None:
    kf.happens(name, **fields)
    event = control(pulled(account(server.url))[0])
    assert event.what == name
    assert event.detail == {**fields, "event": name}


def test_an_unknown_event_is_noted_under_one_name(server: RecordingServer, kf: KfPlatform) -> None:
    kf.happens("brand_new")
    assert control(pulled(account(server.url))[0]).what == "unknown_event"


# ---- the welcome ----


def greeted(server: RecordingServer, welcome: str = "您好！") -> tuple[list[Any], ControlEvent]:
    event = control(pulled(account(server.url, welcome=welcome))[0])
    return list(calls(server, GREET)), event


def test_a_customer_who_opens_the_chat_is_greeted(server: RecordingServer, kf: KfPlatform) -> None:
    kf.happens("enter_session", welcome_code="WELCOME1", scene="123", scene_param="abc")
    (said,), event = greeted(server)
    assert said == {"code": "WELCOME1", "msgid": said["msgid"], "msgtype": "text", "text": {"content": "您好！"}}
    assert len(said["msgid"]) == 32
    assert event.detail == {"event": "enter_session", "scene": "123", "scene_param": "abc", "welcome": "sent"}


def test_the_welcome_is_no_message_to_the_session_itself(server: RecordingServer, kf: KfPlatform) -> None:
    """Its state is still 4, in which `kf/send_msg` is refused."""
    kf.happens("enter_session", welcome_code="WELCOME1")
    greeted(server)
    assert {call.path for call in server.calls} == {"/cgi-bin/gettoken", SYNC, GREET}


@pytest.mark.parametrize(("age", "welcome", "code"), [(20, "hi", "C"), (0, "", "C"), (0, "hi", "")])
def test_nobody_is_greeted_too_late_or_without_words_or_code(
    server: RecordingServer, kf: KfPlatform, age: int, welcome: str, code: str
) -> None:
    kf.happens("enter_session", age=age, welcome_code=code)
    said, event = greeted(server, welcome)
    assert said == []
    assert event.detail.get("welcome", "") == ("too late" if age else "")


@pytest.mark.parametrize(
    ("answer", "told"), [(json_answer({"errcode": 41050}), "refused 41050"), (Answer(cut=True), "no answer")]
)
def test_a_welcome_that_fails_stops_nothing(
    server: RecordingServer, kf: KfPlatform, answer: Answer, told: str
) -> None:
    kf.will(GREET, answer)
    kf.happens("enter_session", welcome_code="WELCOME1")
    kf.says("hi")
    _, event = greeted(server)
    assert event.detail["welcome"] == told


# ---- what others do wrong ----


def test_row_12_every_item_of_every_page_comes_in_its_order_once(server: RecordingServer, kf: KfPlatform) -> None:
    kf.page = 3
    for number in range(10):
        kf.says(f"line {number}", message_id=f"m_{number}")
    channel = account(server.url)
    found = pulled(channel)
    assert [message(event).text for event in found] == [f"line {number}" for number in range(10)]
    assert channel.pull(notice(), "c10").events == ()


def test_row_12_an_empty_list_is_no_error(server: RecordingServer, kf: KfPlatform) -> None:
    kf.will(SYNC, json_answer({"errcode": 0, "next_cursor": "c0", "has_more": 0}))
    page = account(server.url).pull(notice(), "c0")
    assert (page.events, page.more, page.cursor) == ((), False, "c0")


def test_row_12_a_page_without_a_cursor_keeps_the_last_one(server: RecordingServer, kf: KfPlatform) -> None:
    kf.will(SYNC, *[json_answer({"errcode": 0, "has_more": 1, "msg_list": []})] * 9)
    assert account(server.url).pull(notice(), "c7").cursor == "c7"


def test_row_13_the_same_words_twice_are_two_messages(server: RecordingServer, kf: KfPlatform) -> None:
    for message_id_ in ("m_1", "m_2", "m_1"):
        kf.says("好的", message_id=message_id_)
    keys = [message(event).key for event in pulled(account(server.url))]
    assert keys[0] == keys[2] != keys[1]
