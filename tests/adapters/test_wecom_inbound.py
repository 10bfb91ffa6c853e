"""From a decrypted WeCom message to the event that it is (WeCom sheet §2)."""

from datetime import UTC, datetime

import pytest

from adapters.values import NOTICE, Control, ControlEvent, Media, Message, Response
from adapters.wecom.inbound import CONSEQUENCES, KNOWN_EVENTS
from tests.adapters.wecom_app import CONSOLE, app, control, message, parsed
from tests.adapters.wecom_platform import (
    AGENT,
    CORP,
    NOW,
    Console,
)


def test_a_text_is_read_with_its_sender_and_time() -> None:
    found = message("app_text")
    assert found.text == "你好，我想查一下订单 1234 的物流"
    assert (found.conversation.channel, found.conversation.account) == ("staff", CORP)
    assert found.conversation.peer == found.sender == "zhangsan"
    assert found.sent_at == datetime.fromtimestamp(1795100001, UTC)
    assert found.kind == "text"


def test_line_breaks_emoji_and_markup_come_through() -> None:
    assert message("app_text_emoji_newline").text == '第一行\n第二行 😀🧾 <b>&amp;</b> 5 > 3 " '


def test_a_control_character_in_what_was_pasted_costs_no_message() -> None:
    (event,) = parsed(CONSOLE.inner(Content="from\x0b a\x00 PDF\x1f \ufffe😀", MsgId="1"))
    assert isinstance(event, Message)
    assert event.text == "from a PDF 😀"


def test_six_thousand_bytes_of_text_come_through() -> None:
    assert len(message("app_large_2048x3").text.encode()) == 6144


def test_an_image_a_voice_and_a_video_are_media() -> None:
    assert message("app_image").media == (Media(kind="image", id="1G6nrLmr5EC3MMb_-zK1dDdzmd0p7cNliYu9V5w7o8K0"),)
    assert message("app_voice").media == (
        Media(kind="audio", id="1Yv-zXfHjSjU-7LH-GwtYqDGS-zz6w22KmWAT5COgP7o", mime="audio/amr"),
    )
    assert message("app_video").media == (Media(kind="video", id="VIDEO_MEDIA_ID"),)
    assert [message(f"app_{kind}").text for kind in ("image", "voice", "video")] == ["", "", ""]


def test_a_location_and_a_link_are_told_in_words() -> None:
    assert message("app_location").text == "📍 广州市海珠区 (23.134, 113.358)"
    assert message("app_link").text == "标题！\n描述\nhttps://example.com/?a=1&b=2"


def test_a_location_without_a_label_is_its_coordinates() -> None:
    (event,) = parsed(CONSOLE.inner("location", MsgId="1", Location_X="1.5", Location_Y="2.5"))
    assert isinstance(event, Message)
    assert event.text == "📍 1.5, 2.5"


def test_a_file_is_acknowledged_though_no_list_has_it() -> None:
    assert message("app_file_unlisted").media == (Media(kind="file", id="FILE_MEDIA_ID"),)


@pytest.mark.parametrize("kind", ["sticker", "TEXT", "miniprogram", "x" * 5000])
def test_an_unknown_type_is_acknowledged(kind: str) -> None:
    (event,) = parsed(CONSOLE.inner(kind, MsgId="1"))
    assert isinstance(event, ControlEvent)
    assert event.what == "unknown_message"
    assert event.detail["type"] == kind[:256]


def test_a_message_without_a_type_is_acknowledged() -> None:
    (event,) = parsed("<xml><FromUserName>zhangsan</FromUserName></xml>")
    assert isinstance(event, ControlEvent)


@pytest.mark.parametrize("user", ["", "x" * 600])
def test_a_message_without_a_usable_sender_is_acknowledged(user: str) -> None:
    (event,) = parsed(CONSOLE.inner(user=user, Content="hi", MsgId="1"))
    assert isinstance(event, ControlEvent)
    assert event.what == "unreadable_message"


def test_another_app_s_message_is_acknowledged_but_not_answered() -> None:
    request = Console(agent="1000009").text("hi")
    channel = app()
    channel.verify(request)
    (event,) = channel.parse(request)
    assert isinstance(event, ControlEvent)
    assert event.what == "other_agent"
    assert event.detail == {"agent_id": "1000009"}
    assert channel.answer(request, (event,)) == Response()


def test_a_message_without_an_agent_is_ours() -> None:
    assert isinstance(
        parsed(CONSOLE.inner(Content="hi", MsgId="1").replace(f"<AgentID>{AGENT}</AgentID>", ""))[0], Message
    )


@pytest.mark.parametrize("time", [0, 1, 99999999999])
def test_any_time_of_sending_is_read(time: int) -> None:
    (event,) = parsed(CONSOLE.inner(Content="hi", MsgId="1", time=time))
    assert isinstance(event, Message)
    assert event.sent_at == datetime.fromtimestamp(time, UTC)


