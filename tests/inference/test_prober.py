"""Active probes: a lost server is found to be back without a customer's request, and one that drains stays out."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_faults import BEHAVIOURS
from inference.exchange import Limits, Wire
from inference.prober import Prober
from inference.replicas import Replicas, Seen
from inference.trouble import Health
from inference.vllm import VllmModel
from tests.contracts.model import said
from tests.inference.conftest import Connect


def ask(model: VllmModel, conversation: str = "c") -> None:
    model.complete([said("hi")], conversation=conversation, deadline=timedelta(seconds=10), max_tokens=99)


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "did not happen"
        time.sleep(0.02)


def probers() -> int:
    return sum(thread.name == "model-prober" for thread in threading.enumerate())


def probes(server: ScriptedModelServer) -> int:
    return sum(call.path == "/health" for call in server.calls)


def test_there_is_no_thread_while_all_is_well_and_none_after(server: ScriptedModelServer) -> None:
    before = probers()
    replicas = Replicas([server.url])
    answers = iter([Seen.NOBODY, Seen.ILL, Seen.WELL])
    prober = Prober(replicas, lambda _: next(answers), beat=timedelta(seconds=0.01))
    with replicas.serving("c") as replica:
        assert replica
    prober.wake()
    wait_until(lambda: probers() == before)
    replicas.note(replica, Health.DOWN)
    for _ in range(3):
        prober.wake()
    assert probers() <= before + 1
    wait_until(lambda: probers() == before)
    assert replicas.doubtful() == []


def test_closing_ends_the_thread_though_the_server_stays_away() -> None:
    before = probers()
    replicas = Replicas(["http://a:1/v1"])
    prober = Prober(replicas, lambda _: Seen.ILL, beat=timedelta(seconds=0.01))
    with replicas.serving("c") as replica:
        assert replica
        replicas.note(replica, Health.DOWN)
    prober.wake()
    assert probers() == before + 1
    prober.close()
    wait_until(lambda: probers() == before)


@pytest.mark.parametrize("path", ["", "/team-a"])
def test_a_server_that_is_there_and_lists_the_model_is_well(server: ScriptedModelServer, path: str) -> None:
    wire = Wire("", Limits(), connections=4)
    seen = wire.probe(server.url.replace("/v1", f"{path}/v1"), "gpt-oss-20b")
    assert seen is Seen.WELL  # a gateway without the two paths is, too
    wire.close()


def test_a_dead_engine_an_unknown_name_and_nobody_are_not_well(server: ScriptedModelServer) -> None:
    wire = Wire("", Limits(), connections=4)
    assert wire.probe(server.url, "another-model") is Seen.ILL
    server.health = 503
    assert wire.probe(server.url, "gpt-oss-20b") is Seen.ILL
    assert wire.probe("http://127.0.0.1:9/v1", "gpt-oss-20b") is Seen.NOBODY
    wire.close()


def test_a_server_that_returns_is_known_to_be_back_without_a_request(connect: Connect) -> None:
    with ScriptedModelServer() as server:
        port = server.port
        model = connect(server.url)
        ask(model)
    with pytest.raises(Exception, match=r"127\.0\.0\.1|down"):
        ask(model)
    wait_until(lambda: not model.available())
    with ScriptedModelServer(port) as again:
        wait_until(model.available, 3)
        assert probes(again) > 0
        assert not again.requests


def test_no_request_goes_to_a_server_that_probes_know_to_be_gone(connect: Connect) -> None:
    with ScriptedModelServer() as one, ScriptedModelServer() as two:
        model = connect(one.url, two.url)
        for number in range(8):
            ask(model, f"{number}")
        assert one.requests
        one.usually = BEHAVIOURS["502"]
        one.health = 503
        for number in range(8):
            ask(model, f"{number}")
        wait_until(lambda: probes(one) >= 4)
        before = len(one.requests)
        for number in range(8):
            ask(model, f"{number}")
        assert len(one.requests) == before


def test_a_draining_server_gets_one_request_and_no_more_until_it_was_gone(connect: Connect) -> None:
    with ScriptedModelServer() as one, ScriptedModelServer() as two:
        model = connect(one.url, two.url)
        one.usually = BEHAVIOURS["drains"]
        started = time.monotonic()
        for number in range(30):
            ask(model, f"{number}")
        assert len(one.requests) == 1
        assert time.monotonic() - started < 2
        wait_until(lambda: probes(one) >= 2)
        ask(model, "after good probes")
        assert len(one.requests) == 1
        one.health, one.usually = 503, BEHAVIOURS["behaves"]
        seen = probes(one)
        wait_until(lambda: probes(one) > seen)
        one.health = 200
        wait_until(lambda: not model._replicas.doubtful(), 3)
        for number in range(30):
            ask(model, f"{number}")
        assert len(one.requests) > 5


def test_probes_carry_the_key_and_nothing_of_a_conversation(connect: Connect) -> None:
    with ScriptedModelServer(api_key="secret") as server, ScriptedModelServer(api_key="secret") as other:
        model = connect(server.url, other.url, key="secret")
        server.usually = other.usually = BEHAVIOURS["cut before a token"]
        with pytest.raises(Exception, match="closed the connection"):
            ask(model)
        wait_until(lambda: probes(server) + probes(other) > 0)
        asked = [call for it in (server, other) for call in it.calls if call.method == "GET"]
        assert all(call.headers["authorization"] == "Bearer secret" for call in asked)
        assert not any("x-session-id" in call.headers for call in asked)
