"""The fake WeCom beyond text: cards, media, passive replies, the group robot; wechatpy as the other side."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from wechatpy.enterprise.crypto import WeChatCrypto

from bot.sandbox.simulator.media import PNG
from bot.sandbox.wecom import WeComPlatform
from tests.fakes import Answer, Call, RecordingServer
from tests.sandbox.bots import recording_bot

USER = "ZhangWei"


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[WeComPlatform]:
    with WeComPlatform(webhook_url=bot.url, strangers=False) as fake:
        yield fake


def crypto(platform: WeComPlatform) -> Any:
    return WeChatCrypto(platform.token, platform.encoding_aes_key, platform.corp_id)


def opened(platform: WeComPlatform, call: Call) -> str:
    """What the member sent, as wechatpy reads it."""
    given = call.query
    told = crypto(platform).decrypt_message(call.body, given["msg_signature"], given["timestamp"], given["nonce"])
    return str(told.decode() if isinstance(told, bytes) else told)


def token(platform: WeComPlatform) -> str:
    given = {"corpid": platform.corp_id, "corpsecret": platform.secret}
    return str(requests.get(f"{platform.url}/cgi-bin/gettoken", params=given, timeout=10).json()["access_token"])


def send(platform: WeComPlatform, kind: str, content: Any) -> Any:
    body = {"touser": USER, "msgtype": kind, "agentid": platform.agent_id, kind: content}
    data = json.dumps(body, ensure_ascii=False).encode()
    params = {"access_token": token(platform)}
    return requests.post(f"{platform.url}/cgi-bin/message/send", params=params, data=data, timeout=10).json()


def upload(platform: WeComPlatform, name: str, content: bytes = PNG, kind: str = "image") -> Any:
    url = f"{platform.url}/cgi-bin/media/upload"
    given = {"access_token": token(platform), "type": kind}
    return requests.post(url, params=given, files={"media": (name, content)}, timeout=10).json()


CARD = {
    "card_type": "button_interaction",
    "main_title": {"title": "取消订单吗？"},
    "button_list": [{"text": "是", "key": "yes"}, {"text": "否", "key": "no"}],
    "task_id": "task-1",
}
VOTE = {
    "card_type": "vote_interaction",
    "main_title": {"title": "哪一个？"},
    "checkbox": {"question_key": "q", "option_list": [{"id": "a", "text": "甲"}, {"id": "b", "text": "乙"}]},
    "submit_button": {"text": "提交", "key": "submit"},
    "task_id": "task-2",
}


# ---- what members send


@pytest.mark.parametrize("kind", sorted(WeComPlatform.kinds))
def test_every_kind_can_be_read_by_wechatpy(platform: WeComPlatform, bot: RecordingServer, kind: str) -> None:
    assert platform.write(kind).status == 200
    assert f"<FromUserName><![CDATA[{USER}]]>" in opened(platform, bot.calls[-1])


def test_a_retry_has_a_new_envelope_unless_it_is_told_to_keep_it(
    platform: WeComPlatform, bot: RecordingServer
) -> None:
    first = platform.say("你好")
    platform.redeliver(first.message_id)
    assert bot.calls[0].body != bot.calls[1].body
    platform.same_envelope = True
    second = platform.say("在吗")
    platform.redeliver(second.message_id)
    assert bot.calls[2].body == bot.calls[3].body


# ---- cards


def test_a_card_is_tapped_and_the_bot_hears_its_key(platform: WeComPlatform, bot: RecordingServer) -> None:
    platform.say("取消订单")
    answer = send(platform, "template_card", CARD)
    assert answer["response_code"]
    [shown] = platform.replies()
    assert [choice.title for choice in shown.choices] == ["是", "否"]
    platform.tap("task-1", "yes")
    told = opened(platform, bot.calls[-1])
    assert "<EventKey><![CDATA[yes]]>" in told
    assert "<TaskId><![CDATA[task-1]]>" in told


def test_a_vote_names_the_option_and_its_question(platform: WeComPlatform, bot: RecordingServer) -> None:
    platform.say("你好")
    send(platform, "template_card", VOTE)
    platform.tap("task-2", "b")
    told = opened(platform, bot.calls[-1])
    assert "<EventKey><![CDATA[submit]]>" in told
    assert "<OptionId><![CDATA[b]]>" in told


@pytest.mark.parametrize(
    "wrong",
    [
        {**CARD, "task_id": ""},
        {**CARD, "button_list": []},
        {**CARD, "button_list": [{"text": "x", "key": str(n)} for n in range(7)]},
        {**CARD, "main_title": {}},
        {**VOTE, "checkbox": {}},
        {"card_type": "poll"},
    ],
)
def test_a_card_over_a_limit_is_a_red_line(platform: WeComPlatform, wrong: Any) -> None:
    platform.say("你好")
    assert send(platform, "template_card", wrong)["errcode"] == 40035
    assert [breach.rule for breach in platform.breaches] == ["card_wrong"]


def test_a_card_is_changed_once_by_its_response_code(platform: WeComPlatform) -> None:
    platform.say("你好")
    code = send(platform, "template_card", CARD)["response_code"]
    body = {
        "userids": [USER],
        "agentid": platform.agent_id,
        "response_code": code,
        "button": {"replace_name": "已选"},
    }
    url, params = f"{platform.url}/cgi-bin/message/update_template_card", {"access_token": token(platform)}
    assert requests.post(url, params=params, json=body, timeout=10).json()["errcode"] == 0
    assert requests.post(url, params=params, json=body, timeout=10).json()["errcode"] == 42014


# ---- media


def test_a_picture_goes_up_and_out_and_comes_in(platform: WeComPlatform, bot: RecordingServer) -> None:
    platform.write("image")
    id_ = opened(platform, bot.calls[0]).split("<MediaId><![CDATA[")[1].split("]]>")[0]
    url = f"{platform.url}/cgi-bin/media/get"
    got = requests.get(url, params={"access_token": token(platform), "media_id": id_}, timeout=10)
    assert got.content == PNG
    up = upload(platform, "plan.png")["media_id"]
    assert send(platform, "image", {"media_id": up})["errcode"] == 0
    assert platform.replies()[-1].media == up


def test_a_missing_file_is_json_with_200(platform: WeComPlatform) -> None:
    url = f"{platform.url}/cgi-bin/media/get"
    got = requests.get(url, params={"access_token": token(platform), "media_id": "gone"}, timeout=10)
    assert (got.status_code, got.json()["errcode"]) == (200, 40007)


def test_a_large_file_wants_ranges(platform: WeComPlatform) -> None:
    id_ = platform.media.keep(b"x" * (20 * 1024 * 1024 + 1), "video/mp4", "long.mp4")
    url, params = f"{platform.url}/cgi-bin/media/get", {"access_token": token(platform), "media_id": id_}
    assert requests.get(url, params=params, timeout=10).json()["errcode"] == 830002
    part = requests.get(url, params=params, headers={"Range": "bytes=0-9"}, timeout=10)
    assert (part.status_code, part.content) == (206, b"x" * 10)


def test_media_live_three_days(platform: WeComPlatform) -> None:
    platform.say("你好")
    id_ = upload(platform, "plan.png")["media_id"]
    platform.clock.advance(timedelta(days=3, seconds=1))
    assert send(platform, "image", {"media_id": id_})["errcode"] == 40007


@pytest.mark.parametrize(
    ("name", "content", "kind", "code"),
    [
        ("平面图.png", PNG, "image", 40035),
        ("plan.gif", PNG, "image", 40005),
        ("plan.png", b"tiny", "image", 44001),
        ("plan.png", PNG, "poem", 40004),
        ("voice.amr", b"x" * (2 * 1024 * 1024 + 1), "voice", 45001),
    ],
)
def test_a_wrong_upload_is_a_red_line(
    platform: WeComPlatform, name: str, content: bytes, kind: str, code: int
) -> None:
    body = requests.Request(
        "POST",
        f"{platform.url}/cgi-bin/media/upload",
        params={"access_token": token(platform), "type": kind},
        files={"media": ("plain.png", content)},
    ).prepare()
    assert isinstance(body.body, bytes)
    body.body = body.body.replace(b"plain.png", name.encode())
    body.headers["Content-Length"] = str(len(body.body))
    with requests.Session() as session:
        assert session.send(body, timeout=10).json()["errcode"] == code
    assert len(platform.breaches) == 1


# ---- what is silent on the real one


def test_a_text_over_2048_bytes_is_cut_and_told(platform: WeComPlatform) -> None:
    platform.say("你好")
    send(platform, "text", {"content": "长" * 700})
    assert len(platform.replies()[0].text.encode()) == 2046
    assert [breach.rule for breach in platform.breaches] == ["text_cut"]


def test_the_workbench_shows_twenty_bytes(platform: WeComPlatform) -> None:
    platform.workbench = True
    platform.say("你好")
    send(platform, "text", {"content": "我们明天发货，请放心"})
    assert platform.replies()[0].text == "我们明天发货"


def test_every_process_with_a_token_of_its_own_is_noticed(platform: WeComPlatform) -> None:
    platform.access.fetched = 1999
    token(platform)
    given = {"corpid": platform.corp_id, "corpsecret": platform.secret}
    refused = requests.get(f"{platform.url}/cgi-bin/gettoken", params=given, timeout=10).json()
    assert refused["errcode"] == 45009
    assert platform.breaches[-1].rule == "token_fetched_too_often"


# ---- passive replies


def passive(platform_of: list[WeComPlatform], content: str, user: str = USER) -> Any:
    """A bot that answers within the callback, sealed by wechatpy."""

    def answer(_: Call) -> Answer:
        platform = platform_of[0]
        xml = (
            f"<xml><ToUserName><![CDATA[{user}]]></ToUserName><FromUserName><![CDATA[{platform.corp_id}]]>"
            f"</FromUserName><CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            f"<Content><![CDATA[{content}]]></Content></xml>"
        )
        sealed = crypto(platform).encrypt_message(xml, "nonce1", "1795100300")
        return Answer(body=sealed.encode() if isinstance(sealed, str) else sealed)

    return answer


@pytest.mark.parametrize(
    ("content", "user", "kind", "rules", "shown"),
    [
        ("欢迎", USER, "enter_agent", [], ["欢迎"]),
        ("欢迎", "Somebody", "enter_agent", ["passive_reply_wrong"], []),
        ("长" * 700, USER, "enter_agent", ["passive_reply_wrong"], []),
        ("再见", USER, "unsubscribe", ["passive_reply_wrong"], []),
    ],
)
def test_a_passive_reply_is_opened_and_judged(
    content: str, user: str, kind: str, rules: list[str], shown: list[str]
) -> None:
    kept: list[WeComPlatform] = []
    with recording_bot(passive(kept, content, user)) as bot, WeComPlatform(webhook_url=bot.url) as platform:
        kept.append(platform)
        platform.write(kind)
        assert [breach.rule for breach in platform.breaches] == rules
        assert [each.text for each in platform.replies()] == shown


def test_a_plain_answer_where_encryption_is_wanted_is_a_red_line() -> None:
    with (
        recording_bot(lambda _: Answer(body=b"<xml><Content>hi</Content></xml>")) as bot,
        WeComPlatform(webhook_url=bot.url) as platform,
    ):
        platform.say("你好")
        assert [breach.rule for breach in platform.breaches] == ["passive_reply_wrong"]


# ---- the group robot


def test_a_group_robot_has_a_key_and_twenty_messages_a_minute(platform: WeComPlatform) -> None:
    url = f"{platform.url}/cgi-bin/webhook/send"
    body = {"msgtype": "text", "text": {"content": "上线了"}}

    def code(key: str) -> int:
        return int(requests.post(url, params={"key": key}, json=body, timeout=10).json()["errcode"])

    assert code("wrong") == 93000
    assert [code("sandbox-robot-key") for _ in range(21)] == [0] * 20 + [45009]
