"""What a real vLLM does as a server, whatever model it serves: who gives up, who is refused, who is served."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from bot.sandbox.model import ScriptedModelServer
from inference.errors import ModelBusy, ModelError, ModelFailed, ModelRefused
from tests.vllm.dialogues import ANSWERS, ENDLESS, TICK
from tests.vllm.server import QUEUE, VllmServer, wait_until
from tests.vllm.stage import GREEDY, answer, connect

SPARE = "The spare one answers."
LONGEST = 1900
"""Tokens: nearly the whole context of the smaller model."""
BEGUN = 1000
"""Tokens of the answers during which a server is stopped."""


class ServerContract:
    """Subclasses give the fixture `server`. The last test ends it."""

    def test_a_wrong_key_and_an_unknown_model_are_refused_with_what_to_mend(self, server: VllmServer) -> None:
        with pytest.raises(ModelRefused, match="api_key"):
            answer(connect(server.url, key="wrong"), "Hello")
        with pytest.raises(ModelRefused, match=r"model\.name"):
            answer(connect(server.url, voice=replace(GREEDY, model="nobody")), "Hello")

    def test_a_client_that_gives_up_frees_its_place(self, server: VllmServer) -> None:
        before = server.metric("generation_tokens_total")
        with ThreadPoolExecutor(1) as pool, server.held() as engine:
            asked = pool.submit(answer, connect(server.url), ENDLESS, seconds=10, tokens=LONGEST)
            engine.until(lambda: server.running() == 1, seconds=10)
            with pytest.raises(ModelFailed):
                asked.result()
        wait_until(lambda: server.running() == 0, seconds=60)
        assert 0 < server.metric("generation_tokens_total") - before < LONGEST

    def test_a_full_queue_is_told_from_a_failure_and_the_spare_replica_answers(self, server: VllmServer) -> None:
        with full_queue(server), ScriptedModelServer(reply=SPARE) as spare:
            with pytest.raises(ModelBusy, match="queue is full"):
                answer(connect(server.url), "Hello", seconds=1)
            both = connect(server.url, spare.url)
            assert {answer(both, "Hello", conversation=f"c{number}").text for number in range(16)} == {SPARE}
        assert answer(connect(server.url), "Hello").text == ANSWERS["Hello"]

    def test_a_crowd_beyond_the_queue_is_served_or_told_that_it_is_full(self, server: VllmServer) -> None:
        """Of requests that come together, some pass the first look at the queue and are refused inside a 200."""
        model = connect(server.url)

        def outcome(number: int) -> object:
            try:
                return answer(model, ENDLESS, conversation=f"c{number}", tokens=50).finish
            except ModelBusy:
                return ModelBusy

        with ThreadPoolExecutor(3 * QUEUE) as pool, server.held() as engine:
            crowd = [pool.submit(outcome, number) for number in range(3 * QUEUE)]
            wait_until(lambda: sum(it.done() for it in crowd) >= QUEUE, seconds=60)
            engine.go()
            outcomes = Counter(it.result() for it in crowd)
        assert set(outcomes) == {"length", ModelBusy}
        assert outcomes["length"] >= QUEUE
        assert server.metric("admission_rejections_total") >= outcomes[ModelBusy]

    def test_a_draining_server_ends_what_it_began_and_the_rest_goes_elsewhere(self, server: VllmServer) -> None:
        spare, pool = ScriptedModelServer(reply=SPARE), ThreadPoolExecutor(4)
        with spare, pool, server.held() as engine:
            begun = [pool.submit(answer, connect(server.url), ENDLESS, tokens=BEGUN) for _ in range(4)]
            engine.until(lambda: server.running() == 4, seconds=30)
            server.terminate()
            with engine.slowly():
                wait_until(lambda: refuses(server), seconds=30)
                with pytest.raises(ModelError):
                    answer(connect(server.url), "Hello", seconds=5)
                both = connect(server.url, spare.url)
                started = time.monotonic()
                assert {answer(both, "Hello", conversation=f"c{number}").text for number in range(16)} == {SPARE}
                assert time.monotonic() - started < 5
            engine.go()
            for it in begun:
                assert it.result().finish == "length"
                assert set(it.result().text.split()) == {TICK.strip()}
        assert server.exit_code(within=120) == 0


def refuses(server: VllmServer) -> bool:
    """A draining server says 500; on the Harmony path, it opens a stream and ends it without a word or a reason."""
    with server.post("Hello", stream=True) as response:
        return response.status_code == 500 or b'"finish_reason":"' not in response.content


def status(server: VllmServer) -> int:
    """Of a stream that is begun now and given up at once."""
    with server.post("Hello", stream=True) as response:
        return response.status_code


@contextmanager
def full_queue(server: VllmServer) -> Iterator[None]:
    with server.held(), ExitStack() as streams:
        for _ in range(QUEUE):
            streams.enter_context(server.post(ENDLESS, stream=True, max_tokens=LONGEST, ignore_eos=True))
        wait_until(lambda: status(server) == 503, seconds=30)
        yield
    wait_until(lambda: status(server) == 200, seconds=30)
