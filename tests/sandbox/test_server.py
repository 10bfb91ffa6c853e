"""The sandbox process: the page, the control interface and the live events."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.sandbox import example
from bot.sandbox.server import Sandbox
from bot.sandbox.simulator import control, events
from bot.sandbox.simulator.mischief import Mischief
from tests.fakes import RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

PLATFORMS = ("whatsapp", "wecom", "wecom-aibot", "wecom-kf", "dingtalk", "feishu", "telegram")
PAGE = resources.files("bot.sandbox").joinpath("page")


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def sandbox(bot: RecordingServer) -> Iterator[Sandbox]:
    with Sandbox(bot.url) as served:
        yield served


def post(sandbox: Sandbox, path: str, body: Any = None) -> requests.Response:
    return requests.post(f"{sandbox.url}{path}", json=body or {}, timeout=10)


def read_events(url: str, until: str, last: str = "") -> list[tuple[str, str, Any]]:
    """(id, event, data) of a live stream, up to the first event named *until*."""
    found: list[tuple[str, str, Any]] = []
    headers = {"Last-Event-ID": last} if last else {}
    with requests.get(url, headers=headers, stream=True, timeout=10) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        fields: dict[str, str] = {}
        for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "event" in fields:
                found.append((fields["id"], fields["event"], json.loads(fields["data"])))
                if fields["event"] == until:
                    return found
                fields = {}
    raise AssertionError(f"no event {until} in {found}")


def test_the_page_is_served_with_a_strict_policy(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/sandbox", timeout=10)

    assert answer.url == f"{sandbox.url}/sandbox/"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_every_file_that_the_page_names_is_served(sandbox: Sandbox) -> None:
    names = {entry.name for entry in PAGE.iterdir()}
    text = "".join(PAGE.joinpath(name).read_text("utf-8") for name in names)
    named = set(re.findall(r"(?:href|src)=\"([\w.]+)\"|from '\./([\w.]+)'", text))

    wanted = {one or other for one, other in named}
    assert wanted <= names
    for name in wanted:
        assert requests.get(f"{sandbox.url}/sandbox/{name}", timeout=10).status_code == 200


@pytest.mark.parametrize("path", ["/sandbox/../server.py", "/sandbox/%2e%2e/server.py", "/sandbox/x", "/y"])
def test_no_other_file_is_served(sandbox: Sandbox, path: str) -> None:
    prepared = requests.Request("GET", sandbox.url).prepare()
    prepared.url = f"{sandbox.url}{path}"
    with requests.Session() as session:
        assert session.send(prepared, timeout=10).status_code == 404


def test_the_page_loads_nothing_from_elsewhere_and_has_no_inline_script() -> None:
    for entry in PAGE.iterdir():
        text = entry.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//|url\(['\"]?https?:|@import|import\(", text), entry.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), entry.name
        if entry.name.endswith(".html"):
            assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|<style|\sstyle=", text), entry.name


def words_of(name: str) -> set[str]:
    """The keys of one language's table."""
    found = re.findall(r"(?:^|, |\n) *(?:'([\w ]+)'|(\w+)): ['\[]", PAGE.joinpath(name).read_text("utf-8"))
    keys = [str(quoted or bare) for quoted, bare in found]
    assert len(keys) == len(set(keys))
    return set(keys)


def test_every_word_of_the_page_is_in_both_languages() -> None:
    keys = words_of("en.js")
    code = "".join(entry.read_text("utf-8") for entry in PAGE.iterdir() if entry.name.endswith((".js", ".html")))
    used = set(re.findall(r"(?:data-(?:text|label)=\"|\btext\(')(\w+)['\"]", code))

    assert words_of("en.js") == words_of("zh.js")
    assert used <= keys
    assert len(keys) > 250


def test_the_page_has_words_for_whatever_a_platform_offers(sandbox: Sandbox) -> None:
    keys = words_of("en.js")
    for platform in sandbox.platforms.values():
        state = control.state(platform)
        wanted = {f"kind_{kind}" for kind in state["kinds"]} | {*state["presets"]}
        wanted |= {f"set_{name}" for name in state["settings"]} - {"set_webhook_url"}
        wanted |= {f"hint_{customer['hint']}" for customer in state["customers"]}
        wanted |= {f"call_{route.endpoint}" for route in platform.routes()}
        assert wanted <= keys
    assert {f"mischief_{kind}" for kind in Mischief} <= keys


