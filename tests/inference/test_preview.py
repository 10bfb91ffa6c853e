"""What a customer may see of an answer that is still being written, and what must wait."""

import time
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Exchange
from bot.sandbox.model_faults import events, says
from inference.errors import ModelError
from inference.preview import BEFORE_A_CALL, Manners, Preview
from inference.readable import decided, readable, thinks_aloud
from inference.request import Voice
from tests.contracts.model_tools import ORDER_STATUS
from tests.inference.conftest import Connect
from tests.inference.test_vllm import ServerStage

AT_ONCE = timedelta()
LONG = "Your order A1024 left our warehouse this morning. It should reach you within two working days from now."


def written(
    text: str, *, manners: Manners | None = None, offered: bool = False, thought: bool = False
) -> list[str]:
    """All that is shown of *text* when it comes character by character."""
    shown: list[str] = []
    preview = Preview(shown.append, manners or Manners(apart=True), offered=offered, every=AT_ONCE)
    if thought:
        preview.thought()
    pieces: list[str] = []
    for piece in text:
        pieces.append(piece)
        preview.grown(pieces)
    return shown


def learnt(*answers: tuple[str, bool]) -> Manners:
    """What is known after *answers*, each with whether it was whole."""
    manners = Manners()
    for content, whole in answers:
        manners.learn(content, whole=whole)
    return manners


@pytest.fixture
def stage(server: ScriptedModelServer, connect: Connect) -> ServerStage:
    return ServerStage(server, connect(server.url))


def test_each_text_holds_the_one_before() -> None:
    assert written("One. 二") == ["O", "On", "One", "One.", "One. 二"]


@pytest.mark.parametrize(
    "mark", ["<|start|>assistant", "<think>hm</think>", "<tool_call>{}</tool_call>", "</tool_call>"]
)
def test_a_mark_is_not_shown_however_it_is_cut(mark: str) -> None:
    assert {*"".join(written(f"Yes.{mark}"))} <= {*"Yes."}
    assert written(f"Yes.{mark}")[-1] == "Yes."


def test_what_only_begins_like_a_mark_waits_until_it_is_none() -> None:
    assert written("a <thin") == ["a"]
    assert written("a <thing")[-1] == "a <thing"
    assert written("1 < 2")[-1] == "1 < 2"


def test_half_a_character_waits_for_its_other_half() -> None:
    assert written("ok \ud83d\ude00!") == ["o", "ok", "ok 😀", "ok 😀!"]


def test_a_half_that_stays_alone_is_shown_as_what_it_becomes() -> None:
    assert written("ok \ud83d!")[-1] == readable("ok \ud83d!")


PIECES = [
    "a",
    " ",
    "。\n",
    "<",
    "<|",
    "<think>",
    "hm",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "\x00",
    "\ud83d",
    "\ude00",
]


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_is_shown_is_a_beginning_of_the_answer_whatever_follows(text: str) -> None:
    if thinks_aloud(text):
        return
    for at in range(len(text)):
        assert readable(text).startswith(readable(decided(text[:at])))


def test_a_model_of_unknown_manners_is_not_shown_before_its_thought_is_over() -> None:
    """Chat templates that open the thought themselves: only its end stands in the content."""
    assert written("They want money.</think>It is paid.", manners=Manners())[0] == "I"
    assert written("They want money.", manners=Manners()) == []


def test_a_thought_that_comes_apart_shows_the_manners_of_its_server() -> None:
    assert written("Paid.", manners=Manners(), thought=True)[-1] == "Paid."


def test_manners_are_learnt_from_whole_answers_and_bad_ones_are_remembered() -> None:
    assert learnt(("They want mon", False)).apart is None
    assert learnt(("Paid.", True)).apart is True
    assert learnt(("Paid.", True), ("They want money.</think>Paid.", True), ("Paid.", True)).apart is False


def test_a_thought_with_its_beginning_is_no_bad_manners() -> None:
    manners = Manners()
    manners.learn("<think>Hm.</think>Paid.", whole=True)
    assert manners.apart is True


def test_the_few_words_before_a_tool_is_called_are_not_shown() -> None:
    assert written("Let me look that up for you, one moment please.", offered=True) == []


