"""The fake customer service: notices, pages behind a cursor, sessions, a budget."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from bot.sandbox.wecom import WeComKfPlatform
from tests.fakes import RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

USER = "wmZhangSan0001"


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[WeComKfPlatform]:
    with WeComKfPlatform(webhook_url=bot.url, strangers=False) as fake:
        yield fake


def call(platform: WeComKfPlatform, path: str, **body: Any) -> Any:
    given = {"corpid": platform.corp_id, "corpsecret": platform.secret}
    token = requests.get(f"{platform.url}/cgi-bin/gettoken", params=given, timeout=10).json()["access_token"]
    url, params = f"{platform.url}/cgi-bin/kf/{path}", {"access_token": token}
    return requests.post(url, params=params, json={"open_kfid": platform.open_kfid, **body}, timeout=10).json()


def send(platform: WeComKfPlatform, words: str = "好的", **more: Any) -> int:
    body = {"touser": USER, "msgtype": "text", "text": {"content": words}, **more}
    return int(call(platform, "send_msg", **body)["errcode"])


def test_a_message_is_only_announced_and_then_fetched(platform: WeComKfPlatform, bot: RecordingServer) -> None:
    said = platform.say("在吗")
    [notice] = bot.calls
    assert "在吗".encode() not in notice.body
    page = call(platform, "sync_msg")
    assert [(item["msgid"], item["text"]["content"], item["origin"]) for item in page["msg_list"]] == [
        (said.message_id, "在吗", 3)
    ]


def test_a_cursor_goes_on_where_the_last_page_ended(platform: WeComKfPlatform) -> None:
    platform.page_limit = 2
    for number in range(5):
        platform.say(str(number))
    cursor, seen = "", []
    while True:
        page = call(platform, "sync_msg", cursor=cursor)
        seen += [item["text"]["content"] for item in page["msg_list"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert seen == ["0", "1", "2", "3", "4"]
    assert call(platform, "sync_msg", cursor=cursor)["msg_list"] == []


def test_an_empty_page_can_promise_more(platform: WeComKfPlatform) -> None:
    platform.blank_pages = 1
    platform.say("在吗")
    first = call(platform, "sync_msg")
    assert (first["msg_list"], first["has_more"]) == ([], 1)
    assert len(call(platform, "sync_msg", cursor=first["next_cursor"])["msg_list"]) == 1


def test_messages_can_be_fetched_for_three_days(platform: WeComKfPlatform) -> None:
    platform.say("在吗")
    platform.clock.advance(timedelta(days=3, seconds=1))
    assert call(platform, "sync_msg")["msg_list"] == []


def test_a_notice_s_token_lives_ten_minutes(platform: WeComKfPlatform) -> None:
    platform.say("在吗")
    [key] = platform.notices
    assert call(platform, "sync_msg", token=key)["errcode"] == 0
    platform.clock.advance(timedelta(minutes=10, seconds=1))
    assert call(platform, "sync_msg", token=key)["errcode"] == 95007


def test_what_the_bot_sends_is_not_handed_back(platform: WeComKfPlatform) -> None:
    platform.say("在吗")
    assert send(platform) == 0
    assert len(call(platform, "sync_msg")["msg_list"]) == 1


def test_the_same_msgid_is_taken_once(platform: WeComKfPlatform) -> None:
    platform.say("在吗")
    assert [send(platform, msgid="m1"), send(platform, msgid="m1")] == [0, 95032]
    assert len(platform.replies()) == 1


def test_five_messages_and_no_more_until_the_customer_writes(platform: WeComKfPlatform) -> None:
    platform.say("在吗")
    assert [send(platform) for _ in range(6)] == [0] * 5 + [95001]
    assert [breach.rule for breach in platform.breaches] == ["over_the_budget"]
    platform.say("还在吗")
    assert send(platform) == 0


def test_what_is_over_the_budget_can_fail_later(platform: WeComKfPlatform) -> None:
    platform.late_failures = True
    platform.say("在吗")
    assert [send(platform) for _ in range(6)] == [0] * 6
    wait_until(lambda: any(item["msgtype"] == "event" for item in call(platform, "sync_msg")["msg_list"]))
    assert len(platform.replies()) == 5


def test_the_window_is_forty_eight_hours(platform: WeComKfPlatform) -> None:
    platform.say("在吗")
    platform.clock.advance(timedelta(hours=48, seconds=1))
    assert send(platform) == 95002


def test_a_welcome_code_lives_twenty_seconds_and_works_before_the_first_word(platform: WeComKfPlatform) -> None:
    platform.enter(USER)
    assert send(platform) == 95018
    code = call(platform, "sync_msg")["msg_list"][0]["event"]["welcome_code"]
    greeting = {"code": code, "msgtype": "text", "text": {"content": "您好"}}
    assert call(platform, "send_msg_on_event", **greeting)["errcode"] == 0
    assert call(platform, "send_msg_on_event", **greeting)["errcode"] == 41050
    platform.enter(USER)
    late = call(platform, "sync_msg")["msg_list"][-1]["event"]["welcome_code"]
    platform.clock.advance(timedelta(seconds=21))
    assert call(platform, "send_msg_on_event", **{**greeting, "code": late})["errcode"] == 41050


def test_a_human_takes_over_and_the_bot_must_be_silent(platform: WeComKfPlatform) -> None:
    platform.say("在吗")
    platform.take_over(USER)
    assert send(platform) == 95018
    assert [breach.rule for breach in platform.breaches] == ["wrote_over_a_human"]
    state = call(platform, "service_state/get", external_userid=USER)
    assert (state["service_state"], state["servicer_userid"]) == (3, "LiNa")
    platform.end_session(USER)
    platform.say("又是我")
    assert send(platform) == 0


def test_a_hand_over_goes_to_the_pool_or_to_one_who_accepts(platform: WeComKfPlatform) -> None:
    platform.say("转人工")

    def trans(**more: Any) -> int:
        return int(call(platform, "service_state/trans", external_userid=USER, **more)["errcode"])

    assert trans(service_state=3, servicer_userid="nobody") == 95014
    assert trans(service_state=2) == 0
    assert trans(service_state=0) == 95013


def test_a_menu_is_tapped_as_a_text(platform: WeComKfPlatform) -> None:
    platform.say("在吗")
    menu = {"head_content": "请选择", "list": [{"type": "click", "click": {"id": "1", "content": "查订单"}}]}
    body = {"touser": USER, "msgtype": "msgmenu", "msgmenu": menu, "msgid": "menu1"}
    assert call(platform, "send_msg", **body)["errcode"] == 0
    platform.tap("menu1", "1")
    last = call(platform, "sync_msg")["msg_list"][-1]
    assert last["text"] == {"content": "查订单", "menu_id": "1"}


def test_a_notice_can_get_lost_and_can_lack_the_account(platform: WeComKfPlatform, bot: RecordingServer) -> None:
    platform.lost_notices = 1
    assert platform.say("在吗").error == "the notice got lost"
    assert bot.calls == []
    platform.names_account = False
    platform.say("在吗")
    webhook = next(entry for _, entry in platform.journal.after(0) if type(entry).__name__ == "Webhook")
    assert "OpenKfId" not in webhook.clear  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", sorted(WeComKfPlatform.kinds))
def test_every_kind_can_be_fetched(platform: WeComKfPlatform, kind: str) -> None:
    platform.write(kind)
    assert call(platform, "sync_msg")["msg_list"]
