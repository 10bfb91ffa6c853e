"""WeChat customer service with the desk behind it: notice, pull, answer, and the human who takes over."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.values import Message
from bot.turns.reminders import KIND
from inference.errors import ModelRefused
from tests.adapters.wecom_app import services
from tests.adapters.wecom_kf_fake import CUSTOMER, SEND, STATE, SYNC, KfPlatform, account, calls, notice
from tests.adapters.wecom_platform import NOW
from tests.bot.room import Room
from tests.fakes import Answer, RecordingServer, json_answer


class Desk(Room):
    """The engine on its twins, the platform on the other side of real HTTP."""

    def __init__(self, server: RecordingServer, **settings: str) -> None:
        super().__init__()
        self.clock.now = NOW
        self.server = server
        self.kf = account(server.url, lent=services(now=self.clock), **settings)
        self.engine = self.engine_of({"shop": self.kf})

    def notified(self, number: int = 1) -> None:
        told = replace(notice(), id=f"notice:{number}")
        self.inbox.accept([told], horizon=self.kf.dedupe_horizon)

    def work(self) -> None:
        """Until nothing is left to do now."""
        for _ in range(20):
            self.inbox.wake()
            tickets = self.inbox.take(1, wait=NOW - NOW)
            if not tickets:
                return
            turn = self.inbox.claim(tickets[0])
            if turn is not None:
                self.engine.run(turn)

    def said(self) -> list[str]:
        return [body["text"]["content"] for body in calls(self.server, SEND)]


@pytest.fixture
def kf() -> KfPlatform:
    return KfPlatform()


@pytest.fixture
def desk(kf: KfPlatform) -> Iterator[Desk]:
    with RecordingServer(kf) as server:
        yield Desk(server)


def test_a_notice_ends_in_an_answer(desk: Desk, kf: KfPlatform) -> None:
    kf.says("你好")
    desk.notified()
    desk.work()
    assert len(desk.said()) == 1
    assert list(kf.sent) == [body["msgid"] for body in calls(desk.server, SEND)]
    assert desk.parked() == []


def test_row_12_a_burst_of_pages_is_answered_once_and_never_again(desk: Desk, kf: KfPlatform) -> None:
    kf.page = 3
    for number in range(8):
        kf.says(f"line {number}", message_id=f"m_{number}")
    desk.notified(1)
    desk.work()
    desk.notified(2)
    desk.work()
    assert len(desk.said()) == 1
    assert [asked.get("cursor") for asked in calls(desk.server, SYNC)] == [None, "c3", "c6", "c8"]


def test_row_13_the_same_words_again_are_answered_again(desk: Desk, kf: KfPlatform) -> None:
    for number in (1, 2):
        kf.says("好的", message_id=f"m_{number}")
        desk.notified(number)
        desk.work()
    assert len(desk.said()) == 2


def test_a_pull_that_fails_is_made_again(desk: Desk, kf: KfPlatform) -> None:
    kf.will(SYNC, Answer(cut=True), json_answer({"errcode": 45009}))
    kf.says("你好")
    desk.notified()
    for _ in range(3):
        desk.work()
        desk.clock.advance(61)
    assert len(desk.said()) == 1


def test_row_16_who_has_a_human_is_not_answered_by_the_bot(desk: Desk, kf: KfPlatform) -> None:
    kf.states[CUSTOMER] = 3
    kf.says("你好")
    desk.notified(1)
    desk.work()
    assert desk.said() == []
    assert desk.parked() == []
    kf.states[CUSTOMER] = 0
    kf.happens("session_status_change", change_type=3)
    kf.says("还在吗", message_id="m_2")
    desk.notified(2)
    desk.work()
    assert len(desk.said()) == 1


def test_row_16_a_human_who_takes_over_while_the_bot_thinks_is_not_interrupted(desk: Desk, kf: KfPlatform) -> None:
    kf.says("你好")
    desk.notified()

    def think(messages: object) -> str:
        kf.states[CUSTOMER] = 3
        return "the bot's answer"

    desk.model.reply = think
    desk.work()
    assert (kf.sent, desk.parked()) == ({}, [])
    desk.clock.advance(3600)
    desk.work()
    assert (kf.sent, desk.parked()) == ({}, [])


def test_a_conversation_that_the_bot_gives_up_waits_for_a_human(kf: KfPlatform) -> None:
    """The words that say so are the last ones of the bot."""
    kf.says("我的订单在哪里？")
    with RecordingServer(kf) as server:
        desk = Desk(server, hand_over="pool")
        desk.model.script(*[ModelRefused("not today")] * 9)
        desk.notified()
        desk.work()
        assert len(kf.sent) == 1
        assert kf.states[CUSTOMER] == 2
        kf.says("还在吗", message_id="m_2")
        desk.notified(2)
        desk.work()
        assert len(kf.sent) == 1


def test_a_human_of_whose_end_nobody_told_silences_the_bot_no_longer(desk: Desk, kf: KfPlatform) -> None:
    kf.happens("session_status_change", change_type=1)
    kf.states[CUSTOMER] = 3
    kf.says("你好")
    desk.notified(1)
    desk.work()
    assert desk.said() == []
    kf.states[CUSTOMER] = 0  # no event said so
    kf.says("还在吗", message_id="m_2")
    desk.notified(2)
    desk.work()
    assert len(desk.said()) == 1
    assert any("你好" in words for words in desk.asked())


@pytest.mark.parametrize("state", [2, 3, 4, 9])
def test_who_has_a_human_or_an_ended_session_stays_without_the_bot(desk: Desk, kf: KfPlatform, state: int) -> None:
    kf.happens("session_status_change", change_type=1)
    kf.states[CUSTOMER] = state
    kf.says("你好")
    desk.notified()
    desk.work()
    assert (desk.said(), desk.parked()) == ([], [])


def test_where_nobody_knows_who_serves_what_was_told_last_holds(desk: Desk, kf: KfPlatform) -> None:
    kf.happens("session_status_change", change_type=1)
    kf.says("你好")
    kf.will(STATE, *[json_answer({"errcode": -1})] * 9)
    desk.notified()
    desk.work()
    assert (desk.said(), desk.parked()) == ([], [])


def test_a_servicer_s_message_silences_the_bot(desk: Desk, kf: KfPlatform) -> None:
    kf.states[CUSTOMER] = 3
    kf.says("我来处理", message_id="m_s", origin=5, servicer_userid="lisi")
    desk.notified(1)
    desk.work()
    kf.says("谢谢", message_id="m_2")
    desk.notified(2)
    desk.work()
    assert desk.said() == []


def test_a_reminder_that_a_human_s_session_refuses_is_kept_for_an_operator(desk: Desk, kf: KfPlatform) -> None:
    kf.states[CUSTOMER] = 3
    talk = replace(notice().conversation, peer=CUSTOMER)
    due = Message(
        id="reminder:1",
        conversation=talk,
        sender=CUSTOMER,
        text="call back",
        sent_at=NOW,
        kind=KIND,
        route={"last": "m_1"},
    )
    desk.inbox.accept([due], horizon=desk.kf.dedupe_horizon)
    desk.work()
    assert kf.sent == {}
    assert desk.parked() == ["human_owns"]