def test_a_longer_answer_is_shown_though_tools_could_be_called() -> None:
    shown = written(LONG, offered=True)
    assert shown[-1] == LONG
    assert len(shown[0]) > BEFORE_A_CALL


def test_nothing_more_is_shown_once_a_tool_is_being_called() -> None:
    shown: list[str] = []
    preview = Preview(shown.append, Manners(apart=True), offered=True, every=AT_ONCE)
    preview.grown([LONG])
    preview.called()
    preview.grown([LONG, " And more."])
    assert shown == [LONG]


def test_a_quick_model_is_shown_a_few_times_a_second_and_a_long_answer_costs_little() -> None:
    shown: list[str] = []
    preview = Preview(shown.append, Manners(apart=True))
    pieces: list[str] = []
    started = time.monotonic()
    for number in range(50_000):
        pieces.append(f"{number} ")
        preview.grown(pieces)
    took = time.monotonic() - started
    assert len(shown) <= took / 0.15 + 1
    assert took < 2  # 0.05 s as measured; cleaning at each piece takes a minute


def test_who_fails_is_not_shown_anything_more(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    def fail(text: str) -> None:
        calls.append(text)
        raise RuntimeError(text)

    preview = Preview(fail, Manners(apart=True), every=AT_ONCE)
    preview.grown(["My card is 4111"])
    preview.grown(["My card is 4111", " 1111"])
    assert len(calls) == 1
    assert "action=show_failed error=RuntimeError" in caplog.text
    assert "4111" not in caplog.text


def cut_midway(exchange: Exchange) -> None:
    exchange.begin()
    exchange.delta({"reasoning": "Hm."})
    exchange.delta({"content": "Half an ans"})
    exchange.cut()


def test_an_answer_that_is_made_again_is_shown_anew(server: ScriptedModelServer, connect: Connect) -> None:
    with ScriptedModelServer() as other:
        stage = ServerStage(server, connect(server.url, other.url))
        stage.ask()
        home, away = (server, other) if server.requests else (other, server)
        home.script(cut_midway)
        away.reply = "A whole answer."
        shown, completion = stage.watch()
        assert completion.text == "A whole answer."
        assert shown[0] == "Half an ans"
        assert all("A whole answer.".startswith(text) for text in shown[1:])
        assert len(shown) > 1


def test_a_server_that_thinks_aloud_is_found_out_before_anything_is_shown(
    server: ScriptedModelServer, connect: Connect
) -> None:
    stage = ServerStage(server, connect(server.url).tuned(Voice(model="gpt-oss-20b", reasoning_effort="")))
    stage.dawdle(timedelta(seconds=0.02))
    stage.server.usually = says("They want their money back.</think>It is paid.")
    for _ in range(2):
        shown, completion = stage.watch()
        assert completion.text == "It is paid."
        assert all("It is paid.".startswith(text) for text in shown)


def test_a_first_answer_is_shown_where_thoughts_come_apart(stage: ServerStage) -> None:
    stage.server.script(says("It is paid.", reasoning="They want their money back."))
    shown, _ = stage.watch()
    assert shown
    assert "It is paid.".startswith(shown[0])


def test_an_answer_that_turns_into_a_call_is_not_shown(stage: ServerStage) -> None:
    call = {"id": "1", "type": "function", "index": 0, "function": {"name": "order_status", "arguments": "{}"}}
    stage.server.script(
        events(
            {"reasoning": "Hm."},
            {"content": "Let me see."},
            {"tool_calls": [call]},
            {"finish_reason": "tool_calls"},
        )
    )
    shown, completion = stage.watch(tools=[ORDER_STATUS])
    assert completion.tool_calls
    assert shown == []


@pytest.mark.parametrize("name", ["busy", "cut before a token", "empty reply", "harmony markup", "not json"])
def test_nothing_is_shown_of_what_is_no_answer(stage: ServerStage, name: str) -> None:
    stage.ask()
    stage.server.script(name, "400")
    shown: list[str] = []
    with pytest.raises(ModelError):
        stage.watch(show=shown.append)
    assert shown == []
