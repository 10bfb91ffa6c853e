"""A real vLLM that ends in the middle of its work: its customers get their answers elsewhere, and its lone client
an error in good time."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bot.sandbox.model import ScriptedModelServer
from inference.errors import ModelBusy, ModelError, ModelFailed
from inference.exchange import Limits
from inference.vllm import VllmModel
from tests.vllm.dialogues import ENDLESS
from tests.vllm.environment import CHAT, GPTOSS
from tests.vllm.server import VllmServer, wait_until
from tests.vllm.stage import answer, connect

SPARE = "The spare one answers."
BETWEEN = timedelta(seconds=5)
"""A server stopped at once was seen to leave its streams open and silent. Who has another server is not held up by
that; who has none, by this limit, or that of the first token."""
PROMPT = 15.0
"""Seconds in which every customer has an answer, on busy cores: half of the limit of the first token, which a
server that is stopped before it has said a word was seen to use up."""
ENDS: dict[str, Callable[[VllmServer], None]] = {
    "engine killed": VllmServer.kill_engine,
    "stopped at once": VllmServer.terminate,
}
CUSTOMERS = 40
BEGUN = 8
"""Answers that are cut. There are more customers of this replica, but bounded load sends most to the idle spare."""


def error_of(model: VllmModel) -> ModelError | None:
    try:
        answer(model, ENDLESS, tokens=1900)
    except ModelError as error:
        return error
    return None


@pytest.mark.parametrize("short_lived", [CHAT, GPTOSS], ids=["chat", "gptoss"], indirect=True)
@pytest.mark.parametrize("end", ENDS)
def test_no_customer_sees_a_model_server_end(short_lived: VllmServer, end: str) -> None:
    limits = Limits(between=BETWEEN)
    alone = connect(short_lived.url, limits=limits)
    answer(alone, "Hello")  # the first answer of all takes seconds
    spare, pool = ScriptedModelServer(reply=SPARE), ThreadPoolExecutor(CUSTOMERS + 4)
    with spare, pool, short_lived.held() as engine:
        both = connect(short_lived.url, spare.url, limits=limits)
        customers = [
            pool.submit(answer, both, ENDLESS, conversation=f"c{number}", tokens=1900)
            for number in range(CUSTOMERS)
        ]
        lone = [pool.submit(error_of, alone) for _ in range(4)]
        engine.until(lambda: short_lived.running() >= BEGUN, seconds=30)
        engine.go()
        ended = time.monotonic()
        ENDS[end](short_lived)
        assert {customer.result().text for customer in customers} == {SPARE}
        assert time.monotonic() - ended < PROMPT
        assert {type(it.result()) for it in lone} <= {ModelBusy, ModelFailed}
        assert sum("chat/completions" in call.path for call in spare.calls) >= CUSTOMERS
    if end == "engine killed":  # and so a supervisor must restart it always; one that hangs, it must kill
        assert short_lived.exit_code(within=60) == 0
    with pytest.raises(ModelBusy):
        answer(alone, "Hello", seconds=2)


def test_nobody_waits_for_the_first_word_of_a_server_that_was_stopped(short_lived: VllmServer) -> None:
    spare, pool = ScriptedModelServer(reply=SPARE), ThreadPoolExecutor(CUSTOMERS)
    with spare, pool, short_lived.held():
        both = connect(short_lived.url, spare.url)
        customers = [
            pool.submit(answer, both, ENDLESS, conversation=f"c{number}", tokens=1900)
            for number in range(CUSTOMERS)
        ]
        wait_until(lambda: short_lived.connections() >= BEGUN, seconds=30)
        stopped = time.monotonic()
        short_lived.terminate()
        assert {customer.result().text for customer in customers} == {SPARE}
        assert time.monotonic() - stopped < PROMPT
