"""`frontdesk check`: each thing that can be wrong is found, with a next step, and nothing hangs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.channel import Finding
from bot.check import findings
from bot.cli import exits
from bot.cli.port import any_free
from bot.config import Config
from bot.sandbox.model import ScriptedModelServer
from bot.serving.model_health import examine
from bot.wiring import read_config
from sessions.alarms import RedisAlarms
from sessions.meter import RedisMeter
from sessions.store import RedisStore
from tests.fakes import Answer, Call, RecordingServer, json_answer

KEY = "canary-key"


class Vllm:
    """What one answers to `/health` and `/v1/models`."""

    def __init__(self) -> None:
        self.health = Answer()
        self.models = json_answer({"object": "list", "data": [{"id": "gpt-oss-20b"}, {"id": "adapter"}]})

    def __call__(self, call: Call) -> Answer:
        if call.path == "/health":
            return self.health
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return json_answer({"error": "Unauthorized"}, status=401)
        return self.models if call.path == "/v1/models" else Answer(status=404)


@pytest.fixture
def vllm() -> Vllm:
    return Vllm()


@pytest.fixture
def server(vllm: Vllm) -> Iterator[RecordingServer]:
    with RecordingServer(vllm) as server:
        yield server


def test_a_replica_that_serves_the_model_is_ok(server: RecordingServer) -> None:
    finding = examine(f"{server.url}/v1", "gpt-oss-20b", KEY)
    assert finding.ok
    assert [call.path for call in server.calls] == ["/health", "/v1/models"]


def test_a_replica_that_serves_another_model_names_what_it_serves(server: RecordingServer) -> None:
    finding = examine(f"{server.url}/v1", "gpt-oss-120b", KEY)
    assert not finding.ok
    assert "gpt-oss-20b, adapter" in finding.next_step
    assert "model.name" in finding.next_step


def test_a_wrong_key_is_named_without_showing_it(server: RecordingServer) -> None:
    finding = examine(f"{server.url}/v1", "gpt-oss-20b", "canary-wrong")
    assert not finding.ok
    assert "model.api_key" in finding.next_step
    assert "canary" not in finding.next_step + finding.what


def test_a_dead_engine_is_not_taken_for_a_wrong_name(server: RecordingServer, vllm: Vllm) -> None:
    vllm.health = Answer(status=503)
    finding = examine(f"{server.url}/v1", "gpt-oss-20b", KEY)
    assert not finding.ok
    assert "503" in finding.next_step


def test_a_replica_that_is_not_there_says_how_to_start_it() -> None:
    finding = examine(f"http://127.0.0.1:{any_free(0)}/v1", "gpt-oss-20b", KEY)
    assert not finding.ok
    assert "frontdesk model" in finding.next_step


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html>"),
        json_answer([]),
        json_answer({"data": 3}),
        json_answer({"data": [{"name": "x"}]}),
        Answer(cut=True),
        Answer(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        Answer(status=500),
    ],
)
def test_whatever_a_replica_says_is_a_finding_and_no_crash(
    server: RecordingServer, vllm: Vllm, answer: Answer
) -> None:
    vllm.models = answer
    finding = examine(f"{server.url}/v1", "gpt-oss-20b", KEY)
    assert not finding.ok
    assert finding.next_step


# The whole


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FRONTDESK")]:
        monkeypatch.delenv(name)
    return tmp_path / "frontdesk.toml"


def configuration(file: Path, text: str) -> Config:
    file.write_text(text)
    return read_config(file)


def named(config: Config, word: str, **options: Any) -> Finding:
    """The first finding about *word*."""
    return next(finding for finding in findings(config, **options) if finding.what.startswith(word))


WHATSAPP = """
[channels.shop]
platform = "whatsapp"
phone_number_id = "106540352242922"
access_token = "canary-access-token"
app_secret = "canary-app-secret"
verify_token = "canary-verify-token"
api_base = "{api_base}"
"""


def test_an_unwritable_data_dir_fails(file: Path) -> None:
    (file.parent / "var").write_text("a file")
    finding = named(configuration(file, ""), "data_dir")
    assert not finding.ok
    assert "server.data_dir" in finding.next_step


def test_without_a_redis_of_ones_own_the_embedded_one_is_looked_for(file: Path) -> None:
    finding = named(configuration(file, ""), "redis")
    assert finding.ok
    assert "frontdesk run" in finding.what


def test_a_redis_that_does_not_answer_fails(file: Path) -> None:
    finding = named(configuration(file, f'[redis]\nurl = "redis://127.0.0.1:{any_free(0)}"'), "redis")
    assert not finding.ok
    assert "redis.url" in finding.next_step


def test_a_redis_that_may_lose_messages_fails_with_every_reason(file: Path, redis_server: str) -> None:
    finding = named(configuration(file, f'[redis]\nurl = "{redis_server}"'), "redis")
    assert not finding.ok
    assert "appendfsync" in finding.next_step
    assert "\n" not in finding.next_step


def test_an_accepted_volatile_redis_passes_and_is_still_mentioned(file: Path, redis_server: str) -> None:
    config = configuration(file, f'[redis]\nurl = "{redis_server}"\nallow_volatile = true')
    about = [finding for finding in findings(config) if finding.what.startswith("redis")]
    assert all(finding.ok for finding in about)
    assert any("appendfsync" in finding.next_step for finding in about)


def test_an_unreadable_faq_file_fails(file: Path) -> None:
    (file.parent / "faq.csv").write_bytes(b"question,answer\n\xff\xfe,\x80\n")
    finding = named(configuration(file, '[assistants.default]\nfaq = "faq.csv"'), "FAQ of default")
    assert not finding.ok
    assert "assistants.default.faq" in finding.next_step


def test_a_file_that_the_faq_names_but_nobody_put_there_fails(file: Path) -> None:
    files = file.parent / "var" / "files"
    files.mkdir(parents=True)
    (files / "plan.png").write_bytes(b"x")
    faq = 'question,answer\nWhere?,"![plan](file:plan.png) [prices](file:price%20list.pdf)"\n'
    (file.parent / "faq.csv").write_text(faq, "utf-8")
    config = configuration(file, '[assistants.default]\nfaq = "faq.csv"')
    finding = named(config, "file price list.pdf")
    assert not finding.ok
    assert "server.files_dir" in finding.next_step
    assert not [each for each in findings(config) if "plan.png" in each.what]


def test_the_example_faq_passes(file: Path) -> None:
    assert named(configuration(file, ""), "FAQ of default").ok


def test_a_platform_that_is_not_reached_fails_for_its_channel(file: Path) -> None:
    config = configuration(file, WHATSAPP.format(api_base=f"http://127.0.0.1:{any_free(0)}"))
    about = [finding for finding in findings(config) if "channel shop" in finding.what]
    assert not all(finding.ok for finding in about)
    assert not any("canary" in finding.what + finding.next_step for finding in about)


def test_what_never_answers_is_left_behind_within_the_limit(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = configuration(file, f'[model]\nreplicas = ["http://127.0.0.1:{silent.getsockname()[1]}/v1"]')
        begun = time.monotonic()
        finding = named(config, "model", limit=timedelta(seconds=1))
        assert not finding.ok
        assert time.monotonic() - begun < 4


def test_a_blocked_account_fails_with_the_platforms_reason(
    file: Path, redis_store: RedisStore, redis_server: str
) -> None:
    RedisAlarms(redis_store).raise_("shop", "131031: the account is locked", probe_after=timedelta(seconds=60))
    config = configuration(file, f'[redis]\nurl = "{redis_server}"\nallow_volatile = true')
    finding = named(config, "channel shop: account")
    assert not finding.ok
    assert "131031" in finding.next_step


def test_what_is_counted_by_the_month_is_shown(file: Path, redis_store: RedisStore, redis_server: str) -> None:
    month = f"{datetime.now(UTC):%Y-%m}"
    RedisMeter(redis_store).add("shop", "billed_regular", month=month, count=3)
    text = WHATSAPP.format(api_base=f"http://127.0.0.1:{any_free(0)}")
    config = configuration(file, f'{text}\n[redis]\nurl = "{redis_server}"\nallow_volatile = true')
    assert any(f"{month}: billed_regular 3" in finding.what for finding in findings(config))


def frontdesk_check(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "--config", str(file), "check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=file.parent,
    )


def test_the_command_prints_a_line_each_and_exits_1_if_any_fails(file: Path) -> None:
    configuration(file, f'[model]\nreplicas = ["http://127.0.0.1:{any_free(0)}/v1"]')
    done = frontdesk_check(file)
    assert done.returncode == exits.FAILED
    lines = done.stdout.splitlines()
    assert all(line.startswith(("ok   ", "FAIL ")) for line in lines)
    assert all(" — " in line for line in lines if line.startswith("FAIL"))
    assert sum(line.startswith("FAIL") for line in lines) == 1


def test_the_command_exits_0_when_all_is_well(file: Path) -> None:
    with ScriptedModelServer(api_key=KEY) as server:
        configuration(file, f'[model]\nreplicas = ["{server.url}"]\napi_key = "{KEY}"')
        done = frontdesk_check(file)
    assert done.returncode == exits.OK, done.stdout
    assert KEY not in done.stdout + done.stderr
