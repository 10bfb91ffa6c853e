"""The configuration: what is read, from where, and what each mistake is called."""

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, SecretStr

from adapters.channel import ChannelSettings
from bot.config import Config, ConfigError, load
from bot.wiring import PLATFORMS

CANARY = "canary-7f3a9c"


class Shop(ChannelSettings):
    phone_number_id: str
    access_token: SecretStr
    app_secret: SecretStr
    app_secret_previous: SecretStr | None = None
    api_base: str = "https://graph.example.com"
    ws_url: str = "wss://ws.example.com"
    api_version: str = Field("v26.0", pattern=r"^v\d+\.\d+$")


class Ding(ChannelSettings):
    client_id: str
    client_secret: SecretStr = Field(min_length=1)
    mode: Literal["http", "stream"] = "http"
    limit: int = 3


TWINS: Mapping[str, type[ChannelSettings]] = {"whatsapp": Shop, "dingtalk": Ding}

GOOD = """
[channels.shop]
platform = "whatsapp"
phone_number_id = "1"
access_token = "an-access-token"
app_secret = "an-app-secret"
"""


def read(tmp_path: Path, text: str, env: Mapping[str, str] | None = None) -> Config:
    path = tmp_path / "frontdesk.toml"
    path.write_text(text, "utf-8")
    return load(path, platforms=TWINS, env=env or {})


def problems(tmp_path: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, env)
    return caught.value.problems


# What is wrong, told with its key and the next step

