"""The fake Feishu verifies a bot as the real one does; our own channel is the other side of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from adapters.channel import Services
from adapters.feishu import Feishu, FeishuSettings
from adapters.http import PlatformHttp
from adapters.tokens import MemoryTokenStore
from adapters.values import Action, Delivered, Message, Outcome, Part, Refused, Reply, Request, reply_key
from bot.sandbox.feishu import FeishuPlatform
from tests.fakes import Answer, Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

USER = "ou_zhangwei"
GROUP = "oc_aftersales"
TOKEN = "/open-apis/auth/v3/tenant_access_token/internal"


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture(params=["encrypted", "plain"])
def platform(bot: RecordingServer, request: pytest.FixtureRequest) -> Iterator[FeishuPlatform]:
    key = "sandbox-encrypt-key" if request.param == "encrypted" else ""
    with FeishuPlatform(webhook_url=f"{bot.url}/webhooks/feishu", strangers=False, encrypt_key=key) as fake:
        yield fake


@pytest.fixture
def channel(platform: FeishuPlatform) -> Iterator[Feishu]:
    http = PlatformHttp()
    yield channel_at(platform, http)
    http.close()


def channel_at(platform: FeishuPlatform, http: PlatformHttp) -> Feishu:
    settings = FeishuSettings(
        platform="feishu",
        app_id=platform.app_id,
        app_secret=platform.app_secret,
        verification_token=platform.verification_token,
        encrypt_key=platform.encrypt_key or None,
        bot_open_id=platform.bot_open_id,
        api_base=platform.url or "http://127.0.0.1:9",
    )
    return Feishu("feishu", settings, Services(http=http, tokens=MemoryTokenStore(), now=lambda: datetime.now(UTC)))


def request_of(call: Call) -> Request:
    return Request(
        method=call.method,
        path=call.path,
        query=call.query,
        headers=call.headers,
        body=call.body,
        received_at=datetime.now(UTC),
    )


def received(channel: Feishu, call: Call) -> list[Message]:
    channel.verify(request_of(call))
    return [event for event in channel.parse(request_of(call)) if isinstance(event, Message)]


def reply_to(channel: Feishu, call: Call, markdown: str = "**六点** 前") -> Reply:
    (message,) = received(channel, call)
    parts = tuple(Part(text=text) for text in channel.compose(markdown))
    return Reply(key=reply_key(message), conversation=message.conversation, parts=parts, route=message.route)


def answered(channel: Feishu, call: Call, markdown: str = "**六点** 前") -> Outcome:
    return channel.send(reply_to(channel, call, markdown), 0)


def send(platform: FeishuPlatform, token: str | None = None, **changes: Any) -> dict[str, Any]:
    if token is None:
        wanted = {"app_id": platform.app_id, "app_secret": platform.app_secret}
        token = requests.post(f"{platform.url}{TOKEN}", json=wanted, timeout=10).json()["tenant_access_token"]
    content = json.dumps({"text": "hi"})
    body = {"receive_id": GROUP, "msg_type": "text", "content": content, "uuid": "u-1", **changes}
    found: dict[str, Any] = requests.post(
        f"{platform.url}/open-apis/im/v1/messages?receive_id_type=chat_id",
        json=body,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=10,
    ).json()
    return found


def test_a_message_is_read_and_its_reply_shown(
    platform: FeishuPlatform, bot: RecordingServer, channel: Feishu
) -> None:
    platform.say("快递到哪了？\n“引号” 📦", user=USER)
    (message,) = received(channel, bot.calls[0])
    assert (message.text, message.sender) == ("快递到哪了？\n“引号” 📦", USER)
    assert isinstance(answered(channel, bot.calls[0]), Delivered)
    assert [(reply.to, reply.text, reply.style) for reply in platform.replies()] == [
        (USER, "**六点** 前", "markdown")
    ]


def test_every_length_of_padding_is_read(platform: FeishuPlatform, bot: RecordingServer, channel: Feishu) -> None:
    for length in range(1, 18):
        platform.say("x" * length)
    assert [received(channel, call)[0].text for call in bot.calls] == ["x" * length for length in range(1, 18)]


def test_a_group_is_answered_where_the_bot_is_mentioned(
    platform: FeishuPlatform, bot: RecordingServer, channel: Feishu
) -> None:
    platform.say("今天营业吗", user=USER, group=GROUP)
    platform.say("与机器人无关", user=USER, group=GROUP, mention=False)
    assert [message.text for message in received(channel, bot.calls[0])] == ["今天营业吗"]
    assert received(channel, bot.calls[1]) == []
    answered(channel, bot.calls[0])
    assert [reply.to for reply in platform.replies()] == [GROUP]
    assert platform.calls[-1].path.endswith("/reply")


def test_a_withdrawn_message_is_answered_in_its_group(
    platform: FeishuPlatform, bot: RecordingServer, channel: Feishu
) -> None:
    platform.withdrawn.add(platform.say("算了", user=USER, group=GROUP).message_id)
    assert isinstance(answered(channel, bot.calls[0]), Delivered)
    assert [reply.to for reply in platform.replies()] == [GROUP]


def test_a_reply_that_is_sent_again_is_shown_once(
    platform: FeishuPlatform, bot: RecordingServer, channel: Feishu
) -> None:
    platform.say("在吗", user=USER)
    reply = reply_to(channel, bot.calls[0])
    first, second = channel.send(reply, 0), channel.send(reply, 0, again=True)
    assert first == second
    assert len(platform.replies()) == 1
    platform.clock.advance(timedelta(minutes=61))
    channel.send(reply, 0, again=True)
    assert len(platform.replies()) == 2


def test_a_token_that_became_invalid_is_replaced(
    platform: FeishuPlatform, bot: RecordingServer, channel: Feishu
) -> None:
    platform.say("在吗", user=USER)
    answered(channel, bot.calls[0])
    platform.forget_tokens()
    platform.say("在吗？", user=USER)
    assert isinstance(answered(channel, bot.calls[1]), Delivered)
    assert [call.endpoint for call in platform.calls] == ["token", "send", "send", "token", "send"]


def test_too_many_messages_are_refused_for_a_moment(
    platform: FeishuPlatform, bot: RecordingServer, channel: Feishu
) -> None:
    platform.limits = True
    for number in range(12):
        platform.say(str(number), user=USER)
    outcomes = [answered(channel, call) for call in bot.calls]
    refused = [each for each in outcomes if isinstance(each, Refused)]
    assert refused
    assert {(each.action, each.code) for each in refused} == {(Action.RETRY, "230020")}


def test_the_check_of_the_url_wants_its_challenge(platform: FeishuPlatform) -> None:
    assert platform.verify().error == "challenge"
    http = PlatformHttp()
    reference = channel_at(platform, http)

    def answer(call: Call) -> Answer:
        reference.verify(request_of(call))
        return Answer(body=reference.answer(request_of(call), ()).body)

    with recording_bot(answer) as bot:
        platform.webhook_url = bot.url
        heard = platform.verify()
    http.close()
    assert (heard.status, heard.error) == (200, "")


def test_a_redelivery_is_signed_anew_around_the_same_event(
    platform: FeishuPlatform, bot: RecordingServer, channel: Feishu
) -> None:
    platform.redeliver(platform.say("在吗").message_id)
    first, second = (received(channel, call)[0] for call in bot.calls)
    assert first == second


def test_an_event_comes_five_times_at_most(platform: FeishuPlatform, bot: RecordingServer) -> None:
    platform.redelivers, platform.speed = True, 1e6
    bot.faults.extend([Answer(status=500)] * 9)
    platform.say("在吗")
    wait_until(lambda: len(bot.calls) == 5)
    platform.stop()
    assert len(bot.calls) == 5


def test_a_working_configuration_is_found_to_work(platform: FeishuPlatform, channel: Feishu) -> None:
    assert all(finding.ok for finding in channel.check())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": ""}, 99991661),
        ({"token": "t-wrong"}, 99991663),
        ({"receive_id": "oc_other"}, 230002),
        ({"content": "no json"}, 230001),
        ({"content": json.dumps({"text": " "})}, 230001),
        ({"msg_type": "image"}, 230001),
        ({"uuid": "u" * 51}, 230001),
        ({"content": json.dumps({"text": "x" * 160_000})}, 230025),
        ({"msg_type": "post", "content": json.dumps({"zh_cn": {"content": [[{"text": "x" * 31_000}]]}})}, 230025),
    ],
)
def test_a_wrong_message_is_refused(platform: FeishuPlatform, changes: dict[str, Any], code: int) -> None:
    platform.say("在吗", group=GROUP)
    assert send(platform, **changes)["code"] == code
    assert platform.replies() == []


def test_a_text_that_mentions_everybody_is_remarked(platform: FeishuPlatform) -> None:
    platform.say("在吗", group=GROUP)
    assert send(platform, content=json.dumps({"text": '<at user_id="all"></at>'}))["code"] == 0
    assert platform.calls[-1].remarks[0].startswith("mention")
