"""`frontdesk model`: the command line that vLLM gets, and what it must not show."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.cli import exits
from bot.cli.port import any_free
from bot.config import Model, Serve
from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_faults import BEHAVIOURS
from bot.serving import serve_model
from bot.serving.warm_up import at_home, warm_up
from bot.wiring import read_config

KEY = "canary-key-3f9a"


@pytest.fixture
def server() -> Iterator[ScriptedModelServer]:
    with ScriptedModelServer() as running:
        yield running


def model(**serve: object) -> Model:
    return Model(api_key=SecretStr(KEY), serve=Serve.model_validate(serve))


def value(arguments: list[str], flag: str) -> str | None:
    return arguments[arguments.index(flag) + 1] if flag in arguments else None


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--served-model-name", "gpt-oss-20b"),
        ("--host", "127.0.0.1"),
        ("--port", "8000"),
        ("--tensor-parallel-size", "1"),
        ("--gpu-memory-utilization", "0.9"),
        ("--max-model-len", "16384"),
        ("--max-num-seqs", "128"),
        ("--tool-call-parser", "openai"),
        ("--scheduling-policy", "priority"),
        ("--max-num-queued-reqs", "256"),
        ("--shutdown-timeout", "60"),
    ],
)
def test_the_defaults_serve_gpt_oss_20b_on_one_gpu(flag: str, expected: str) -> None:
    arguments = serve_model.command(Model())
    assert arguments[:3] == ["vllm", "serve", "openai/gpt-oss-20b"]
    assert value(arguments, flag) == expected


@pytest.mark.parametrize(
    ("setting", "given", "flag", "expected"),
    [
        ("tensor_parallel_size", 4, "--tensor-parallel-size", "4"),
        ("dtype", "bfloat16", "--dtype", "bfloat16"),
        ("gpu_memory_utilization", 0.5, "--gpu-memory-utilization", "0.5"),
        ("max_model_len", 4096, "--max-model-len", "4096"),
        ("max_num_seqs", 16, "--max-num-seqs", "16"),
        ("quantization", "fp8", "--quantization", "fp8"),
        ("tool_call_parser", "hermes", "--tool-call-parser", "hermes"),
        ("reasoning_parser", "qwen3", "--reasoning-parser", "qwen3"),
        ("host", "10.0.0.5", "--host", "10.0.0.5"),
        ("port", 9000, "--port", "9000"),
    ],
)
def test_every_setting_becomes_its_flag(setting: str, given: object, flag: str, expected: str) -> None:
    assert value(serve_model.command(model(**{setting: given})), flag) == expected


def test_what_is_not_set_is_left_to_vllm() -> None:
    arguments = serve_model.command(Model())
    assert "--quantization" not in arguments
    assert "--reasoning-parser" not in arguments
    assert "--enable-lora" not in arguments


def test_another_model_gets_no_tool_parser_of_gpt_oss() -> None:
    arguments = serve_model.command(model(path="Qwen/Qwen3-8B"))
    assert "--tool-call-parser" not in arguments
    assert "--enable-auto-tool-choice" not in arguments  # vLLM refuses it without a parser


def test_adapters_are_named_with_their_paths() -> None:
    arguments = serve_model.command(model(lora_modules={"shop": "/adapters/shop", "night": "/adapters/night"}))
    assert "--enable-lora" in arguments
    start = arguments.index("--lora-modules")
    assert arguments[start + 1 : start + 3] == ["shop=/adapters/shop", "night=/adapters/night"]


def test_extra_arguments_come_last_so_that_they_win() -> None:
    arguments = serve_model.command(model(extra_args=["--max-num-seqs", "7", "--enforce-eager"]))
    assert arguments[-3:] == ["--max-num-seqs", "7", "--enforce-eager"]


def test_the_key_is_in_the_environment_and_not_among_the_arguments() -> None:
    assert KEY not in " ".join(serve_model.command(model()))
    environment = serve_model.environment(model(), {"PATH": "/bin"})
    assert environment["VLLM_API_KEY"] == KEY
    assert environment["PATH"] == "/bin"


def test_no_usage_statistics_leave_the_machine() -> None:
    environment = serve_model.environment(Model(), {})
    assert environment["VLLM_NO_USAGE_STATS"] == "1"
    assert environment["DO_NOT_TRACK"] == "1"
    assert "VLLM_API_KEY" not in environment


def test_the_shown_command_is_one_that_a_shell_reads_back() -> None:
    arguments = serve_model.command(model(path="/models/my model", extra_args=["--x", "it's"]))
    shown = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\n' {serve_model.quoted(arguments)}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines() == arguments


def frontdesk_model(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK")}
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "model", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**clean, "PATH": str(path), "FRONTDESK__MODEL__API_KEY": KEY},
    )


def test_print_shows_the_command_without_the_key_and_starts_nothing(tmp_path: Path) -> None:
    done = frontdesk_model("--print", path=tmp_path)
    assert done.returncode == exits.OK
    assert done.stdout.startswith("vllm serve openai/gpt-oss-20b ")
    assert KEY not in done.stdout + done.stderr


def test_a_machine_without_vllm_is_told_how_to_install_it(tmp_path: Path) -> None:
    done = frontdesk_model(path=tmp_path)
    assert done.returncode == exits.UNAVAILABLE
    assert "pip install 'frontdesk[vllm]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_becomes_vllm_itself(tmp_path: Path) -> None:
    fake = tmp_path / "vllm"
    fake.write_text('#!/bin/sh\necho "$$ $1 $2 key=$VLLM_API_KEY"\nexit 3\n')
    fake.chmod(0o700)
    done = frontdesk_model(path=tmp_path)
    assert done.returncode == 3
    assert done.stdout.split()[1:] == ["serve", "openai/gpt-oss-20b", f"key={KEY}"]


def test_a_model_that_does_not_fit_is_refused_before_vllm_starts(tmp_path: Path) -> None:
    for name, text in {"vllm": "echo started", "nvidia-smi": "echo '0, small, 8192, 8000'"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o700)
    done = frontdesk_model(path=tmp_path)
    assert done.returncode == exits.UNAVAILABLE
    assert "started" not in done.stdout
    assert "more than GPU 0 (small) gives" in done.stderr


# The warm-up


def test_every_assistant_of_the_served_model_is_asked_once_and_a_tool_is_offered(
    server: ScriptedModelServer, tmp_path: Path
) -> None:
    path = tmp_path / "frontdesk.toml"
    path.write_text(f"""
        [model]
        replicas = ["http://elsewhere.example/v1"]
        [model.serve]
        host = "0.0.0.0"
        port = {server.port}
        [assistants.default]
        [assistants.night]
        model = "night"
    """)
    assert warm_up(at_home(read_config(path))) == 2
    assert sorted(body["model"] for body in server.requests) == ["gpt-oss-20b", "gpt-oss-20b", "night"]
    assert "tools" in server.requests[0]


def test_a_server_that_cannot_answer_is_warm_for_nobody(server: ScriptedModelServer, tmp_path: Path) -> None:
    server.usually = BEHAVIOURS["400"]
    path = tmp_path / "frontdesk.toml"
    path.write_text(f"[model.serve]\nport = {server.port}")
    assert warm_up(at_home(read_config(path))) == 0


def test_the_warm_up_waits_for_the_server_on_its_own_and_says_when_it_is_done(tmp_path: Path) -> None:
    """As `frontdesk model` starts it: the server listens later, and the process that is to be vLLM lives on."""
    port = any_free(0)
    path = tmp_path / "frontdesk.toml"
    path.write_text(f"[model.serve]\nport = {port}")
    with subprocess.Popen(
        [sys.executable, "-m", "bot.serving.warm_up", str(os.getpid()), str(path)],
        stderr=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.wait(30) == 0
        with ScriptedModelServer(port) as server:
            assert starter.stderr
            lines = starter.stderr.read().splitlines()
            assert server.requests
    assert json.loads(lines[-1])["action"] == "model_warm"


def test_the_warm_up_ends_when_the_server_does(tmp_path: Path) -> None:
    path = tmp_path / "frontdesk.toml"
    path.write_text(f"[model.serve]\nport = {any_free(0)}")
    with subprocess.Popen(["/bin/true"]) as gone:
        pass
    done = subprocess.run(
        [sys.executable, "-m", "bot.serving.warm_up", str(gone.pid), str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "model_warm" not in done.stderr