MISTAKES: dict[str, tuple[str, str, str]] = {
    "unknown table": ("[servre]\nport = 1", "servre", "did you mean server?"),
    "unknown key": ("[server]\nprot = 1", "server.prot", "did you mean port?"),
    "unknown key, nothing near": ("[log]\nzzzz = 1", "log.zzzz", "known here: level"),
    "unknown key of an assistant": ("[assistants.a]\nfqa = 1", "assistants.a.fqa", "did you mean faq?"),
    "unknown key of a nested table": ("[model.serve]\ndtipe = 1", "model.serve.dtipe", "did you mean dtype?"),
    "unknown key of a channel": (GOOD + "acces_token = 1", "channels.shop.acces_token", "did you mean access_tok"),
    "a key of the library's own": ("_cli_parse_args = true", "_cli_parse_args", "is no setting"),
    "not a number": ('[server]\nport = "x"', "server.port", "should be a valid integer"),
    "a number out of range": ("[server]\nport = 70000", "server.port", "should be less than or equal to 65535"),
    "no web process": ("[server]\nworkers = 0", "server.workers", "should be greater than or equal to 1"),
    "not a boolean": ('[redis]\nallow_volatile = "maybe"', "redis.allow_volatile", "should be a valid boolean"),
    "not a word of the list": ('[redis]\nfsync = "no"', "redis.fsync", "should be 'always' or 'everysec'"),
    "not Redis": ('[redis]\nurl = "http://x"', "redis.url", "(redis|rediss|unix)://"),
    "a duration with a unit": ('[sessions]\nttl = "1h"', "sessions.ttl", "should be a number of seconds"),
    "a duration of nothing": ("[sessions]\nttl = 0", "sessions.ttl", "should be more than 0"),
    "an endless duration": ("[sessions]\nttl = 1e300", "sessions.ttl", "should be a number of seconds"),
    "a duration that is a boolean": ("[sessions]\nttl = true", "sessions.ttl", "should be a number of seconds"),
    "an address without a scheme": ('[server]\npublic_url = "bot.example.com"', "server.public_url", "an address"),
    "an address with a query": ('[server]\npublic_url = "https://a.b/?x=1"', "server.public_url", "a query"),
    "an address with a bad port": ('[server]\npublic_url = "https://a.b:x"', "server.public_url", "an address"),
    "a replica that is no address": ('[model]\nreplicas = ["localhost:8000"]', "model.replicas.0", "an address"),
    "replicas that are no list": ("[model]\nreplicas = 8000", "model.replicas", "should be a valid tuple"),
    "a table that is a value": ("server = 5", "server", "should be a valid dictionary or instance of Server"),
    "a company without a name": ('[assistants.a]\ncompany_name = ""', "assistants.a.company_name", "at least 1"),
    "an FAQ that is not there": ('[assistants.a]\nfaq = "no.csv"', "assistants.a.faq", "does not point to a file"),
    "a time zone that is none": ('[assistants.a]\ntimezone = "Mars"', "assistants.a.timezone", "a time zone"),
    "a time zone outside its folder": ('[assistants.a]\ntimezone = "../x"', "assistants.a.timezone", "a time zone"),
    "a log level that is none": ('[log]\nlevel = "loud"', "log.level", "'debug', 'info', 'warning' or 'error'"),
    "a channel's name": ('[channels."My Shop"]\nplatform = "dingtalk"', "channels.My Shop", "rename the table"),
    "an assistant's name": ("[assistants.'Ä']", "assistants.Ä", "rename the table"),
    "a channel without a platform": ("[channels.a]\nx = 1", "channels.a", "platform = one of dingtalk, w"),
    "a channel that is no table": ("[channels]\nplatform = 'whatsapp'", "channels.platform", "is no table"),
    "an unknown platform": ("[channels.a]\nplatform = 'telex'", "channels.a.platform", "known here: dingtalk"),
    "a missing secret": (
        "[channels.a]\nplatform = 'dingtalk'\nclient_id = 'x'",
        "channels.a.client_secret", "or as FRONTDESK__CHANNELS__A__CLIENT_SECRET",
    ),
    "an empty secret": (
        "[channels.a]\nplatform = 'dingtalk'\nclient_id = 'x'\nclient_secret = ''",
        "channels.a.client_secret", "copy it from the platform's console",
    ),
    "a platform's own rule": (GOOD + "api_version = '26'", "channels.shop.api_version", "has not the form"),
    "a token over plain http": (GOOD + "api_base = 'http://a.com'", "channels.shop.api_base", "write https://"),
    "a token over a plain socket": (GOOD + "ws_url = 'ws://a.com'", "channels.shop.ws_url", "write wss://"),
    "an unknown assistant": (GOOD + "assistant = 'defualt'", "channels.shop.assistant", "did you mean default?"),
    "an unset variable": (GOOD + "api_base = 'env:OLD'", "channels.shop.api_base", "OLD, which is not set"),
    "an empty variable": ("[redis]\nurl = 'env:EMPTY'", "redis.url", "EMPTY, which is empty; export it first"),
    "no variable's name": ("[redis]\nurl = 'env:MY-URL'", "redis.url", "no variable's name"),
    "a missing file": ("[redis]\nurl = 'file:/no/such'", "redis.url", "No such file or directory"),
    "a folder as a file": ("[redis]\nurl = 'file:/'", "redis.url", "Is a directory"),
    "a file name with NUL": ('[redis]\nurl = "file:\\u0000"', "redis.url", "no usable path"),
    "an endless file": ("[redis]\nurl = 'file:/dev/zero'", "redis.url", "larger than 64 KiB"),
    "an empty file": ("[redis]\nurl = 'file:/dev/null'", "redis.url", "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_with_its_key_and_the_next_step(case: str, tmp_path: Path) -> None:
    text, key, words = MISTAKES[case]

    (problem,) = [each for each in problems(tmp_path, text, {"EMPTY": ""}) if each.startswith(f"{key}: ")]

    assert words in problem


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "broken TOML": (b"[server", "is no valid TOML"),
    "a key twice": (b"[log]\nlevel='info'\nlevel='info'", "is no valid TOML"),
    "not UTF-8": (b"\xff\xfe[\x00", "save it as UTF-8"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_file_is_one_problem(case: str, tmp_path: Path) -> None:
    content, words = UNREADABLE[case]
    path = tmp_path / "frontdesk.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=words):
        load(path, platforms=TWINS, env={})


def test_a_file_that_was_named_but_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml", platforms=TWINS, env={})
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
        load(None, platforms=TWINS, env={"FRONTDESK_CONFIG": str(tmp_path)})


def test_twenty_reasons_not_to_start_are_all_told_at_once(tmp_path: Path) -> None:
    text = """
        surprise = 1
        [server]
        port = 0
        threads = "many"
        public_url = "bot"
        [redis]
        url = "env:NOWHERE"
        fsync = "never"
        [sessions]
        ttl = -1
        mailbox = 0
        [model]
        replicas = ["x"]
        deadline = "soon"
        [assistants.default]
        max_reply_chars = 0
        company = "x"
        [channels.shop]
        platform = "whatsapp"
        assistant = "nobody"
        access_token = "file:/nowhere"
        app_secret = ""
        api_base = "http://graph.example.com"
        [channels.other]
        platform = "telex"
        [worker]
        turns = 0
        [log]
        level = "loud"
    """
    found = problems(tmp_path, text, {"FRONTDESK__WORKER__DRAIN": "x"})

    assert sorted(each.split(": ")[0] for each in found) == [
        "assistants.default.company", "assistants.default.max_reply_chars", "channels.other.platform",
        "channels.shop.access_token", "channels.shop.api_base", "channels.shop.app_secret",
        "channels.shop.assistant", "channels.shop.phone_number_id", "log.level", "model.deadline",
        "model.replicas.0", "redis.fsync", "redis.url",
        "server.port", "server.public_url", "server.threads", "sessions.mailbox", "sessions.ttl", "surprise",
        "worker.drain", "worker.turns",
    ]  # fmt: skip


def test_no_problem_and_no_repr_repeats_a_secret(tmp_path: Path) -> None:
    secret_file = tmp_path / "secret"
    secret_file.write_text(CANARY)
    text = f"""
        [redis]
        url = "redis://:{CANARY}@host"
        [model]
        api_key = "{CANARY}"
        [channels.shop]
        platform = "whatsapp"
        phone_number_id = "1"
        access_token = "env:TOKEN"
        app_secret = "file:{secret_file}"
    """
    config = read(tmp_path, text, {"TOKEN": CANARY})
    assert CANARY not in repr(config) + str(config)

    wrong = text.replace("[redis]\n        url", "[redis]\n        fsync").replace("api_key", "replicas")
    found = problems(
        tmp_path, wrong + f'verify = "{CANARY}"\nassistant = "{CANARY}"\nplatfrom = "{CANARY}"', {"TOKEN": CANARY}
    )
    assert len(found) == 5
    assert CANARY not in "\n".join(found)


# Where values come from


def test_an_empty_environment_and_no_file_give_a_desk_without_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    config = load(None, platforms=TWINS, env={})

    assert config.path is None
    assert config.channels == {}
    assert config.assistants["default"].company_name == "Example Shop"
    assert config.server.data_dir == tmp_path / "var"


def test_the_file_beside_us_is_found_and_a_named_one_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frontdesk.toml").write_text("[server]\nport = 1")
    (tmp_path / "other.toml").write_text("[server]\nport = 2")
    (tmp_path / "third.toml").write_text("[server]\nport = 3")
    env = {"FRONTDESK_CONFIG": "other.toml"}

    assert load(None, platforms=TWINS, env={}).server.port == 1
    assert load(None, platforms=TWINS, env=env).server.port == 2
    assert load(Path("third.toml"), platforms=TWINS, env=env).server.port == 3
    assert load(None, platforms=TWINS, env=env).path == tmp_path / "other.toml"


def test_the_environment_wins_over_the_file_whatever_the_case_of_its_names(tmp_path: Path) -> None:
    env = {
        "FRONTDESK__CHANNELS__SHOP__ACCESS_TOKEN": "from-the-environment",
        "frontdesk__server__port": "9",
        "FRONTDESK__Redis__Allow_Volatile": "true",
        "FRONTDESK__SESSIONS__TTL": "2.5",
        "FRONTDESK_SANDBOX": "http://127.0.0.1:1",
    }
    config = read(tmp_path, GOOD, env)

    shop = config.channels["shop"]
    assert isinstance(shop, Shop)
    assert shop.access_token.get_secret_value() == "from-the-environment"
    assert config.server.port == 9
    assert config.redis.allow_volatile is True
    assert config.sessions.ttl == timedelta(seconds=2.5)


def test_a_whole_channel_and_assistant_can_come_from_the_environment(tmp_path: Path) -> None:
    env = {
        "FRONTDESK__CHANNELS__DING__PLATFORM": "dingtalk",
        "FRONTDESK__CHANNELS__DING__CLIENT_ID": "id",
        "FRONTDESK__CHANNELS__DING__CLIENT_SECRET": "env:DING_SECRET",
        "FRONTDESK__CHANNELS__DING__LIMIT": "7",
        "FRONTDESK__CHANNELS__DING__ASSISTANT": "night",
        "FRONTDESK__ASSISTANTS__NIGHT__COMPANY_NAME": "Night Shop",
        "DING_SECRET": "a-long-secret",
    }
    config = read(tmp_path, "", env)

    ding = config.channels["ding"]
    assert isinstance(ding, Ding)
    assert (ding.limit, ding.client_secret.get_secret_value()) == (7, "a-long-secret")
    assert set(config.assistants) == {"default", "night"}


def test_a_variable_reaches_a_name_with_a_hyphen(tmp_path: Path) -> None:
    text = GOOD.replace("channels.shop", "channels.my-shop")

    config = read(tmp_path, text, {"FRONTDESK__CHANNELS__MY_SHOP__PHONE_NUMBER_ID": "2"})

    assert list(config.channels) == ["my-shop"]
    assert getattr(config.channels["my-shop"], "phone_number_id") == "2"  # noqa: B009


def test_a_list_and_a_table_from_the_environment_are_json(tmp_path: Path) -> None:
    env = {
        "FRONTDESK__MODEL__REPLICAS": '["http://a:1/v1/", "http://b:1/v1"]',
        "FRONTDESK__MODEL__SERVE__LORA_MODULES": '{"shop": "/models/shop"}',
    }
    config = read(tmp_path, "", env)

    assert config.model.replicas == ("http://a:1/v1", "http://b:1/v1")
    assert config.model.serve.lora_modules == {"shop": "/models/shop"}
    (problem,) = problems(tmp_path, "", {"FRONTDESK__MODEL__REPLICAS": "http://a:1"})
    assert problem.startswith("model.replicas: should be JSON")
    assert problem.endswith("correct the environment variable FRONTDESK__MODEL__REPLICAS")


def test_an_unknown_variable_of_ours_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "", {"FRONTDESK__SERVER__PROT": "1"})

    assert problem == "server.prot: is no setting; did you mean port?"


def test_a_broken_reference_that_the_environment_replaces_is_no_problem(tmp_path: Path) -> None:
    text = GOOD.replace("an-access-token", "env:UNSET")

    config = read(tmp_path, text, {"FRONTDESK__CHANNELS__SHOP__ACCESS_TOKEN": "set"})

    assert config.path == tmp_path / "frontdesk.toml"


def test_a_reference_is_resolved_everywhere_and_a_file_loses_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\r\n\n")
    (tmp_path / "prompt").write_text("\ufeffYou are\nkind.\n")
    text = """
        [model]
        replicas = ["env:REPLICA"]
        [model.serve]
        lora_modules = { shop = "env:LORA" }
        [assistants.default]
        system_prompt = "file:prompt"
        [channels.a]
        platform = "dingtalk"
        client_id = "id"
        client_secret = "file:token"
    """
    config = read(tmp_path, text, {"REPLICA": "http://a:1", "LORA": "/x"})

    ding = config.channels["a"]
    assert isinstance(ding, Ding)
    assert ding.client_secret.get_secret_value() == "from-a-file"
    assert config.assistants["default"].system_prompt == "You are\nkind."
    assert config.model.replicas == ("http://a:1",)
    assert config.model.serve.lora_modules == {"shop": "/x"}


def test_relative_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("question,answer\n")

    config = read(tmp_path, '[server]\ndata_dir = "data"\n[assistants.a]\nfaq = "faq.csv"')

    assert config.server.data_dir == tmp_path / "data"
    assert config.assistants["a"].faq == tmp_path / "faq.csv"


# What is said aloud


def test_what_is_weak_but_allowed_is_a_warning(tmp_path: Path) -> None:
    text = GOOD.replace("an-app-secret", "short") + '[server]\npublic_url = "http://bot.example.com"\n'
    text += '[redis]\nfsync = "everysec"\nallow_volatile = true'

    warnings = read(tmp_path, text).warnings

    assert [each.split(": ")[0] for each in warnings] == [
        "server.public_url", "redis.allow_volatile", "redis.fsync", "model.replicas", "channels.shop.app_secret",
    ]  # fmt: skip
    assert "short" not in warnings[-1].replace("shorter", "")


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:9", "http://localhost", "http://fakes:80", "http://10.0.0.3", "http://[::1]:9"]
)
def test_plain_http_to_this_machine_or_its_network_is_fine(base: str, tmp_path: Path) -> None:
    config = read(
        tmp_path, GOOD + f'api_base = "{base}"\n[server]\npublic_url = "{base}"\n[model]\nreplicas = ["{base}"]'
    )

    assert config.warnings == ()


# The example

EXAMPLE = Path(__file__).parents[2] / "frontdesk.example.toml"
REAL_PLATFORMS = {name: channel.settings_type for name, channel in PLATFORMS.items()}


def uncommented() -> str:
    return re.sub(r"(?m)^# (?=\w+ = |\[)", "", EXAMPLE.read_text("utf-8"))


def test_the_example_is_valid_as_it_stands() -> None:
    plain = load(EXAMPLE, platforms=REAL_PLATFORMS, env={})

    assert sorted(channel.platform for channel in plain.channels.values()) == sorted(PLATFORMS)
    assert {each.split(": ")[0] for each in plain.warnings} == {"model.replicas"}


def test_the_example_names_every_setting_of_every_channel() -> None:
    whole = tomllib.loads(uncommented())

    for table in whole["channels"].values():
        known = set(REAL_PLATFORMS[table["platform"]].model_fields)
        named = {f"{name}_previous" for name in known} & known  # one of them is shown, for all
        assert set(table) | named | {"assistant", "welcome"} >= known


def test_the_example_names_every_setting_of_every_table() -> None:
    tables = {"server", "redis", "sessions", "model", "worker", "log"}
    whole = tomllib.loads(uncommented())

    for table in tables:
        known = set(type(getattr(Config(), table)).model_fields)
        assert set(whole[table]) | {"serve"} >= known, table
    assert set(whole["model"]["serve"]) == set(type(Config().model.serve).model_fields)
    assert set(whole["assistants"]["default"]) == set(type(Config().assistants["default"]).model_fields)


def test_a_configuration_cannot_be_changed_later(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)

    with pytest.raises(ValueError, match="frozen"):
        config.server.port = 1  # type: ignore[misc]
