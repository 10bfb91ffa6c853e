"""What goes out to a customer of WeChat customer service, and when nothing does (WeCom sheet §5.3 and §5.5)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.errors import MediaLost
from adapters.files import MemoryFiles
from adapters.surface import Content
from adapters.values import (
    Action,
    Attachment,
    Choice,
    ConversationId,
    Delivered,
    Media,
    Part,
    Promise,
    Refused,
    Unknown,
)
from adapters.wecom_kf import WeComKf
from adapters.wecom_kf.events import message_id
from tests.adapters.wecom_app import services
from tests.adapters.wecom_kf_fake import (
    CUSTOMER,
    KF,
    KFID,
    SEND,
    STATE,
    TRANS,
    KfPlatform,
    account,
    calls,
    notice,
    refused,
    reply,
)
from tests.adapters.wecom_platform import NOW, vector
from tests.fakes import Answer, RecordingServer, html_answer, json_answer

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64
UPLOAD = "/cgi-bin/media/upload"
TALK = ConversationId(channel="shop", account=KFID, peer=CUSTOMER)


@pytest.fixture
def kf() -> KfPlatform:
    return KfPlatform()


@pytest.fixture
def server(kf: KfPlatform) -> Iterator[RecordingServer]:
    with RecordingServer(kf) as server:
        yield server


def test_a_text_goes_to_the_customer_under_the_part_s_own_key(server: RecordingServer) -> None:
    assert WeComKf.promise is Promise.KEYED
    said = reply("你好", "再见")
    channel = account(server.url)
    assert channel.send(said, 0) == Delivered(platform_id=said.key)
    assert isinstance(channel.send(said, 1), Delivered)
    common = {"touser": CUSTOMER, "open_kfid": KFID, "msgtype": "text"}
    assert calls(server, SEND) == [
        {**common, "msgid": said.key, "text": {"content": "你好"}},
        {**common, "msgid": message_id(said.part_key(1)), "text": {"content": "再见"}},
    ]


def test_a_part_that_the_platform_has_already_is_delivered(server: RecordingServer, kf: KfPlatform) -> None:
    said = reply("once")
    kf.will(SEND, Answer(cut=True))
    channel = account(server.url)
    assert isinstance(channel.send(said, 0), Unknown)
    kf.sent[said.key] = {}  # it had arrived
    assert channel.send(said, 0, again=True) == Delivered(platform_id=said.key)


@pytest.mark.parametrize(
    "errmsg",
    [
        "msgid duplicated, hint: [1]",
        "duplicate msgid",
        "invalid msgid: already exists",
        "repeated msgid, from ip: 203.0.113.9",
    ],
)
def test_a_duplicate_is_known_by_its_words_whatever_its_code(
    server: RecordingServer, kf: KfPlatform, errmsg: str
) -> None:
    kf.will(SEND, json_answer({"errcode": 40058, "errmsg": errmsg}))
    assert isinstance(account(server.url).send(reply("x"), 0), Delivered)


@pytest.mark.parametrize("errmsg", ["invalid msgid", "duplicate request", "no such msgid, from ip: 1.2.3.4"])
def test_another_refusal_is_no_duplicate(server: RecordingServer, kf: KfPlatform, errmsg: str) -> None:
    kf.will(SEND, json_answer({"errcode": 40058, "errmsg": errmsg}))
    assert refused(account(server.url).send(reply("x"), 0)).code == "40058"


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_empty_text_is_never_sent(server: RecordingServer, text: str) -> None:
    assert refused(account(server.url).send(reply(text), 0)).code == "44004"
    assert server.calls == []


def test_no_markdown_reaches_a_customer() -> None:
    (text,) = account("http://127.0.0.1:9").compose("# Hours\n**open** [map](https://example.com) `x`")
    assert not set("#*[`") & set(text)
    assert "https://example.com" in text


# ---- who serves the customer ----


@pytest.mark.parametrize("state", [2, 3])
def test_row_16_while_a_human_serves_the_bot_is_silent(server: RecordingServer, kf: KfPlatform, state: int) -> None:
    kf.states[CUSTOMER] = state
    outcome = refused(account(server.url).send(reply("x"), 0))
    assert outcome.action is Action.HUMAN
    assert calls(server, SEND) == []


@pytest.mark.parametrize("state", [0, 1])
def test_row_16_the_state_is_read_before_an_answer_but_not_before_each_part(
    server: RecordingServer, kf: KfPlatform, state: int
) -> None:
    kf.states[CUSTOMER] = state
    channel, said = account(server.url), reply("a", "b", "c")
    assert [type(channel.send(said, index)) for index in range(3)] == [Delivered] * 3
    assert calls(server, STATE) == [{"open_kfid": KFID, "external_userid": CUSTOMER}]


def test_row_16_a_state_is_believed_for_three_seconds(server: RecordingServer, kf: KfPlatform) -> None:
    now = [NOW]
    channel = account(server.url, lent=replace(services(), now=lambda: now[0]))
    channel.send(reply("a"), 0)
    kf.states[CUSTOMER] = 3
    now[0] += timedelta(seconds=3)
    assert refused(channel.send(reply("b", key="1" * 32), 0)).action is Action.HUMAN


def test_row_16_a_human_who_was_quicker_is_noticed(server: RecordingServer, kf: KfPlatform) -> None:
    """The platform's refusal is newer than the state that was read."""
    channel = account(server.url)
    assert isinstance(channel.send(reply("a"), 0), Delivered)
    kf.states[CUSTOMER] = 3
    found = vector("kf_send_95018")["response"]["json"]
    kf.will(SEND, json_answer(found))
    assert refused(channel.send(reply("b", key="1" * 32), 0)).action is Action.HUMAN
    assert len(calls(server, STATE)) == 2


