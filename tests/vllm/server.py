"""One `vllm serve` as a process group of its own, from nothing listening to nothing left."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from sessions import leash
from tests.vllm.dialogues import TODAY
from tests.vllm.environment import HOME, VLLM

NAME = "shop"
KEY = "sesame"
START_LIMIT = 300.0
"""Seconds. Measured from process to /health: 25 on two quiet cores, 190 on busy ones."""
QUEUE = 64
"""What the server takes at once, waiting ones included; beyond, it refuses."""
STEP = 0.05
"""Seconds of a held engine's work at a time: some 25 tokens on quick cores, of the 1900 of an endless answer."""

ENVIRONMENT = {
    "VLLM_SYSTEM_START_DATE": TODAY,
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "TORCH_COMPILE_DISABLE": "1",  # else some first requests compile for half a minute, in spite of --enforce-eager
    "VLLM_LOGGING_COLOR": "0",
}
FLAGS = [
    *("--host", "127.0.0.1", "--dtype", "float32", "--enforce-eager"),
    *("--max-num-seqs", str(QUEUE), "--max-num-queued-reqs", str(QUEUE)),
    *("--kv-cache-memory-bytes", "64M"),  # without a limit vLLM wants 92 % of the machine's memory
    *("--served-model-name", NAME, "--api-key", KEY),
    *("--enable-auto-tool-choice", "--scheduling-policy", "priority"),
    *("--enable-request-id-headers", "--enable-prompt-tokens-details"),
]


class DidNotStart(Exception):
    """The server is not ready in time, or ended before; its log says why."""


class VllmServer:
    """Started and stopped once. *log* stays for reading. Use as a context manager: it leaves no process behind."""

    def __init__(self, model: Path, *flags: str) -> None:
        self.port = _free_port()
        self.log = HOME / "logs" / f"{model.name}-{self.port}.log"
        self._flags = flags
        self._model = model
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "VllmServer":
        self.log.parent.mkdir(exist_ok=True)
        command = [str(VLLM), "serve", str(self._model), "--port", str(self.port), *FLAGS, *self._flags]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", "10", sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command],
                env=os.environ | ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(self._healthy, seconds=START_LIMIT)
        except BaseException as error:
            self.stop()
            end = self.log.read_text("utf-8", "replace")[-3000:]
            raise DidNotStart(f"{' '.join(command)}\n{end}\nThe whole log: {self.log}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """The whole group, whatever state it is in."""
        process = self._running()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not _members(process.pid), seconds=30)

    def terminate(self) -> None:
        """What a supervisor sends: to the first process only."""
        self._running().send_signal(signal.SIGTERM)

    def kill_engine(self) -> None:
        """As the kernel does when memory is short."""
        for engine in self._engines():
            engine.kill()

    @contextmanager
    def held(self) -> Iterator["Held"]:
        """The engine stands still meanwhile, however quick it is: what it works on or has queued stays as it is."""
        held = Held(self._engines())
        held.stop()
        try:
            yield held
        finally:
            held.go()

    def exit_code(self, *, within: float) -> int:
        return self._running().wait(within)

    def post(self, question: str, **fields: object) -> requests.Response:
        """A request without our client: what the server itself says. Its body is not yet read."""
        asked = {"model": NAME, "messages": [{"role": "user", "content": question}], "temperature": 0, **fields}
        key = {"Authorization": f"Bearer {KEY}"}
        return requests.post(f"{self.url}/chat/completions", json=asked, headers=key, timeout=60, stream=True)

    def events(self, question: str, **fields: object) -> list[Any]:
        """The events of a stream, without `[DONE]`."""
        with self.post(question, stream=True, **fields) as response:
            data = [line.removeprefix(b"data: ") for line in response.iter_lines() if line]
        assert data.pop() == b"[DONE]", (response.status_code, data)
        return [json.loads(it) for it in data]

    def metric(self, name: str) -> float:
        """The sum over a metric's labels; /metrics needs no key."""
        page = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text
        values = re.findall(rf"^vllm:{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE)
        assert values, f"vLLM has no metric {name} any more"
        return sum(map(float, values))

    def running(self) -> int:
        """How many sequences the engine works on or holds in its queue."""
        return int(self.metric("num_requests_running") + self.metric("num_requests_waiting"))

    def connections(self) -> int:
        """How many clients have one open."""
        return sum(
            it.status == psutil.CONN_ESTABLISHED and it.laddr.port == self.port
            for process in _members(self._running().pid)
            for it in process.net_connections("tcp")
        )

    def _engines(self) -> Sequence[psutil.Process]:
        engines = [it for it in _members(self._running().pid) if "EngineCore" in " ".join(it.cmdline())]
        assert engines, "vLLM has no process named EngineCore any more"
        return engines

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was never started"
        return self._process

    def _healthy(self) -> bool:
        if (code := self._running().poll()) is not None:
            raise DidNotStart(f"exit code {code}")
        with suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{self.port}/health", timeout=5).status_code == 200
        return False


class Held:
    """An engine that stands still. Beside a running one its server may be too busy to say how many it works on: on
    quick cores its event loop was seen to answer nothing else until a stream of 1900 tokens was over."""

    def __init__(self, engines: Sequence[psutil.Process]) -> None:
        self._engines = engines

    def stop(self) -> None:
        for engine in self._engines:
            with suppress(psutil.NoSuchProcess):
                engine.suspend()

    def go(self) -> None:
        for engine in self._engines:
            with suppress(psutil.NoSuchProcess):
                engine.resume()

    def until(self, done: Callable[[], bool], *, seconds: float) -> None:
        """A little work at a time, until it has led to what is wanted."""

        def nearer() -> bool:
            self.go()
            time.sleep(STEP)
            self.stop()
            return done()

        wait_until(nearer, seconds=seconds)

    @contextmanager
    def slowly(self) -> Iterator[None]:
        """At a fifth of its speed meanwhile."""
        over = threading.Event()

        def beat() -> None:
            while not over.is_set():
                self.go()
                time.sleep(STEP)
                self.stop()
                over.wait(4 * STEP)

        thread = threading.Thread(target=beat)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def wait_until(done: Callable[[], bool], *, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not done():
        if time.monotonic() > limit:
            raise TimeoutError(f"not within {seconds} seconds")
        time.sleep(0.05)


def _members(group: int) -> Sequence[psutil.Process]:
    """The processes of a group that are not yet gone."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