def test_every_rule_of_the_platforms_is_a_sentence_of_the_page() -> None:
    told = set(re.findall(r"^  (\w+): \['", PAGE.joinpath("rules.js").read_text("utf-8"), re.MULTILINE))
    named = re.compile(r"""rule="(\w+)"|(?:breach|BadAnswer)\(\s*"(\w+)"|invalid\([^\n]*, "(\w+)"\)""")
    code = [entry.read_text("utf-8") for entry in Path(str(PAGE)).parent.rglob("*.py")]
    rules = {next(filter(None, found)) for text in code for found in named.findall(text)}

    assert rules - told == set()
    assert len(rules) > 50


def test_a_message_said_through_the_control_interface_reaches_the_bot(
    sandbox: Sandbox, bot: RecordingServer
) -> None:
    for name in PLATFORMS:
        delivery = post(sandbox, f"/sandbox/_sim/{name}/say", {"text": "Hi"}).json()
        assert delivery["status"] == 200
        assert bot.calls[-1].path == f"/webhooks/{name}"


def test_the_state_names_platforms_and_customers(sandbox: Sandbox) -> None:
    states = requests.get(f"{sandbox.url}/_sim/", timeout=10).json()

    assert tuple(state["name"] for state in states) == PLATFORMS
    assert all(state["customers"] and state["presets"] for state in states)
    assert states[0]["url"] == f"{sandbox.url}/whatsapp"


def test_live_events_tell_what_was_and_what_comes(sandbox: Sandbox) -> None:
    post(sandbox, "/_sim/whatsapp/say", {"text": "Hi <b>"})
    url = f"{sandbox.url}/sandbox/_sim/whatsapp/events"
    events = read_events(url, until="webhook")

    assert [event for _, event, _ in events] == ["reset", "said", "webhook"]
    assert events[1][2]["text"] == "Hi <b>"
    assert events[2][2]["headers"]["X-Hub-Signature-256"].startswith("sha256=")
    assert (events[2][2]["status"], events[2][2]["what"]) == (200, "message")

    post(sandbox, "/_sim/whatsapp/say", {"text": "Again"})
    assert [event for _, event, _ in read_events(url, "webhook", last=events[-1][0])] == ["said", "webhook"]


def test_a_reader_of_a_cleared_journal_starts_anew(sandbox: Sandbox) -> None:
    post(sandbox, "/_sim/wecom/say", {"text": "Hi"})
    url = f"{sandbox.url}/_sim/wecom/events"
    last = read_events(url, until="webhook")[-1][0]
    post(sandbox, "/_sim/wecom/clear")
    post(sandbox, "/_sim/wecom/say", {"text": "Afresh"})

    assert [event for _, event, _ in read_events(url, "webhook", last=last)] == ["reset", "said", "webhook"]


def test_the_events_of_wecom_hold_the_decrypted_xml(sandbox: Sandbox) -> None:
    post(sandbox, "/_sim/wecom/say", {"text": "发货了吗"})
    webhook = read_events(f"{sandbox.url}/_sim/wecom/events", until="webhook")[-1][2]

    assert "<![CDATA[发货了吗]]>" in webhook["clear"]
    assert "发货了吗" not in webhook["body"]