def test_an_ended_session_is_no_human(server: RecordingServer, kf: KfPlatform) -> None:
    kf.states[CUSTOMER] = 4
    outcome = refused(account(server.url).send(reply("x"), 0))
    assert (outcome.code, outcome.action) == ("95018", Action.WINDOW)


@pytest.mark.parametrize("answer", [html_answer(502), Answer(cut=True), json_answer({"errcode": -1})])
def test_without_a_state_nothing_is_said_yet(server: RecordingServer, kf: KfPlatform, answer: Answer) -> None:
    kf.will(STATE, answer)
    outcome = refused(account(server.url).send(reply("x"), 0))
    assert outcome.action is Action.RETRY
    assert calls(server, SEND) == []


# ---- handing over ----


def test_row_14_a_conversation_goes_to_the_waiting_pool_by_trans(server: RecordingServer, kf: KfPlatform) -> None:
    channel = account(server.url, hand_over="pool")
    assert channel.hand_over(TALK) == Delivered()
    assert calls(server, TRANS) == [{"open_kfid": KFID, "external_userid": CUSTOMER, "service_state": 2}]
    assert refused(channel.send(reply("x"), 0)).action is Action.HUMAN


@pytest.mark.parametrize("state", [2, 3])
def test_who_has_a_human_or_waits_for_one_is_handed_over_already(
    server: RecordingServer, kf: KfPlatform, state: int
) -> None:
    kf.states[CUSTOMER] = state
    assert account(server.url, hand_over="pool").hand_over(TALK) == Delivered()
    assert calls(server, TRANS) == []


def test_a_conversation_goes_to_the_named_servicer(server: RecordingServer, kf: KfPlatform) -> None:
    found = vector("kf_trans_human")
    kf.will(TRANS, json_answer(found["response"]["json"]))
    channel = account(server.url, hand_over="servicer", servicer_userid="lisi")
    assert channel.hand_over(TALK) == Delivered()
    assert calls(server, TRANS) == [found["request"]["json"]]


def test_a_servicer_who_accepts_nobody_leaves_the_pool(server: RecordingServer, kf: KfPlatform) -> None:
    kf.will(TRANS, json_answer({"errcode": 95014, "errmsg": "servicer not accepting"}))
    channel = account(server.url, hand_over="servicer", servicer_userid="lisi")
    assert channel.hand_over(TALK) == Delivered()
    assert [asked["service_state"] for asked in calls(server, TRANS)] == [3, 2]


def test_nobody_is_handed_over_unless_it_is_configured(server: RecordingServer) -> None:
    assert account(server.url).hand_over(TALK) is None
    assert server.calls == []


def test_a_refused_hand_over_says_why(server: RecordingServer, kf: KfPlatform) -> None:
    kf.will(TRANS, json_answer({"errcode": 95013, "errmsg": "ended"}))
    outcome = account(server.url, hand_over="pool").hand_over(TALK)
    assert isinstance(outcome, Refused)
    assert outcome.code == "95013"


def test_a_servicer_must_be_named() -> None:
    with pytest.raises(ValueError, match="servicer_userid"):
        account("http://127.0.0.1:9", hand_over="servicer")


