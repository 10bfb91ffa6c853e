"""The client against a scripted server: the contract, and each thing that a server can do."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Exchange
from bot.sandbox.model_faults import BEHAVIOURS, events, says
from inference.errors import ContextTooLong, ModelBusy, ModelError, ModelFailed, ModelRefused
from inference.exchange import Limits
from inference.request import Voice
from inference.values import Completion
from inference.vllm import Attempt, VllmModel
from tests.contracts.model import SECRET, ModelContract, Stage, said
from tests.inference.conftest import EAGER, QUICK, Connect

FINE = "Thank you for your message. How can I help?"
DEADLINE = 2.0
SLACK = 2.0
"""What may pass beyond a deadline: 20 ms as measured with both cores busy, but a crowded machine was seen to stop
for more than a second. What these cases tell apart goes on for half a minute."""


class ServerStage(Stage):
    FAILS = {ModelBusy: "429 for an hour", ModelFailed: "cut in the answer", ModelRefused: "401"} | {
        ContextTooLong: "400 too long, harmony"
    }

    def __init__(self, server: ScriptedModelServer, model: VllmModel) -> None:
        self.server = server
        self.model = model

    def say(self, text: str) -> None:
        self.server.reply = text

    def echo(self) -> None:
        self.server.reply = lambda body: str(body["messages"][-1]["content"])

    def dwell(self, delay: timedelta) -> None:
        self.server.delay = delay.total_seconds()

    def dawdle(self, pause: timedelta) -> None:
        self.server.token_delay = pause.total_seconds()

    def fail(self, error: type[ModelError]) -> None:
        self.server.script(self.FAILS[error])

    def heard(self) -> list[list[tuple[str, str]]]:
        return [[(it["role"], it["content"]) for it in body["messages"]] for body in self.server.requests]


@pytest.fixture
def stage(server: ScriptedModelServer, connect: Connect) -> ServerStage:
    return ServerStage(server, connect(server.url))


@pytest.fixture
def patient(server: ScriptedModelServer, connect: Connect) -> ServerStage:
    """With the time limits of production."""
    return ServerStage(server, connect(server.url, limits=Limits()))


class TestVllmModel(ModelContract):
    @pytest.fixture
    def stage(self, patient: ServerStage) -> Stage:
        return patient


ANSWERS = {
    "behaves": FINE,
    "thinks aloud": "It is on its way.",
    "thinks apart": "It is on its way.",
    "keeps alive": "Here.",
    "splits every byte": "退款已到账 ✅",
    "plain json": FINE,
    "plain json, shouted": "Loud.",
    "closes without length": "Old style.",
    "length": "This sentence is whole. This one is n",
}
REPEATED = [
    *("429", "busy", "busy in a 200", "500", "500 in a 200", "drains", "drains, harmony", "502", "504", "drops"),
    *("cut before a token", "cut in the thinking", "aborts at once", "empty body", "only done"),
    *("harmony markup", "thinking ate the budget"),
]
FINAL: dict[str, type[ModelError]] = {
    **dict.fromkeys(("400", "401", "403", "404", "404 path", "413", "422", "redirects"), ModelRefused),
    **dict.fromkeys(("400 too long", "400 too long, harmony"), ContextTooLong),
    **dict.fromkeys(("408", "429 for an hour"), ModelBusy),
    **dict.fromkeys(("500 in a 200 midway", "cut in the answer", "aborts midway"), ModelFailed),
    **dict.fromkeys(
        ("empty reply", "blank reply", "html", "not json", "deeply nested", "wrong shape"), ModelFailed
    ),
    **dict.fromkeys(("content is a list", "no choices", "done without a finish", "null content"), ModelFailed),
    **dict.fromkeys(("calls a tool", "calls a tool and stops", "content filter", "unknown finish"), ModelFailed),
    **dict.fromkeys(("huge", "huge event", "silent", "silent after 200", "silent midway"), ModelFailed),
    **dict.fromkeys(("drips the status line", "drips the headers", "drips the first event"), ModelFailed),
    **dict.fromkeys(("drips tokens", "only keeps alive"), ModelFailed),
}


def test_every_behaviour_has_a_case() -> None:
    assert {*ANSWERS, *REPEATED, *FINAL, "429 with Retry-After"} == {*BEHAVIOURS}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_whole_answer_is_understood(stage: ServerStage, name: str) -> None:
    stage.server.script(name)
    assert stage.ask().text == ANSWERS[name]
    assert len(stage.server.requests) == 1


@pytest.mark.parametrize("name", REPEATED)
def test_what_is_safe_to_repeat_is_repeated_once_it_went_wrong(stage: ServerStage, name: str) -> None:
    stage.server.script(name)
    assert stage.ask().text == FINE
    assert len(stage.server.requests) == 2


@pytest.mark.parametrize("name", FINAL)
def test_what_is_not_safe_to_repeat_ends_in_its_error_within_the_deadline(stage: ServerStage, name: str) -> None:
    stage.server.script(name)
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        stage.ask(seconds=DEADLINE)
    assert type(caught.value) is FINAL[name]
    assert time.monotonic() - started < DEADLINE + SLACK
    assert len(stage.server.requests) == 1


@pytest.mark.parametrize("name", [name for name in BEHAVIOURS if name not in ANSWERS])
def test_whatever_goes_wrong_for_good_ends_in_an_error_within_the_deadline(stage: ServerStage, name: str) -> None:
    stage.server.usually = BEHAVIOURS[name]
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        stage.ask(said(SECRET), seconds=1)
    assert time.monotonic() - started < 1 + SLACK
    assert "4111" not in str(caught.value)
    assert len(stage.server.requests) <= 5


def test_a_500_is_repeated_only_once(stage: ServerStage) -> None:
    stage.server.usually = BEHAVIOURS["500"]
    with pytest.raises(ModelFailed):
        stage.ask()
    assert len(stage.server.requests) == 2


def test_retry_after_is_obeyed_within_the_deadline(stage: ServerStage) -> None:
    stage.server.script("429 with Retry-After")
    stage.ask(seconds=5)
    first, second = stage.server.calls
    assert second.at - first.at >= 1.0


def test_a_retry_after_beyond_the_deadline_is_passed_on_at_once(stage: ServerStage) -> None:
    stage.server.script("429 for an hour")
    started = time.monotonic()
    with pytest.raises(ModelBusy) as caught:
        stage.ask(seconds=5)
    assert time.monotonic() - started < 1
    assert caught.value.retry_after == timedelta(seconds=110)


def test_thinking_that_ate_the_budget_gets_a_larger_one(stage: ServerStage) -> None:
    stage.server.script("thinking ate the budget")
    stage.ask(max_tokens=100)
    assert [body["max_tokens"] for body in stage.server.requests] == [100, 300]


def test_thinking_that_eats_the_larger_budget_too_is_a_failure(stage: ServerStage) -> None:
    stage.server.usually = BEHAVIOURS["thinking ate the budget"]
    with pytest.raises(ModelFailed, match="length"):
        stage.ask()
    assert len(stage.server.requests) == 2


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Yes.<|start|>assistant<|channel|>analysis", "Yes."),
        ("<think>one</think>Two <think>three", "Two"),
        ("thought without a beginning</think> Answer", "Answer"),
        ("a\x00b\x1b[31mc", "ab[31mc"),
    ],
)
def test_nothing_but_the_answer_is_shown(stage: ServerStage, raw: str, shown: str) -> None:
    stage.server.script(says(raw))
    assert stage.ask().text == shown


def test_a_lone_surrogate_of_the_model_does_not_travel_on(stage: ServerStage) -> None:
    choice = '{"index":0,"delta":{"content":"half \\ud83d, whole \\ud83d\\ude00"},"finish_reason":"stop"}'
    stage.server.script(events(f'{{"choices":[{choice}]}}'))
    assert stage.ask().text == "half \ufffd, whole 😀"


def test_an_answer_cut_inside_markup_is_flagged_as_cut(stage: ServerStage) -> None:
    stage.server.script(says("Yes.<|start|>assistant"))
    assert stage.ask().finish == "length"


def test_usage_comes_from_the_last_event(stage: ServerStage) -> None:
    def twice(exchange: Exchange) -> None:
        exchange.begin()
        for count in (1, 7):
            exchange.event(exchange.piece({"content": "x"}, "stop") | {"usage": {"prompt_tokens": count}})
        exchange.done()

    stage.server.script(twice)
    assert stage.ask() == Completion(text="xx", finish="stop", prompt_tokens=7)


def test_an_error_after_the_finish_reason_is_still_an_error(stage: ServerStage) -> None:
    def late(exchange: Exchange) -> None:
        exchange.begin()
        exchange.delta({"content": "Half."}, "stop")
        exchange.event({"error": "out of memory"})
        exchange.done()

    stage.server.script(late)
    with pytest.raises(ModelFailed):
        stage.ask()


def test_requests_name_themselves_and_their_conversation_but_not_the_customer(stage: ServerStage) -> None:
    for _ in range(2):
        stage.ask()
    stage.model.complete([said("hi")], conversation="other", deadline=timedelta(seconds=5), max_tokens=9)
    ids = [call.headers["x-request-id"] for call in stage.server.calls]
    sessions = [call.headers["x-session-id"] for call in stage.server.calls]
    assert len(set(ids)) == 3
    assert sessions[0] == sessions[1] != sessions[2]
    assert "whatsapp" not in sessions[0]


def test_the_request_is_what_vllm_expects(connect: Connect) -> None:
    with ScriptedModelServer(api_key="secret") as server:
        ServerStage(server, connect(server.url, key="secret")).ask(said("hi"), max_tokens=9)
        assert server.requests == [
            {
                "model": "gpt-oss-20b",
                "messages": [{"role": "user", "content": "hi"}],
                "max_tokens": 9,
                "stream": True,
                "stream_options": {"include_usage": True},
                "reasoning_effort": "low",
            }
        ]
        with pytest.raises(ModelRefused, match="api_key"):
            ServerStage(server, connect(server.url, key="wrong")).ask()


def test_an_assistant_tunes_its_own_requests(server: ScriptedModelServer, connect: Connect) -> None:
    model = connect(server.url)
    for it in (model.tuned(Voice(model="gpt-oss-20b", reasoning_effort="", temperature=0.3)), model):
        it.complete([said("hi")], conversation="c", deadline=timedelta(seconds=5), max_tokens=9)
    first, second = server.requests
    assert first["temperature"] == 0.3
    assert "reasoning_effort" not in first
    assert second["reasoning_effort"] == "low"
    assert "temperature" not in second


def test_one_connection_serves_one_call_after_another(stage: ServerStage) -> None:
    for _ in range(5):
        stage.ask()
    assert stage.server.connections == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://no-such-host.invalid/v1"])
def test_a_server_that_cannot_be_reached_is_busy_and_soon_known_to_be_down(connect: Connect, url: str) -> None:
    model = connect(url)
    with pytest.raises(ModelBusy):
        model.complete([said("hi")], conversation="c", deadline=timedelta(seconds=5), max_tokens=9)


def test_tls_to_a_server_without_tls_is_an_error_of_its_address(
    server: ScriptedModelServer, connect: Connect
) -> None:
    model = connect(server.url.replace("http:", "https:"))
    with pytest.raises(ModelBusy):
        model.complete([said("hi")], conversation="c", deadline=timedelta(seconds=5), max_tokens=9)


def test_the_environments_proxy_is_not_used(stage: ServerStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert stage.ask().text == FINE


def test_lone_surrogates_in_a_message_do_not_stop_it(stage: ServerStage) -> None:
    assert stage.ask(said("broken \ud83d emoji")).text == FINE


def test_a_thousand_wait_at_once_and_the_client_starts_no_thread(patient: ServerStage) -> None:
    server, asking = patient.server, 1000
    before = {it.name for it in threading.enumerate() if "serve_forever" not in it.name}
    server.hold.clear()
    with ThreadPoolExecutor(asking, thread_name_prefix="caller") as pool:
        answers = [pool.submit(patient.ask, said(f"question {n}"), seconds=60) for n in range(asking)]
        until = time.monotonic() + 40
        while len(server.requests) < asking and time.monotonic() < until:
            time.sleep(0.05)
        waiting = len(server.requests)
        threads = [it.name for it in threading.enumerate() if not it.name.startswith("caller")]
        server.hold.set()
        assert waiting == asking
        assert all(answer.result().text == FINE for answer in answers)
    ours = [name for name in threads if "process_request_thread" not in name and "serve_forever" not in name]
    assert set(ours) <= before  # threads of earlier tests may have ended meanwhile


def test_every_attempt_is_told_with_what_became_of_it(server: ScriptedModelServer) -> None:
    told: list[Attempt] = []
    model = VllmModel([server.url], "gpt-oss-20b", limits=QUICK, patience=EAGER, watch=told.append)
    server.script("busy", "500", "behaves", "400 too long")
    for _ in range(2):
        with suppress(ContextTooLong):
            model.complete([said("hi")], conversation="c", deadline=timedelta(seconds=10), max_tokens=99)
    model.close()
    assert [attempt.result for attempt in told] == ["busy", "failed", "answered", "too_long"]
    assert told[2].completion
    assert told[2].completion.prompt_tokens > 0
    assert {attempt.replica for attempt in told} == {f"127.0.0.1:{server.port}"}
