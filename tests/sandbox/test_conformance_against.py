"""The sandbox before a bot elsewhere: whose configuration it reads, and what it says when that does not fit."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from bot.sandbox import against, example
from bot.sandbox.conformance.own_bot import free_port, own_bot
from bot.sandbox.conformance.variants import with_variants
from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.feishu import FeishuPlatform
from bot.sandbox.server import Sandbox
from bot.sandbox.wecom import WeComAiBotPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform
from tests.fakes import Answer, RecordingServer
from tests.sandbox.bots import recording_bot

HERE = "http://127.0.0.1:8090"
NOBODY = "http://127.0.0.1:9"
SECRETS = ("sandbox-app-secret", "EAAsandboxaccesstoken", "sandbox-aibot-secret")


def strays(channels: Mapping[str, Mapping[str, Any]], address: str = HERE) -> list[str]:
    platforms = against.platforms(channels, NOBODY)
    against.give_ports(channels, platforms, address)
    return against.strays(channels, address, platforms)


def test_the_example_leads_here() -> None:
    assert strays(example.config(HERE)["channels"]) == []


def test_localhost_is_this_machine_too() -> None:
    assert strays(example.config("http://localhost:8090")["channels"]) == []


@pytest.mark.parametrize(
    "given",
    [
        "https://graph.facebook.com",
        "http://127.0.0.1:8091/whatsapp",
        f"{HERE}/wecom",
        "https://127.0.0.1:8090/whatsapp",
    ],
)
def test_an_address_that_leads_elsewhere_is_told_with_the_line_to_set(given: str) -> None:
    channels = {"shop": {**example.config(HERE)["channels"]["whatsapp"], "api_base": given}}
    assert strays(channels) == [f'channels.shop.api_base = "{HERE}/shop"']


def test_dingtalk_has_two_addresses_and_a_long_connection_its_own() -> None:
    channels = with_variants(example.config("http://elsewhere:1")["channels"])
    told = {line.partition(" = ")[0]: line.partition(" = ")[2] for line in strays(channels)}
    assert told["channels.dingtalk.oapi_base"] == f'"{HERE}/dingtalk"'
    assert told["channels.wecom-aibot-socket.ws_url"] == '"ws://127.0.0.1:8091"'


def test_a_long_connection_listens_where_the_configuration_says() -> None:
    channels = with_variants(example.config(HERE)["channels"])
    channels["wecom-aibot-socket"]["ws_url"] = "ws://localhost:8099"
    platforms = against.platforms(channels, NOBODY)
    against.give_ports(channels, platforms, HERE)
    socket = platforms["wecom-aibot-socket"]
    assert isinstance(socket, WeComAiBotPlatform)
    assert socket.socket.port == 8099
    assert not [line for line in against.strays(channels, HERE, platforms) if "ws_url" in line]


def test_each_channel_is_a_platform_with_its_credentials_under_its_own_name() -> None:
    table = example.config(HERE)["channels"]["whatsapp"]
    played = against.platforms({"one": {**table, "app_secret": "1"}, "two": {**table, "app_secret": "2"}}, NOBODY)
    assert [each.webhook_url for each in played.values()] == [f"{NOBODY}/webhooks/one", f"{NOBODY}/webhooks/two"]
    assert all(isinstance(each, WhatsAppPlatform) for each in played.values())
    assert [each.app_secret for each in played.values() if isinstance(each, WhatsAppPlatform)] == ["1", "2"]


def test_what_a_channel_leaves_out_its_platform_does_not_do() -> None:
    channels = example.config(HERE)["channels"]
    del channels["feishu"]["encrypt_key"], channels["dingtalk"]["token"], channels["dingtalk"]["aes_key"]
    played = against.platforms(channels, NOBODY)
    feishu, dingtalk = played["feishu"], played["dingtalk"]
    assert isinstance(feishu, FeishuPlatform)
    assert isinstance(dingtalk, DingTalkPlatform)
    assert (feishu.encrypt_key, dingtalk.event_token) == ("", "")


def test_links_of_the_platforms_begin_with_the_address_that_the_bot_knows() -> None:
    channels = {"shop": example.config(HERE)["channels"]["dingtalk"]}
    platforms = against.platforms(channels, NOBODY)
    with Sandbox(NOBODY, platforms, public_url="https://sandbox.example.com/"):
        assert platforms["shop"].url == "https://sandbox.example.com/shop"


# ---------------------------------------------------------------------- the command


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `frontdesk sandbox`; its exit code, and everything that it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["frontdesk", "sandbox", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        told = "".join(capfd.readouterr())
        assert not [secret for secret in SECRETS if secret in told]
        return int(done.value.code or 0), told

    return run


def written(folder: Path, channels: Mapping[str, Any]) -> str:
    file = folder / "frontdesk.toml"
    file.write_text(example.toml_of({"channels": channels}), "utf-8")
    file.chmod(0o600)
    return str(file)


def whatsapp(**changes: Any) -> dict[str, Any]:
    table: dict[str, Any] = {**example.config("http://127.0.0.1:8090")["channels"]["whatsapp"], **changes}
    return {name: value for name, value in table.items() if value is not None}


def test_a_bot_that_would_write_to_the_real_platform_is_not_asked_anything(
    command: Command, tmp_path: Path
) -> None:
    config = written(tmp_path, {"shop": whatsapp(api_base="https://graph.facebook.com")})
    with recording_bot() as bot:
        code, told = command("--check", "--bot", bot.url, "--config", config, "--port", "0", "--url", HERE)
        assert bot.calls == []
    assert code == 69
    assert f'channels.shop.api_base = "{HERE}/shop"' in told.splitlines()[-1]


def test_a_bot_that_is_not_there_is_told_in_one_line(command: Command, tmp_path: Path) -> None:
    config = written(tmp_path, {"shop": whatsapp(api_base=f"{HERE}/shop")})
    code, told = command("--check", "--bot", NOBODY, "--config", config, "--port", "0", "--url", HERE)
    assert (code, told) == (69, f"Error: no bot answers at {NOBODY}: Connection refused\n")


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"platform": "whatsup"}, "known here: dingtalk, feishu"), ({"app_secret": None}, "app_secret")],
)
def test_a_wrong_configuration_is_told_with_its_place(
    command: Command, tmp_path: Path, changes: Any, named: str
) -> None:
    config = written(tmp_path, {"shop": whatsapp(**changes)})
    code, told = command("--bot", NOBODY, "--config", config, "--port", "0")
    assert code == 78
    assert named in told
    assert "channels.shop" in told


def test_a_configuration_without_channels_is_told(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "frontdesk.toml"
    file.write_text("[server]\nport = 9000\n", "utf-8")
    code, told = command("--check", "--config", str(file), "--port", "0")
    assert (code, told.count("\n")) == (69, 1)
    assert "has no channels" in told


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(("--bot", "bot.example.com"), "--bot"), (("--check", "--only", "whatsap"), "whatsap is no channel")],
)
def test_a_wrong_word_on_the_command_line_is_told(command: Command, arguments: tuple[str, ...], named: str) -> None:
    code, told = command(*arguments, "--port", "0")
    assert code == 2
    assert named in told


def test_a_bot_of_another_make_is_checked_and_its_faults_are_in_the_table(command: Command, tmp_path: Path) -> None:
    """One that says yes to everything, and answers nobody."""
    config = written(tmp_path, {"shop": whatsapp(api_base=f"{HERE}/shop")})
    chosen = [word for name in ("address", "text", "forged") for word in ("--only", name)]
    with RecordingServer(lambda _: Answer()) as bot:
        code, told = command("--check", "--bot", bot.url, "--config", config, "--port", "0", "--url", HERE, *chosen)
    lines = {line.split()[1]: line for line in told.splitlines() if line.startswith("shop")}
    assert code == 1
    assert "challenge_not_echoed" in lines["address"]
    assert "no answer within 20 s" in lines["text"]
    assert "forged_webhook_accepted" in lines["forged"]
    assert told.endswith("3 of 3 journeys failed.\n")


def test_a_running_frontdesk_is_checked_by_its_own_configuration(command: Command, tmp_path: Path) -> None:
    sandbox_port, own = free_port(), free_port()
    channels = {"shop": whatsapp(api_base=f"http://127.0.0.1:{sandbox_port}/shop")}
    config = written(tmp_path, channels)
    chosen = [word for name in ("address", "text", "duplicate") for word in ("--only", name)]
    with own_bot({"shop": {**channels["shop"], "assistant": "default"}}, _folder(tmp_path), port=own):
        bot = f"http://127.0.0.1:{own}"
        code, told = command("--check", "--bot", bot, "--config", config, "--port", str(sandbox_port), *chosen)
    assert (code, told.splitlines()[-1]) == (0, "3 journeys, and every one went well.")


def _folder(inside: Path) -> Path:
    folder = inside / "bot"
    folder.mkdir()
    return folder