# ---- five messages ----


def test_the_sixth_message_after_a_customer_s_is_not_even_tried(server: RecordingServer) -> None:
    channel, said = account(server.url), reply(*"abcdef")
    outcomes = [channel.send(said, index) for index in range(6)]
    assert [type(each) for each in outcomes] == [Delivered] * 5 + [Refused]
    assert (refused(outcomes[5]).code, refused(outcomes[5]).action) == ("95001", Action.WINDOW)
    assert len(calls(server, SEND)) == 5


def test_the_customer_s_next_word_opens_five_more(server: RecordingServer) -> None:
    channel, said = account(server.url), reply(*"abcde")
    for index in range(5):
        channel.send(said, index)
    assert isinstance(channel.send(reply("f", last="m_2", key="2" * 32), 0), Delivered)


def test_a_part_that_is_sent_again_counts_once(server: RecordingServer, kf: KfPlatform) -> None:
    channel, said = account(server.url), reply(*"abcde")
    for index in (0, 0, 0, 1, 2, 3, 4, 4, 2):
        assert isinstance(channel.send(said, index), Delivered)


def test_a_refused_part_does_not_count(server: RecordingServer, kf: KfPlatform) -> None:
    kf.will(SEND, *[json_answer({"errcode": -1})] * 5)
    channel = account(server.url)
    for index in range(5):
        assert refused(channel.send(reply(*"abcde"), index)).action is Action.RETRY
    assert isinstance(channel.send(reply("f", key="3" * 32), 0), Delivered)


def test_a_part_whose_answer_was_lost_counts(server: RecordingServer, kf: KfPlatform) -> None:
    kf.will(SEND, *[Answer(cut=True)] * 5)
    channel = account(server.url)
    for index in range(5):
        assert isinstance(channel.send(reply(*"abcde"), index), Unknown)
    assert refused(channel.send(reply("f", key="3" * 32), 0)).code == "95001"


@pytest.mark.parametrize("code", [95001, 95002])
def test_the_platform_s_own_count_closes_the_window(server: RecordingServer, kf: KfPlatform, code: int) -> None:
    kf.will(SEND, json_answer({"errcode": code}))
    assert refused(account(server.url).send(reply("x"), 0)).action is Action.WINDOW


def test_a_long_answer_keeps_one_message_in_reserve() -> None:
    channel = account("http://127.0.0.1:9")
    parts = channel.parts(Content(markdown="很长的一句话。" * 3000))
    assert len(parts) == 4
    assert parts[-1].text.endswith(" …")
    assert all(len(part.text.encode()) <= 2048 for part in parts)


def test_a_long_answer_loses_text_before_its_question_or_file() -> None:
    channel = account("http://127.0.0.1:9")
    content = Content(
        markdown="很长的一句话。" * 3000,
        choices=(Choice(id="1", title="是"), Choice(id="2", title="否")),
        attachments=(Attachment(kind="image", file="plan.png"),),
        prompt="可以吗？",
    )
    parts = channel.parts(content)
    assert len(parts) == 4
    assert [bool(part.choices) for part in parts].count(True) == 1
    assert parts[-1].choices
    assert [part.attachment.file for part in parts if part.attachment] == ["plan.png"]
    (cut,) = [part.text for part in parts if part.text.endswith(" …")]
    assert cut


def test_a_short_answer_is_whole() -> None:
    assert [part.text for part in account("http://127.0.0.1:9").parts(Content(markdown="好的"))] == ["好的"]


# ---- more than text ----


def test_choices_are_a_menu_to_tap(server: RecordingServer) -> None:
    channel = account(server.url)
    choices = (Choice(id="yes", title="是"), Choice(id="n" * 65, title="否"))
    (part,) = channel.parts(Content(markdown="可以吗？", choices=choices))
    channel.send(reply(part), 0)
    (sent,) = calls(server, SEND)
    assert sent["msgtype"] == "msgmenu"
    assert sent["msgmenu"] == {
        "head_content": "可以吗？",
        "list": [
            {"type": "click", "click": {"id": "yes", "content": "是"}},
            {"type": "click", "click": {"id": "2", "content": "否"}},
        ],
    }


def test_more_choices_than_a_menu_holds_are_numbered() -> None:
    choices = tuple(Choice(id=str(number), title=f"Nr {number}") for number in range(11))
    (part,) = account("http://127.0.0.1:9").parts(Content(markdown="Which?", choices=choices))
    assert part.choices == ()
    assert "11. Nr 10" in part.text


