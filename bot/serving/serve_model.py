"""`frontdesk model`: the `vllm serve` command line from `[model]` and `[model.serve]`.

The flags beyond the settings are those of the vLLM sheet §1 and §11: bound queue and drain, so that overload is a
503 that our client knows; priority scheduling, request ids and keep-alive lines, which our client uses.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.config import Model, Serve
from bot.serving import gpu_memory

STANDING_FLAGS = (
    *("--enable-auto-tool-choice",),
    *("--scheduling-policy", "priority"),
    *("--shutdown-timeout", "60"),
    *("--enable-prompt-tokens-details",),
    *("--enable-request-id-headers",),
    *("--sse-keep-alive-interval", "15"),
    *("--disable-access-log-for-endpoints", "/health,/metrics"),
)

TOOL_CALL_PARSERS = {"gpt-oss": "openai"}
"""The Harmony parser's name (vLLM sheet §1); a word of the model's path says which family it is."""


def command(model: Model) -> list[str]:
    """The arguments, program first. The API key is not among them: a flag shows in `ps` (vLLM sheet §11.2)."""
    return ["vllm", "serve", model.serve.path, "--served-model-name", model.name, *_flags(model.serve)]


def _flags(serve: Serve) -> Iterator[str]:
    settings = {
        "--host": serve.host,  # unset, vLLM listens on every interface (vLLM sheet §11.1)
        "--port": serve.port,
        "--tensor-parallel-size": serve.tensor_parallel_size,
        "--dtype": serve.dtype,
        "--gpu-memory-utilization": serve.gpu_memory_utilization,
        "--max-model-len": serve.max_model_len,
        "--max-num-seqs": serve.max_num_seqs,
        "--max-num-queued-reqs": serve.max_num_queued_reqs,
        "--quantization": serve.quantization,
        "--reasoning-parser": serve.reasoning_parser,
    }
    for flag, value in settings.items():
        if value is not None:
            yield from (flag, str(value))
    parser = serve.tool_call_parser or _parser_of(serve.path)
    if parser:
        yield from ("--tool-call-parser", parser)
        yield from STANDING_FLAGS
    else:
        yield from STANDING_FLAGS[1:]  # vLLM refuses automatic tool choice without a parser
    if serve.lora_modules:
        yield from ("--enable-lora", "--max-loras", str(len(serve.lora_modules)))  # 1 would serve them by turns
        yield "--lora-modules"
        yield from (f"{name}={path}" for name, path in serve.lora_modules.items())
    yield from serve.extra_args


def _parser_of(path: str) -> str | None:
    return next((parser for family, parser in TOOL_CALL_PARSERS.items() if family in path.lower()), None)


def environment(model: Model, base: Mapping[str, str]) -> dict[str, str]:
    """*base* plus the key, and no usage statistics to anybody (vLLM sheet §11.9)."""
    key = model.api_key.get_secret_value()
    return {**base, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", **({"VLLM_API_KEY": key} if key else {})}


def quoted(arguments: list[str]) -> str:
    """For a shell, without the key."""
    return shlex.join(arguments)


def program() -> str | None:
    """Where `vllm` is: beside our own interpreter, or on the PATH. None: not installed."""
    beside = Path(sys.executable).with_name("vllm")
    return str(beside) if beside.is_file() else shutil.which("vllm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was found out about the GPUs: a *problem* that forbids the start, or else a *remark*."""

    problem: str = ""
    remark: str = ""


def memory(serve: Serve, environment: Mapping[str, str]) -> Memory:
    if not serve.check_memory:
        return Memory(remark="GPU memory: not checked (model.serve.check_memory is false)")
    present = gpu_memory.cards(environment)
    if present is None:
        return Memory(remark="GPU memory: not checked, because nvidia-smi is not here or tells no memory")
    wanted = gpu_memory.needs(serve.path, environment)
    if problem := gpu_memory.why_not(serve, present, wanted):
        return Memory(problem=problem)
    names = ", ".join(f"{card.index} ({card.name})" for card in present[: serve.tensor_parallel_size])
    unknown = "" if wanted else f", though the size of {serve.path} is not known before its download"
    return Memory(remark=f"GPU memory: enough on {names}{unknown}")


def start_warm_up(config: Path | None, server: int) -> None:
    """Starts :mod:`bot.serving.warm_up` for the process *server*, which is about to become vLLM. Returns once it
    stands on its own; it writes to our stderr only. Nothing happens where it could not see that end (pidfd)."""
    if not hasattr(os, "pidfd_open"):
        return
    told = [str(config)] if config else []
    subprocess.run(
        [sys.executable, "-m", "bot.serving.warm_up", str(server), *told], check=False, stdout=subprocess.DEVNULL
    )