def test_a_stream_ends_by_itself(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STREAM_LIFE", 0.0)
    answer = requests.get(f"{sandbox.url}/_sim/wecom/events", timeout=10)

    assert answer.text == "retry: 300\n\n"


def test_a_preset_fault_waits_for_its_endpoint(sandbox: Sandbox) -> None:
    for name in PLATFORMS:
        for preset in requests.get(f"{sandbox.url}/_sim/{name}/state", timeout=10).json()["presets"]:
            assert post(sandbox, f"/_sim/{name}/faults", {"preset": preset}).status_code == 200
        assert sum(sandbox.platforms[name].faults.waiting().values()) >= 2
        assert post(sandbox, f"/_sim/{name}/clear").json()["faults"] == {}


def test_a_described_fault_is_played(sandbox: Sandbox) -> None:
    described = {"endpoint": "number", "status": 503, "json": {"error": {"code": 2}}, "times": 2, "delay": 0.01}
    assert post(sandbox, "/_sim/whatsapp/faults", described).json()["faults"] == {"number": 2}

    number = sandbox.platforms["whatsapp"].phone_number_id  # type: ignore[attr-defined]
    answer = requests.get(f"{sandbox.url}/whatsapp/v26.0/{number}", timeout=10)
    assert (answer.status_code, answer.json()) == (503, {"error": {"code": 2}})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("say", {}),
        ("say", {"text": 5}),
        ("say", {"text": "x", "nonsense": 1}),
        ("say", []),
        ("redeliver", {"message_id": "none"}),
        ("faults", {"preset": "none"}),
        ("faults", {"status": 500}),
        ("faults", {"endpoint": "send", "delay": "long"}),
        ("faults", {"endpoint": "send", "status": "500"}),
        ("settings", {"nonsense": True}),
        ("settings", {"limits": "yes"}),
        ("sessions", {}),
        ("clock", {"advance": "a day"}),
    ],
)
def test_a_wrong_control_call_is_refused_in_words(sandbox: Sandbox, path: str, body: Any) -> None:
    answer = requests.post(f"{sandbox.url}/_sim/whatsapp/{path}", json=body, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_page_of_another_site_cannot_control_the_sandbox(sandbox: Sandbox, bot: RecordingServer) -> None:
    answer = requests.post(
        f"{sandbox.url}/_sim/whatsapp/say",
        data='{"text": "Hi"}',
        headers={"Content-Type": "text/plain"},
        timeout=10,
    )

    assert answer.status_code == 400
    assert bot.calls == []


def test_settings_and_clock_are_changed_by_name(sandbox: Sandbox) -> None:
    changed = post(sandbox, "/_sim/whatsapp/settings", {"limits": True, "speed": 5}).json()["settings"]
    assert (changed["limits"], changed["speed"]) == (True, 5)
    before = sandbox.platforms["whatsapp"].clock.now()
    post(sandbox, "/_sim/whatsapp/clock", {"advance": 3600})
    assert (sandbox.platforms["whatsapp"].clock.now() - before).total_seconds() > 3599


def test_a_reply_can_be_read_by_another_process(sandbox: Sandbox, bot: RecordingServer) -> None:
    post(sandbox, "/_sim/dingtalk/say", {"text": "你好", "user": "manager4220"})
    url = bot.calls[0].json["sessionWebhook"]
    requests.post(url, json={"msgtype": "text", "text": {"content": "您好"}}, timeout=10)
    replies = requests.get(f"{sandbox.url}/_sim/dingtalk/replies?user=manager4220", timeout=10).json()
    calls = requests.get(f"{sandbox.url}/_sim/dingtalk/calls", timeout=10).json()

    assert url.startswith(f"{sandbox.url}/dingtalk/robot/sendBySession?session=")
    assert [reply["text"] for reply in replies] == ["您好"]
    assert [(call["endpoint"], call["status"]) for call in calls] == [("session", 200)]


def test_the_example_configuration_names_the_platforms_own_credentials(sandbox: Sandbox) -> None:
    channels = example.config(sandbox.url)["channels"]

    assert tuple(channels) == PLATFORMS
    assert channels["wecom"]["encoding_aes_key"] == sandbox.platforms["wecom"].encoding_aes_key  # type: ignore[attr-defined]
    for name in PLATFORMS:
        assert channels[name]["api_base"] == sandbox.platforms[name].url


def test_the_process_says_where_it_is_and_stops_when_told() -> None:
    command = [sys.executable, "-m", "bot.sandbox.server", "--port", "0", "--bot", "http://127.0.0.1:9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert requests.get(f"{ready['url']}/healthz", timeout=10).status_code == 200
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None)

    assert (ready["action"], process.returncode) == ("sandbox_ready", 0)
