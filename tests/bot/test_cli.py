"""The command line as a whole: help, versions, and what an operator reads when something is wrong."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import exits, frontdesk

COMMANDS = ("bench", "chat", "check", "deadletter", "model", "run", "sandbox", "web", "worker")
READERS = ("run", "web", "worker", "check", "chat", "model --print", "deadletter list", "deadletter redrive --all")
NESTED = ("deadletter list", "deadletter show", "deadletter redrive")


def run(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`frontdesk` with *arguments* as a real process, without a configuration of the surroundings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK")}
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env={**clean, **(env or {})},
    )


def test_the_help_lists_every_command_and_every_exit_code() -> None:
    shown = CliRunner().invoke(frontdesk, ["--help"]).output
    for command in COMMANDS:
        assert f"\n  {command} " in shown
    for code, meaning in exits.MEANINGS.items():
        assert f"{code}  {meaning}" in shown


def test_every_exit_code_that_has_a_name_has_a_meaning() -> None:
    named = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert named == exits.MEANINGS.keys()


@pytest.mark.parametrize("command", [*COMMANDS, *NESTED])
def test_every_command_explains_itself_with_examples_that_begin_with_frontdesk(command: str) -> None:
    result = CliRunner().invoke(frontdesk, [*command.split(), "--help"])
    assert result.exit_code == exits.OK
    examples = result.output.split("Examples:\n")[1].split("\n\n")[0].splitlines()
    assert examples
    assert all("frontdesk " in line for line in examples)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_first_sentence_of_a_command_fits_into_the_list(command: str) -> None:
    listed = CliRunner().invoke(frontdesk, ["--help"]).output
    line = next(line for line in listed.splitlines() if line.startswith(f"  {command} "))
    assert line.endswith(".")
    assert not line.endswith("...")


def test_the_help_loads_none_of_the_heavy_libraries() -> None:
    heavy = ("pydantic", "flask", "redis", "requests", "cryptography", "prometheus_client", "gunicorn")
    code = f"import sys, bot.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout.startswith("frontdesk, version 0.")


def test_an_unknown_command_is_a_usage_error() -> None:
    assert run("frobnicate").returncode == exits.USAGE


def test_every_problem_of_a_configuration_is_printed_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "frontdesk.toml"
    file.write_text('[server]\nport = 99999\nhoost = "x"\n[sessions]\nttl = "soon"\n')
    done = run("--config", str(file), "check")
    assert done.returncode == exits.CONFIG
    for key in ("server.port", "server.hoost", "sessions.ttl"):
        assert f"configuration: {key}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", READERS)
def test_the_configuration_may_stand_after_the_command(tmp_path: Path, command: str) -> None:
    named = f"--config={tmp_path / 'none.toml'}"
    done = run(*command.split(), named, env={"FRONTDESK_CONFIG": str(tmp_path / "other.toml")})
    assert done.returncode == exits.CONFIG
    assert "none.toml: cannot be read" in done.stderr


def test_a_configuration_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = run("--config", str(tmp_path / "no.toml"), "run")
    assert done.returncode == exits.CONFIG
    assert "no.toml" in done.stderr


def test_the_configuration_may_be_named_by_the_environment(tmp_path: Path) -> None:
    done = run("check", env={"FRONTDESK_CONFIG": str(tmp_path / "named.toml")})
    assert done.returncode == exits.CONFIG
    assert "named.toml" in done.stderr


@pytest.mark.parametrize("command", ["web", "worker", "deadletter list"])
def test_a_process_without_any_redis_says_what_to_start(tmp_path: Path, command: str) -> None:
    done = run(*command.split(), env={"FRONTDESK__SERVER__DATA_DIR": str(tmp_path)}, cwd=tmp_path)
    assert done.returncode == exits.CONFIG
    assert "redis.url" in done.stderr
    assert "frontdesk run" in done.stderr


@pytest.mark.parametrize("command", ["run", "web"])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, redis_server: str, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(
            command,
            env={
                "FRONTDESK__SERVER__DATA_DIR": str(tmp_path),
                "FRONTDESK__SERVER__PORT": port,
                "FRONTDESK__REDIS__URL": redis_server,
                "FRONTDESK__REDIS__ALLOW_VOLATILE": "true",
            },
            cwd=tmp_path,
        )
    assert done.returncode == exits.UNAVAILABLE
    assert port in done.stderr
    assert "server.port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_dir_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = run("run", env={"FRONTDESK__SERVER__DATA_DIR": str(blocked / "var")}, cwd=tmp_path)
    assert done.returncode == exits.CONFIG
    assert done.stderr.startswith("configuration: server.data_dir: cannot write to ")
    assert len(done.stderr.splitlines()) == 1


def test_a_redis_that_may_lose_messages_is_refused_by_web_and_worker(tmp_path: Path, redis_server: str) -> None:
    for command in ("web", "worker"):
        done = run(
            command,
            env={"FRONTDESK__SERVER__DATA_DIR": str(tmp_path), "FRONTDESK__REDIS__URL": redis_server},
            cwd=tmp_path,
        )
        assert done.returncode == exits.CONFIG, done.stderr
        assert "appendfsync" in done.stderr
        assert "Traceback" not in done.stderr


SIGNALLED = """
import sys, threading
from bot.cli.worker import leave_on_signals

stop = threading.Event()
leave_on_signals(stop, within=float(sys.argv[1]))
print("ready", flush=True)
stop.wait()
print("stopping", flush=True)
threading.Event().wait()  # a drain that never ends
"""


def test_a_worker_that_cannot_finish_leaves_when_its_time_is_over() -> None:
    process = subprocess.Popen([sys.executable, "-c", SIGNALLED, "0.5"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(10) == exits.OK
    process.stdout.close()


def test_a_second_signal_ends_a_worker_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", SIGNALLED, "60"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.stdout.readline() == "stopping\n"
    process.terminate()
    assert process.wait(10) == exits.INTERRUPTED
    process.stdout.close()
