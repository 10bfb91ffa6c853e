"""What DingTalk's callbacks become."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.channel import Services
from adapters.dingtalk import DingTalk, DingTalkSettings
from adapters.errors import Malformed, Unverified
from adapters.http import PlatformHttp
from adapters.tokens import MemoryTokenStore
from adapters.values import ControlEvent, Event, Media, Message
from tests.adapters import dingtalk_kit as kit


def robot(**settings: Any) -> DingTalk:
    services = Services(http=PlatformHttp(), tokens=MemoryTokenStore(), now=lambda: kit.NOW)
    return DingTalk("shop", DingTalkSettings(**{**kit.SETTINGS, **settings}), services)


def event(body: dict[str, Any], **settings: Any) -> Event:
    request = kit.signed(body)
    channel = robot(**settings)
    channel.verify(request)
    (found,) = channel.parse(request)
    return found


def message(body: dict[str, Any]) -> Message:
    found = event(body)
    assert isinstance(found, Message)
    return found


def control(body: dict[str, Any]) -> ControlEvent:
    found = event(body)
    assert isinstance(found, ControlEvent)
    return found


# ---- verification ----


@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(hours=-1), timedelta()])
def test_a_timestamp_within_the_window_is_accepted(age: timedelta) -> None:
    robot().verify(kit.signed(kit.body(), at=kit.NOW - age))


def test_the_window_can_be_tighter() -> None:
    tight = robot(signature_window=300)
    tight.verify(kit.signed(kit.body(), at=kit.NOW - timedelta(seconds=300)))
    for age in (timedelta(seconds=301), timedelta(seconds=-301)):
        with pytest.raises(Unverified):
            tight.verify(kit.signed(kit.body(), at=kit.NOW - age))


def test_a_token_header_proves_nothing_unless_it_is_configured() -> None:
    request = kit.request(kit.body(), {"token": "group-token"})
    with pytest.raises(Unverified):
        robot().verify(request)
    robot(outgoing_token="group-token").verify(request)
    robot(outgoing_token="new", outgoing_token_previous="group-token").verify(request)


def test_a_configured_token_does_not_replace_a_signature() -> None:
    headers = {"token": "group-token", "sign": "x", "timestamp": str(kit.milliseconds(kit.NOW))}
    with pytest.raises(Unverified):
        robot(outgoing_token="group-token").verify(kit.request(kit.body(), headers))


def test_an_accepted_callback_shows_the_customer_nothing() -> None:
    answer = robot().answer(kit.signed(kit.body()), ())
    assert (answer.status, answer.body) == (200, b'{"msgtype":"empty"}')
    assert answer.content_type.startswith("application/json")


# ---- not ours, or nothing to answer ----


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"robotCode": "dingother"}, "other_robot"),
        ({"robotCode": kit.ROBOT.upper()}, "other_robot"),
        ({"chatbotCorpId": "dingother"}, "other_corp"),
        ({"chatbotCorpId": None}, "other_corp"),
        ({"senderId": kit.BOT}, "own_message"),
        ({"text": {"content": " \n\t "}}, "blank_message"),
        ({"text": None}, "blank_message"),
        ({"msgtype": "richText", "content": {"richText": [{"text": "\n"}]}, "text": None}, "blank_message"),
        ({"errorCode": 20001, "errorMessage": "x", "text": None}, "account_blocked"),
        ({"errCode": "20001", "text": None, "msgId": None}, "account_blocked"),
        ({"errorCode": 20001, "text": None, "chatbotCorpId": None, "robotCode": None}, "account_blocked"),
        ({"errorCode": 20001, "text": None, "chatbotCorpId": "dingother"}, "other_corp"),
        ({"errorCode": 20002, "text": None}, "platform_error"),
    ],
)
def test_what_is_no_message_is_a_control_event(fields: dict[str, Any], what: str) -> None:
    found = control(kit.body(**fields))
    assert (found.channel, found.what) == ("shop", what)


def test_a_robot_code_of_its_own_replaces_the_client_id() -> None:
    body = kit.body(robotCode="dingspecial")
    found = event(body, robot_code="dingspecial")
    assert isinstance(found, Message)
    assert found.conversation.account == "dingspecial"


@pytest.mark.parametrize(
    "fields",
    [
        {"msgId": None},
        {"msgId": ""},
        {"msgId": "m" * 600},
        {"conversationId": None},
        {"conversationId": "c" * 600},
        {"conversationId": {"a": 1}},
        {"senderId": None, "senderStaffId": None},
        {"senderStaffId": "s" * 600},
    ],
)
def test_a_message_without_usable_ids_is_malformed(fields: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        robot().parse(kit.signed(kit.body(**fields)))


# ---- words ----


def content(kind: str, value: Any, **fields: Any) -> dict[str, Any]:
    return kit.body(msgtype=kind, content=value, text=None, **fields)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (kit.group(" 你好"), "你好"),
        (kit.group("你好 "), "你好"),
        (kit.group("\u2005你好\u2005"), "你好"),
        (kit.body("/New"), "/New"),
        (content("text", "你好"), "你好"),
        (content("text", {"content": "你好"}), "你好"),
        (content("audio", {"recognition": "你好", "downloadCode": "a"}), "你好"),
        (content("audio", '{"recognition": "你好"}'), "你好"),
        (content("richText", {"richText": [{"text": "a"}, {"text": "\n"}, {"text": "b"}]}), "a\nb"),
        (content("chatRecord", {"summary": "甲:在吗", "title": "记录"}), "甲:在吗"),
        (content("chatRecord", {"title": "记录"}), "记录"),
        (content("markdown", {"text": "**a**"}), "**a**"),
        (kit.body(msgtype="markdown", markdown={"text": "**a**"}, text=None), "**a**"),
        (content("unknownMsgType", {"unknownMsgType": "用户发送了一条消息"}), ""),
        (content("interactiveCard", {"biz_custom_action_url": "dingtalk://x"}), ""),
        (content("futureType", {"text": "x"}), ""),
        (content("picture", "not json"), ""),
    ],
)
def test_the_customers_words_are_found(body: dict[str, Any], words: str) -> None:
    assert message(body).text == words


def rich(*texts: str, users: int = 1) -> dict[str, Any]:
    at_users = [{"dingtalkId": kit.BOT}, {"dingtalkId": "$:LWCP_v1:$other"}][:users]
    items = [{"text": each} for each in texts]
    return kit.group(msgtype="richText", content={"richText": items}, text=None, atUsers=at_users)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (rich("@客服机器人", "查物流"), "查物流"),
        (rich("@客服机器人 查物流"), "查物流"),
        (rich(" ", "@客服机器人 ", "查物流 @张三 的"), "查物流 @张三 的"),
        (rich("@客服机器人查物流"), "@客服机器人查物流"),
        (rich("@张三", "查物流", users=2), "@张三查物流"),
        (rich("@张三", "查物流", users=0), "@张三查物流"),
        (rich("查物流", "@客服机器人"), "查物流@客服机器人"),
        (rich("mail a@b.c please"), "mail a@b.c please"),
    ],
)
def test_only_the_robots_own_label_is_taken_away(body: dict[str, Any], words: str) -> None:
    assert message(body).text == words


# ---- attachments ----


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (content("picture", {"downloadCode": "p", "pictureDownloadCode": "t"}), Media(kind="image", id="p")),
        (content("picture", {"pictureDownloadCode": "t"}), Media(kind="image", id="t")),
        (content("picture", '{"downloadCode": "p"}'), Media(kind="image", id="p")),
        (content("audio", {"downloadCode": "a", "duration": 4200}), Media(kind="audio", id="a", seconds=4.2)),
        (content("audio", {"downloadCode": "a", "duration": "x"}), Media(kind="audio", id="a")),
        (
            content("video", {"downloadCode": "v", "duration": "5", "videoType": "mp4"}),
            Media(kind="video", id="v", mime="video/mp4"),
        ),
        (
            content("file", {"downloadCode": "f", "fileName": "../../etc/passwd"}),
            Media(kind="file", id="f", filename="../../etc/passwd"),
        ),
    ],
)
def test_an_attachment_is_named_by_its_download_code(body: dict[str, Any], media: Media) -> None:
    assert message(body).media == (media,)


def test_pictures_in_a_text_keep_their_order() -> None:
    items = [{"type": "picture", "downloadCode": "1"}, {"text": "a"}, {"type": "picture", "downloadCode": "2"}]
    found = message(content("richText", {"richText": items}))
    assert [each.id for each in found.media] == ["1", "2"]
    assert found.text == "a"


def test_a_picture_without_a_code_is_a_message_without_media() -> None:
    found = message(content("picture", {}))
    assert (found.kind, found.media, found.text) == ("picture", (), "")


@pytest.mark.parametrize(
    ("replied", "words"),
    [
        ({"text": " 已发货 "}, "已发货"),
        ({"richText": [{"text": "a"}, {"downloadCode": "x"}, {"text": "b"}]}, "ab"),
        ({"summary": "甲:在吗"}, "甲:在吗"),
        ({"fileName": "报价单.pdf"}, "报价单.pdf"),
        ({"downloadCode": "x"}, ""),
        (None, ""),
        ("x", ""),
    ],
)
def test_the_quoted_words_are_kept_apart(replied: Any, words: str) -> None:
    body = kit.body(text={"content": "退吗", "isReplyMsg": True, "repliedMsg": {"content": replied}})
    found = message(body)
    assert (found.text, found.quoted) == ("退吗", words)


# ---- who, where, when ----


def test_a_person_without_staff_id_is_known_by_the_encrypted_one() -> None:
    guests = [
        message(kit.group(senderStaffId=given, senderId=f"$:LWCP_v1:$g{n}")) for n, given in enumerate(("", None))
    ]
    assert [guest.sender for guest in guests] == ["$:LWCP_v1:$g0", "$:LWCP_v1:$g1"]
    assert guests[0].conversation != guests[1].conversation
    assert guests[0].route["staff"] == ""


def test_each_person_in_a_group_has_a_conversation() -> None:
    peers = [message(kit.group(senderStaffId=staff)).conversation.peer for staff in ("Staff01", "staff01")]
    assert peers == ["cidKit0001+/==:Staff01", "cidKit0001+/==:staff01"]


def test_a_one_to_one_conversation_is_the_platforms_own() -> None:
    assert message(kit.body()).conversation.peer == "cidKit0001+/=="


@pytest.mark.parametrize("given", [kit.milliseconds(kit.NOW), str(kit.milliseconds(kit.NOW))])
def test_a_time_is_read_as_a_number_or_a_string(given: Any) -> None:
    assert message(kit.body(createAt=given)).sent_at == kit.NOW


@pytest.mark.parametrize("given", [None, "", "yesterday", -5, 10**30, 1.5, {}, True])
def test_an_odd_time_is_the_time_of_arrival(given: Any) -> None:
    request = replace(kit.signed(kit.body(createAt=given)), received_at=kit.NOW + timedelta(seconds=3))
    (found,) = robot().parse(request)
    assert isinstance(found, Message)
    assert found.sent_at == kit.NOW + timedelta(seconds=3)


def ends(minutes: float) -> dict[str, Any]:
    return kit.session("https://oapi.dingtalk.com", ends=kit.NOW + timedelta(minutes=minutes))


def test_a_reply_knows_its_way() -> None:
    route = message(kit.group(**ends(90))).route
    assert route["type"] == "2"
    assert route["conversation"] == "cidKit0001+/=="
    assert route["staff"] == "staff01"
    assert route["webhook"].startswith("https://oapi.dingtalk.com/robot/sendBySession?session=")
    assert route["webhook_expires"] == (kit.NOW + timedelta(minutes=90)).isoformat()


@pytest.mark.parametrize(("minutes", "kept"), [(90, True), (5.1, True), (5, False), (0, False), (-60, False)])
def test_a_webhook_that_ends_soon_is_not_kept(minutes: float, kept: bool) -> None:
    assert ("webhook" in message(kit.body(**ends(minutes))).route) is kept


def test_a_webhook_without_an_end_has_the_documented_one() -> None:
    fields = {**ends(90), "sessionWebhookExpiredTime": None}
    assert message(kit.body(**fields)).route["webhook_expires"] == (kit.NOW + timedelta(minutes=90)).isoformat()


# ---- settings ----


def wrong_settings() -> Iterator[Any]:
    yield pytest.param({"card_template_id": "x.schema"}, "belong together", id="template-without-key")
    yield pytest.param({"card_key": "content"}, "belong together", id="key-without-template")
    yield pytest.param({"choice_template_id": "x.schema"}, "card_route_key", id="choices-without-callback")
    yield pytest.param({"token": "abc"}, "belong together", id="token-without-key")
    yield pytest.param({"token": "abc", "aes_key": "short"}, "43", id="short-key")
    yield pytest.param({"card_monthly_budget": -1}, "card_monthly_budget", id="negative-budget")
    yield pytest.param({"mode": "ftp"}, "http", id="mode")
    yield pytest.param({"client_secret": ""}, "client_secret", id="empty-secret")
    yield pytest.param({"client_id": ""}, "client_id", id="empty-id")
    yield pytest.param({"corp_id": ""}, "corp_id", id="empty-corp")
    yield pytest.param({"signature_window": 3601}, "signature_window", id="window-too-wide")
    yield pytest.param({"signature_window": 0}, "signature_window", id="no-window")
    for base in ("ftp://x", "x", "https://a@b", "https://a?b", "https://a#b", "https://", "https://a b"):
        yield pytest.param({"api_base": base}, "api_base", id=base)
        yield pytest.param({"oapi_base": base}, "oapi_base", id=f"oapi {base}")


@pytest.mark.parametrize(("settings", "said"), list(wrong_settings()))
def test_a_wrong_setting_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DingTalkSettings(**{**kit.SETTINGS, **settings})


@pytest.mark.parametrize("given", [600, "600", "PT10M"])
def test_the_window_is_given_in_seconds(given: Any) -> None:
    assert DingTalkSettings(**kit.SETTINGS, signature_window=given).signature_window == timedelta(minutes=10)


def test_a_base_loses_its_last_slash() -> None:
    assert DingTalkSettings(**kit.SETTINGS, api_base="http://127.0.0.1:9/x/").api_base == "http://127.0.0.1:9/x"
