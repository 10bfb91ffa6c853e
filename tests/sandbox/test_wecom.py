"""The fake WeCom verifies a bot as the real one does; wechatpy is the independent other side of its crypto."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
import requests
from wechatpy.enterprise.crypto import WeChatCrypto

from bot.sandbox.wecom import WeComPlatform
from tests.fakes import Answer, Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

USER = "ZhangWei"


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[WeComPlatform]:
    with WeComPlatform(webhook_url=f"{bot.url}/webhooks/staff", strangers=False) as fake:
        yield fake


def crypto(platform: WeComPlatform) -> WeChatCrypto:
    return WeChatCrypto(platform.token, platform.encoding_aes_key, platform.corp_id)


def opened(platform: WeComPlatform, call: Call) -> Xml.Element:
    """The inner XML, as wechatpy decrypts it after checking the signature."""
    query = call.query
    plain = crypto(platform).decrypt_message(
        call.body.decode(), query["msg_signature"], query["timestamp"], query["nonce"]
    )
    return Xml.fromstring(plain)  # noqa: S314 - our own fake wrote it


def get_token(platform: WeComPlatform, **changes: str) -> Any:
    query = {"corpid": platform.corp_id, "corpsecret": platform.secret, **changes}
    return requests.get(f"{platform.url}/cgi-bin/gettoken", params=query, timeout=10).json()


def send(
    platform: WeComPlatform, words: str = "您好", /, *, token: str | None = None, **changes: Any
) -> dict[str, Any]:
    if token is None:
        token = get_token(platform)["access_token"]
    body = {
        "touser": USER,
        "msgtype": "text",
        "agentid": platform.agent_id,
        "text": {"content": words},
        **changes,
    }
    answer = requests.post(
        f"{platform.url}/cgi-bin/message/send",
        params={"access_token": token},
        data=json.dumps(body, ensure_ascii=False).encode(),
        timeout=10,
    )
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_wechatpy_decrypts_what_the_platform_sealed(platform: WeComPlatform, bot: RecordingServer) -> None:
    text = "发货了吗？ ]]> <b>&amp; 🙂\n第二行"
    delivery = platform.say(text, user="LiNa")

    inner = opened(platform, bot.calls[0])
    assert inner.findtext("Content") == text
    assert inner.findtext("FromUserName") == "LiNa"
    assert inner.findtext("ToUserName") == platform.corp_id
    assert inner.findtext("AgentID") == str(platform.agent_id)
    assert inner.findtext("MsgId") == delivery.message_id


def test_every_length_of_padding_is_read_by_wechatpy(platform: WeComPlatform, bot: RecordingServer) -> None:
    for length in range(32):
        platform.say("x" * length)

    assert [opened(platform, call).findtext("Content") for call in bot.calls] == ["x" * n for n in range(32)]


def test_a_redelivery_has_a_new_envelope_around_the_same_message(
    platform: WeComPlatform, bot: RecordingServer
) -> None:
    platform.redeliver(platform.say("在吗").message_id)

    first, second = bot.calls
    assert first.body != second.body
    assert Xml.tostring(opened(platform, first)) == Xml.tostring(opened(platform, second))


def test_the_url_check_wants_the_decrypted_echo_exactly() -> None:
    reference = WeComPlatform()

    def decrypt(call: Call) -> bytes:
        query = call.query
        told = crypto(reference).check_signature(
            query["msg_signature"], query["timestamp"], query["nonce"], query["echostr"]
        )
        return told if isinstance(told, bytes) else str(told).encode()

    for suffix, error in ((b"\n", "echostr"), (b"", "")):
        answering = recording_bot(lambda call, suffix=suffix: Answer(body=decrypt(call) + suffix))  # type: ignore[misc]
        with answering as bot, WeComPlatform(webhook_url=bot.url) as platform:
            assert platform.verify().error == error


def test_a_reply_is_shown_to_the_member(platform: WeComPlatform) -> None:
    platform.say("你好")
    answer = send(platform, "您好", touser="zhangwei")

    assert (answer["errcode"], "invaliduser" in answer) == (0, False)
    assert [(reply.to, reply.text) for reply in platform.replies()] == [(USER, "您好")]


def test_text_over_2048_bytes_is_cut_and_remarked(platform: WeComPlatform) -> None:
    platform.say("你好")
    assert send(platform, "好" * 700)["errcode"] == 0

    [reply] = platform.replies()
    assert reply.text == "好" * 682
    assert platform.calls[-1].remarks[0].startswith("truncated: 2100 bytes")


def test_text_of_2048_bytes_is_whole(platform: WeComPlatform) -> None:
    platform.say("你好")
    send(platform, "x" * 2048)

    assert (len(platform.replies()[0].text), platform.calls[-1].remarks) == (2048, ())


@pytest.mark.parametrize(
    ("content", "remarked"), [("您好", True), ("Hello", False), (r"C:\users", False), (r"\\u60a8", False)]
)
def test_escaped_characters_are_remarked(platform: WeComPlatform, content: str, remarked: bool) -> None:
    platform.say("你好")
    token = get_token(platform)["access_token"]
    body = {"touser": USER, "msgtype": "text", "agentid": platform.agent_id, "text": {"content": content}}
    url = f"{platform.url}/cgi-bin/message/send"
    requests.post(url, params={"access_token": token}, json=body, timeout=10)

    assert [reply.text for reply in platform.replies()] == [content]
    assert bool(platform.calls[-1].remarks) is remarked


def test_the_identical_request_is_accepted_but_not_shown_again(platform: WeComPlatform) -> None:
    platform.say("你好")
    checked: dict[str, Any] = {"enable_duplicate_check": 1, "duplicate_check_interval": 600}
    first, second = send(platform, **checked), send(platform, **checked)

    assert first["errcode"] == second["errcode"] == 0
    assert len(platform.replies()) == 1
    assert platform.calls[-1].remarks[0].startswith("duplicate")

    platform.clock.advance(timedelta(seconds=601))
    send(platform, **checked)
    assert len(platform.replies()) == 2


def test_without_the_duplicate_check_the_same_text_is_shown_twice(platform: WeComPlatform) -> None:
    platform.say("你好")
    send(platform)
    send(platform)

    assert len(platform.replies()) == 2


def test_another_text_is_no_duplicate(platform: WeComPlatform) -> None:
    platform.say("你好")
    send(platform, "一", enable_duplicate_check=1)
    send(platform, "二", enable_duplicate_check=1)

    assert [reply.text for reply in platform.replies()] == ["一", "二"]


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"text": {"content": " "}}, 44004),
        ({"text": {}}, 44004),
        ({"agentid": 1}, 301002),
        ({"agentid": "1000002"}, 301002),
        ({"touser": ""}, 82001),
        ({"touser": "Nobody"}, 81013),
        ({"touser": "|".join(f"u{n}" for n in range(1001))}, 40032),
        ({"msgtype": "markdown_v2"}, 40008),
    ],
)
def test_a_wrong_message_is_refused_inside_http_200(
    platform: WeComPlatform, changes: dict[str, Any], errcode: int
) -> None:
    platform.say("你好")

    assert send(platform, **changes)["errcode"] == errcode
    assert platform.replies() == []


def test_unknown_members_are_named_in_lower_case_beside_errcode_0(platform: WeComPlatform) -> None:
    platform.say("你好")
    answer = send(platform, touser=f"{USER}|Nobody")

    assert (answer["errcode"], answer["invaliduser"]) == (0, "nobody")
    assert len(platform.replies()) == 1


def test_a_token_is_the_same_within_its_validity_and_expires(platform: WeComPlatform) -> None:
    platform.say("你好")
    platform.token_life = timedelta(seconds=60)
    first, second = get_token(platform), get_token(platform)
    assert first["access_token"] == second["access_token"]

    platform.clock.advance(timedelta(seconds=61))
    assert send(platform, token=first["access_token"])["errcode"] == 42001
    assert get_token(platform)["access_token"] != first["access_token"]
    assert send(platform, token=first["access_token"])["errcode"] == 42001


def test_a_token_that_was_invalidated_early_is_40014(platform: WeComPlatform) -> None:
    platform.say("你好")
    token = get_token(platform)["access_token"]
    platform.forget_tokens()

    assert send(platform, token=token)["errcode"] == 40014
    assert send(platform)["errcode"] == 0


def test_wrong_credentials_and_a_missing_token_have_their_codes(platform: WeComPlatform) -> None:
    assert get_token(platform, corpsecret="wrong")["errcode"] == 40001
    assert get_token(platform, corpid="wrong")["errcode"] == 40013
    assert send(platform, token="")["errcode"] == 41001


def test_an_untrusted_address_is_told_in_the_message(platform: WeComPlatform) -> None:
    platform.trusted_ip = False
    answer = send(platform)

    assert answer["errcode"] == 60020
    assert "from ip: 127.0.0.1" in answer["errmsg"]


def test_messages_over_the_rate_vanish_without_a_word(platform: WeComPlatform) -> None:
    platform.limits = True
    platform.say("你好")
    token = get_token(platform)["access_token"]
    codes = {send(platform, str(n), token=token)["errcode"] for n in range(40)}

    assert codes == {0}
    assert 30 <= len(platform.replies()) < 40
    assert platform.calls[-1].remarks[0].startswith("dropped")


def test_a_callback_is_delivered_three_times_at_most(platform: WeComPlatform, bot: RecordingServer) -> None:
    platform.redelivers = True
    bot.faults.extend([Answer(status=500)] * 3)
    platform.say("你好")
    wait_until(lambda: len(bot.calls) == 3)
    platform.stop()

    assert len(bot.calls) == 3
    assert len({opened(platform, call).findtext("MsgId") for call in bot.calls}) == 1


def test_the_bot_has_five_seconds(platform: WeComPlatform) -> None:
    assert platform.patience == timedelta(seconds=5)
