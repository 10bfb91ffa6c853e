"""Two model servers, one killed with SIGKILL under fifty conversations: who sees an error, and who waits longer."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from bench.load import percentile
from bot.sandbox.model import ScriptedModelServer
from inference.errors import ModelError
from inference.values import ChatMessage
from inference.vllm import VllmModel

CONVERSATIONS = 50
ANSWERS = 6
"""Of each conversation, one after another; the server dies during the second."""
REPLY = "word " * 20
FIRST_TOKEN, TOKEN = 0.2, 0.02
"""Seconds: an answer takes 0.6."""


@dataclass(frozen=True)
class Failover:
    """*added*: seconds of each answer beyond the median of the same load before the kill."""

    answers: int
    errors: int
    added: list[float]

    @property
    def p99(self) -> float:
        return percentile(self.added, 0.99)


def _serve(told: Connection) -> None:
    server = ScriptedModelServer(reply=REPLY, delay=FIRST_TOKEN)
    server.token_delay = TOKEN
    server.start()
    told.send(server.url)
    threading.Event().wait()


@contextmanager
def _servers() -> Iterator[tuple[BaseProcess, list[str]]]:
    context = multiprocessing.get_context("spawn")
    processes: list[BaseProcess] = []
    urls: list[str] = []
    try:
        for _ in range(2):
            ours, theirs = context.Pipe()
            processes.append(context.Process(target=_serve, args=(theirs,), daemon=True))
            processes[-1].start()
            urls.append(ours.recv())
        yield processes[0], urls
    finally:
        for process in processes:
            process.kill()
            process.join()


def measure() -> Failover:
    with _servers() as (victim, urls), ThreadPoolExecutor(CONVERSATIONS) as pool:
        model = VllmModel(urls, "gpt-oss-20b")

        def ask(number: int) -> float | None:
            begun = time.monotonic()
            try:
                model.complete(
                    [ChatMessage(role="user", content="hi")],
                    conversation=f"conversation {number}",
                    deadline=timedelta(seconds=30),
                    max_tokens=99,
                )
            except ModelError:
                return None
            return time.monotonic() - begun

        usual = percentile([it for it in pool.map(ask, range(CONVERSATIONS)) if it is not None], 0.5)
        killer = threading.Timer(usual * 1.5, victim.kill)
        killer.start()
        took = list(pool.map(lambda n: [ask(n) for _ in range(ANSWERS)], range(CONVERSATIONS)))
        killer.join()
        model.close()
    flat = [it for each in took for it in each]
    answered = [it for it in flat if it is not None]
    return Failover(len(flat), len(flat) - len(answered), [it - usual for it in answered])