def test_row_15_a_file_is_sent_under_its_own_type(server: RecordingServer) -> None:
    files = MemoryFiles({"plan.png": PNG, "prices.pdf": b"%PDF-1.7 prices"})
    channel = account(server.url, lent=replace(services(), files=files))
    parts = [
        Part(text="", attachment=Attachment(kind="image", file="plan.png")),
        Part(text="", attachment=Attachment(kind="document", file="prices.pdf")),
        Part(text="", attachment=Attachment(kind="document", url="https://example.com/a.pdf", name="价目表")),
    ]
    for index in range(3):
        assert isinstance(channel.send(reply(*parts), index), Delivered)
    image, document, link = calls(server, SEND)
    assert (image["msgtype"], image["image"]) == ("image", {"media_id": "MEDIA1"})
    assert (document["msgtype"], document["file"]) == ("file", {"media_id": "MEDIA1"})
    assert (link["msgtype"], link["text"]) == ("text", {"content": "价目表\nhttps://example.com/a.pdf"})


def test_a_customer_s_file_is_fetched_with_the_app_s_token(server: RecordingServer, kf: KfPlatform) -> None:
    kf.will("/cgi-bin/media/get", Answer(body=PNG, headers={"Content-Type": "image/png"}))
    channel = account(server.url)
    assert channel.fetch(Media(kind="image", id="M1"), notice()).mime == "image/png"
    found = vector("media_get_expired")["response"]["json"]
    kf.will("/cgi-bin/media/get", json_answer(found))
    with pytest.raises(MediaLost, match="40007"):
        channel.fetch(Media(kind="image", id="M1"), notice())


# ---- check ----


def findings(server: RecordingServer, **overrides: Any) -> dict[str, str]:
    return {each.what: each.next_step for each in account(server.url, **overrides).check() if not each.ok}


def test_check_looks_at_the_callback_the_token_the_address_and_the_account(server: RecordingServer) -> None:
    found = account(server.url).check()
    assert [each.ok for each in found] == [True] * 4
    assert [call.path.removeprefix("/cgi-bin/") for call in server.calls] == [
        "gettoken",
        "getcallbackip",
        "kf/account/list",
    ]


def test_check_finds_an_account_on_a_later_page(server: RecordingServer, kf: KfPlatform) -> None:
    kf.accounts = [{"open_kfid": f"wk{number}"} for number in range(150)] + kf.accounts
    assert findings(server) == {}


def test_check_names_the_step_for_an_account_of_somebody_else(server: RecordingServer, kf: KfPlatform) -> None:
    kf.accounts = [{"open_kfid": "wkOther"}]
    assert "通过API管理微信客服账号" in findings(server)[f"customer-service account {KFID}"]
    kf.accounts = [{"open_kfid": KFID, "manage_privilege": False}]
    assert "通过API管理微信客服账号" in findings(server)[f"customer-service account {KFID}"]


@pytest.mark.parametrize(
    ("path", "code", "what", "says"),
    [
        ("/cgi-bin/gettoken", 40001, "access token", "secret"),
        ("/cgi-bin/gettoken", 40013, "access token", "corp_id"),
        ("/cgi-bin/getcallbackip", 60020, "trusted IP", "203.0.113.9"),
        (f"{KF}account/list", 48002, f"customer-service account {KFID}", "可调用接口的应用"),
        (f"{KF}account/list", 95017, f"customer-service account {KFID}", "微信客服"),
        (f"{KF}account/list", 95011, f"customer-service account {KFID}", "通过API管理微信客服账号"),
    ],
)
def test_check_names_the_next_step_of_each_refusal(
    server: RecordingServer, kf: KfPlatform, path: str, code: int, what: str, says: str
) -> None:
    kf.will(path, json_answer({"errcode": code, "errmsg": "no, from ip: 203.0.113.9, more"}))
    assert says in findings(server)[what]


@pytest.mark.parametrize(
    ("servicers", "says"),
    [([], "接待人员"), ([{"userid": "wangwu"}], "servicer_userid"), ([{"userid": "LISI"}], "")],
)
def test_check_looks_for_whom_a_conversation_is_handed_to(
    server: RecordingServer, kf: KfPlatform, servicers: list[dict[str, Any]], says: str
) -> None:
    kf.servicers = servicers
    found = findings(server, hand_over="servicer", servicer_userid="lisi")
    assert says in found.get(f"servicers of {KFID}", "")
    assert bool(found) == bool(says)
