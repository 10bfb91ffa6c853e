"""`python -m bot.serving.warm_up PID [CONFIG]`: asks each assistant one question once the model server listens.

`frontdesk model` becomes vLLM by exec, so that signals, the exit code and the supervisor's view are vLLM's own;
what is to happen after the start is left to this process, which it starts before. vLLM has captured its graphs when
`/health` says 200; what is still cold then are the vocabulary and the grammars of tool calls (3.9 s measured at the
first one, vLLM sheet §3) and the prefix cache of each assistant's rules. It ends with its work, or with PID.
"""

import os
import select
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot import logs
from bot.config import Config
from bot.serving import model_health
from bot.wiring import build_assistants, build_model, read_config
from inference.errors import ModelError
from inference.values import ChatMessage, Question, ToolSpec

LONGEST_LOADING = timedelta(minutes=60)
BEAT = 1.0
"""Seconds between two looks."""
PATIENCE = timedelta(minutes=2)
"""For one answer of a cold server."""

PING = ToolSpec(
    name="ping",
    description="Does nothing.",
    parameters={"type": "object", "properties": {}, "required": [], "additionalProperties": False},
)


def at_home(config: Config) -> Config:
    """*config* with the server that `frontdesk model` starts as the only replica."""
    serve = config.model.serve
    host = "127.0.0.1" if serve.host in ("0.0.0.0", "::", "") else serve.host  # noqa: S104  compared, not bound
    model = config.model.model_copy(update={"replicas": (f"http://{host}:{serve.port}/v1",)})
    return config.model_copy(update={"model": model})


def warm_up(config: Config) -> int:
    """How many assistants got an answer of the model. Never raises for what the server does."""
    if model := build_model(config):
        hello = [ChatMessage(role="user", content="Hello")]
        with suppress(ModelError):  # the assistants' questions tell whether it serves
            model.complete(hello, conversation="warm-up", deadline=PATIENCE, max_tokens=16, tools=[PING])
        model.close()
    question = Question(
        conversation="warm-up", history=(), texts=["Hello"], now=datetime.now(UTC), deadline=PATIENCE
    )
    return sum(not each.answer(question).degraded for each in build_assistants(config).values())


def _wait(config: Config, server: int) -> bool:
    """True once the server serves the model; False if it ended before, or loads for ever. A descriptor tells the
    end where a signal to the number would still find a process that nobody has collected."""
    end = time.monotonic() + LONGEST_LOADING.total_seconds()
    key = config.model.api_key.get_secret_value()
    try:
        process = os.pidfd_open(server)
    except ProcessLookupError:
        return False
    while time.monotonic() < end:
        if model_health.examine(config.model.replicas[0], config.model.name, key).ok:
            return True
        if select.select([process], [], [], BEAT)[0]:
            break
    return False


def main() -> None:
    """Detaches first: vLLM would not collect a child that it knows nothing of."""
    if os.fork():
        os._exit(0)
    os.setsid()
    server, *path = sys.argv[1:]
    config = at_home(read_config(Path(path[0]) if path else None))
    logs.setup(config.log.level)
    if _wait(config, int(server)):
        begun = time.monotonic()
        logs.log("model_warm", assistants=warm_up(config), took_ms=round((time.monotonic() - begun) * 1000))


if __name__ == "__main__":
    main()