@pytest.mark.parametrize("time", ["", "-5", "1e9", "999999999999", "now", "１７９５１００００１"])
def test_an_unreadable_time_is_the_time_of_arrival(time: str) -> None:
    (event,) = parsed(CONSOLE.inner(Content="hi", MsgId="1").replace("1795100001", time))
    assert isinstance(event, Message)
    assert event.sent_at == NOW


# ---- events ----


def test_each_documented_event_is_known_by_its_name() -> None:
    for name in sorted(KNOWN_EVENTS):
        (event,) = parsed(CONSOLE.inner("event", Event=name))
        assert isinstance(event, ControlEvent)
        assert event.what == CONSEQUENCES.get(name, name.lower())


def test_an_event_names_who_caused_it() -> None:
    event = control("app_event_enter_agent")
    assert event.what == "enter_agent"
    assert event.conversation is not None
    assert event.conversation.peer == "zhangsan"
    assert event.at == datetime.fromtimestamp(1795100002, UTC)


def test_a_position_report_is_no_location_message() -> None:
    assert control("app_event_location").what == "location"


def test_a_pressed_card_names_its_task_but_keeps_its_code_to_itself() -> None:
    event = control("app_event_template_card")
    assert event.detail["task_id"] == "task-20261120-1"
    assert event.detail["event_key"] == "btn_confirm"
    assert "RESP_CODE" not in str(event)


def test_a_change_of_the_address_book_belongs_to_no_conversation() -> None:
    (event,) = parsed(CONSOLE.inner("event", user="sys", Event="change_contact", ChangeType="delete_user"))
    assert isinstance(event, ControlEvent)
    assert event.conversation is None
    assert event.detail["change_type"] == "delete_user"


def test_an_unknown_event_is_acknowledged_under_one_name() -> None:
    (event,) = parsed(CONSOLE.inner("event", Event="brand_new"))
    assert isinstance(event, ControlEvent)
    assert event.what == "unknown_event"
    assert event.detail["event"] == "brand_new"


def test_an_event_without_sender_and_message_id_is_acknowledged() -> None:
    assert control("kf_event").conversation is None


@pytest.mark.parametrize(
    ("name", "what", "says"),
    [
        ("inactive_alert", "inactive_alert", "will close"),
        ("low_active_alert", "low_active_alert", "may restrict"),
        ("low_active", "low_active", "restricts"),
        ("close_inactive_agent", Control.ACCOUNT_BLOCKED, "enable it again"),
        ("reopen_inactive_agent", Control.ACCOUNT_RESTORED, ""),
        ("active_restored", Control.ACCOUNT_RESTORED, ""),
    ],
)
def test_an_app_that_is_closed_for_inactivity_is_an_operator_s_matter(name: str, what: str, says: str) -> None:
    (event,) = parsed(CONSOLE.inner("event", user="sys", Event=name, EffectTime="1795200000"))
    assert isinstance(event, ControlEvent)
    assert event.what == what
    assert event.detail["effect_time"] == "1795200000"
    assert says in event.detail.get("reason", "")
    assert bool(event.detail.get("reason")) == bool(says)


def test_a_batch_job_says_how_it_ended() -> None:
    event = control("app_event_batch_job")
    assert (event.detail["job_type"], event.detail["err_code"]) == ("sync_user", "0")


def test_a_scanned_code_keeps_its_content_to_itself() -> None:
    raw = "<ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>private</ScanResult></ScanCodeInfo>"
    (event,) = parsed(CONSOLE.inner("event", Event="scancode_waitmsg", EventKey="scan", raw=raw))
    assert isinstance(event, ControlEvent)
    assert event.detail["scan_type"] == "qrcode"
    assert "private" not in str(event)


def test_one_app_may_take_the_notices_of_customer_service_too() -> None:
    """An app has one callback address: what it is told for another channel is that channel's."""
    found = message("kf_event", kf_channel="shop")
    assert (found.conversation.channel, found.kind) == ("shop", NOTICE)
    assert found.conversation.account == "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"
    assert found.route["token"].startswith("ENC")


def test_each_account_of_customer_service_may_have_a_channel_of_its_own() -> None:
    channels = {"wkOne": "shop", "wkTwo": "service"}
    for account, name in channels.items():
        inner = CONSOLE.inner("event", user="", Event="kf_msg_or_event", Token="T", OpenKfId=account)
        (event,) = parsed(inner, kf_channel=channels)
        assert isinstance(event, Message)
        assert (event.conversation.channel, event.conversation.account) == (name, account)
    (event,) = parsed(inner.replace("wkTwo", "wkThree"), kf_channel=channels)
    assert isinstance(event, ControlEvent)


def test_a_notice_that_names_no_account_belongs_to_nobody() -> None:
    (event,) = parsed(CONSOLE.inner("event", user="", Event="kf_msg_or_event", Token="T"), kf_channel="shop")
    assert isinstance(event, ControlEvent)
