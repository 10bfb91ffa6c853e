"""Two servers, one of which dies: no customer sees an error, and none waits long."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_faults import BEHAVIOURS
from inference.errors import ModelBusy, ModelFailed
from inference.exchange import Limits
from inference.values import Completion
from inference.vllm import VllmModel
from tests.contracts.model import said
from tests.inference.conftest import Connect

Pair = tuple[ScriptedModelServer, ScriptedModelServer]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ScriptedModelServer() as one, ScriptedModelServer() as two:
        yield one, two


def ask(model: VllmModel, conversation: str, seconds: float = 10) -> Completion:
    return model.complete(
        [said(conversation)], conversation=conversation, deadline=timedelta(seconds=seconds), max_tokens=99
    )


def timed(model: VllmModel, conversation: str) -> float:
    started = time.monotonic()
    ask(model, conversation)
    return time.monotonic() - started


def at_home_at(server: ScriptedModelServer, model: VllmModel) -> str:
    """A conversation that prefers *server*."""
    for number in range(100):
        before = len(server.requests)
        ask(model, f"conversation {number}")
        if len(server.requests) > before:
            return f"conversation {number}"
    raise AssertionError("a hundred conversations avoid one of two servers")


def test_a_server_killed_under_fifty_conversations_is_noticed_by_none(pair: Pair, connect: Connect) -> None:
    one, two = pair
    model = connect(one.url, two.url, limits=Limits())
    for server in pair:
        server.reply = "one two three four five six seven eight nine ten"
        server.token_delay = 0.05
    with ThreadPoolExecutor(50) as pool:
        usual = sorted(pool.map(lambda n: timed(model, f"conversation {n}"), range(50)))[25]
        before = len(one.requests)
        killer = threading.Timer(usual * 1.5, one.stop)
        killer.start()
        times = [it for _ in range(3) for it in pool.map(lambda n: timed(model, f"conversation {n}"), range(50))]
    killer.join()
    assert len(times) == 150
    assert len(one.requests) - before > 20
    added = sorted(it - usual for it in times)
    assert added[int(len(added) * 0.99)] < 1  # half an answer lost and made again is the worst


def test_a_server_that_is_gone_costs_less_than_a_second(pair: Pair, connect: Connect) -> None:
    one, two = pair
    model = connect(one.url, two.url, limits=Limits())
    conversation = at_home_at(one, model)
    one.stop()
    assert timed(model, conversation) < 1
    assert timed(model, conversation) < 0.5


@pytest.mark.parametrize(
    "name", ["busy", "busy in a 200", "drains", "drains, harmony", "502", "drops", "cut before a token"]
)
def test_another_server_is_asked_at_once(pair: Pair, connect: Connect, name: str) -> None:
    one, two = pair
    model = connect(one.url, two.url)
    conversation = at_home_at(one, model)
    one.script(name)
    before = len(two.requests)
    ask(model, conversation)
    assert len(two.requests) == before + 1


@pytest.mark.parametrize("name", ["silent", "silent after 200", "silent midway"])
def test_an_answer_that_nobody_can_go_on_with_is_not_waited_for(pair: Pair, connect: Connect, name: str) -> None:
    """As a vLLM that was told to stop leaves it: its streams open and silent, its port closed."""
    one, two = pair
    model = connect(one.url, two.url, limits=Limits())
    conversation = at_home_at(one, model)
    one.script(name)
    before = len(one.requests)
    with ThreadPoolExecutor(1) as pool:
        took = pool.submit(timed, model, conversation)
        while len(one.requests) == before:
            time.sleep(0.01)
        one.stop_listening()
        assert took.result() < 8  # some 2 on quiet cores; the limits of silence are 30 and 15


def test_a_slow_server_that_still_listens_is_waited_for(pair: Pair, connect: Connect) -> None:
    one, two = pair
    model = connect(one.url, two.url, limits=Limits())
    conversation = at_home_at(one, model)
    before, others = len(one.requests), len(two.requests)
    one.delay = 2
    ask(model, conversation)
    assert (len(one.requests), len(two.requests)) == (before + 1, others)


@pytest.mark.parametrize("name", ["cut in the answer", "aborts midway", "500 in a 200 midway", "silent midway"])
def test_half_an_answer_is_made_again_once_by_another_server(pair: Pair, connect: Connect, name: str) -> None:
    one, two = pair
    model = connect(one.url, two.url)
    conversation = at_home_at(one, model)
    one.script(name)
    assert ask(model, conversation).text == "Thank you for your message. How can I help?"
    for server in pair:
        server.usually = BEHAVIOURS[name]
    with pytest.raises(ModelFailed):
        ask(model, "conversation")


def test_a_500_is_tried_on_one_other_server_and_no_further(connect: Connect) -> None:
    with ScriptedModelServer() as one, ScriptedModelServer() as two, ScriptedModelServer() as three:
        servers = (one, two, three)
        for server in servers:
            server.usually = BEHAVIOURS["500"]
        with pytest.raises(ModelFailed):
            ask(connect(*(server.url for server in servers)), "c")
        assert sorted(len(server.requests) for server in servers) == [0, 1, 1]


def test_a_server_that_returns_gets_its_conversations_back(pair: Pair, connect: Connect) -> None:
    one, two = pair
    model = connect(one.url, two.url)
    conversation = at_home_at(one, model)
    one.stop()
    ask(model, conversation)
    with ScriptedModelServer(one.port) as again:
        until = time.monotonic() + 10
        while not again.requests and time.monotonic() < until:
            ask(model, conversation)
            time.sleep(0.05)
        assert again.requests


def test_when_all_are_gone_it_says_so_and_recovers(connect: Connect) -> None:
    with ScriptedModelServer() as server:
        model = connect(server.url)
        port = server.port
    until = time.monotonic() + 15
    while model.available() and time.monotonic() < until:
        with pytest.raises(ModelBusy):
            ask(model, "c")
        time.sleep(0.1)
    assert not model.available()
    with ScriptedModelServer(port):
        while not model.available() and time.monotonic() < until:
            time.sleep(0.05)
        ask(model, "c")
        assert model.available()
