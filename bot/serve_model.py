"""`frontdesk model`: the `vllm serve` command line from `[model]` and `[model.serve]`.

The flags beyond the settings are those of the vLLM sheet §1 and §11: bound queue and drain, so that overload is a
503 that our client knows; priority scheduling, request ids and keep-alive lines, which our client uses.
"""

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.config import Model, Serve

STANDING_FLAGS = (
    *("--enable-auto-tool-choice",),
    *("--scheduling-policy", "priority"),
    *("--max-num-queued-reqs", "256"),
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
        yield "--enable-lora"
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
