"""What holds for every script, so that a Redis Cluster can carry them."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sessions.keys import GROUP, Keys
from sessions.scripts import ALL, SPANNING, Script
from sessions.store import RedisStore
from tests.contracts.inbox_kit import conversation
from tests.sessions.history import play_every_call
from tests.sessions.proxy import Proxy
from tests.sessions.wire import Command, commands

FOLDER = Path(__file__).parent.parent.parent / "sessions" / "scripts"
FIRST_KEY = re.compile(r"redis\.p?call\('(?!TIME)[A-Z]+',(?: '[A-Z]+',)?\s*([^,)]+)")
NAMED = re.compile(
    r"KEYS\[[^\]]+\]|turn|ready|mail|seen|journal|conversation|recent|bucket|meter|growth|status|alarms|errands|answers"
)


@pytest.fixture
def script_calls(redis_server: str, redis_store: RedisStore) -> list[Command]:
    """Every EVALSHA and EVAL of a history in which each method is called, as it went over the wire."""
    with Proxy(Path(urlsplit(redis_server).path)) as proxy:
        play_every_call(proxy.url)
        return [command for command in commands(proxy.sent) if command[0] in (b"EVALSHA", b"EVAL")]


def keys_of(call: Command) -> list[bytes]:
    return call[3 : 3 + int(call[2])]


def test_all_keys_of_a_call_share_one_slot(script_calls: list[Command]) -> None:
    spanning = {name for script in SPANNING for name in (script.sha, script.text)}
    for call in script_calls:
        tags = {re.match(rb"fd:\{(\d+)\}:", key) for key in keys_of(call)}
        assert None not in tags
        assert len({tag[1] for tag in tags if tag}) == 1 or call[1].decode() in spanning, keys_of(call)


def test_the_history_calls_every_script(script_calls: list[Command]) -> None:
    """The control: what is not called is not looked at."""
    assert {call[1].decode() for call in script_calls if call[0] == b"EVALSHA"} == {script.sha for script in ALL}


def test_no_argument_is_a_key(script_calls: list[Command]) -> None:
    for call in script_calls:
        assert not [word for word in call[3 + int(call[2]) :] if word.startswith(b"fd:{")]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.lua")), ids=lambda path: path.stem)
def test_no_script_builds_a_key(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "fd:" not in text
    for key in FIRST_KEY.findall(text):
        assert NAMED.fullmatch(key), f"{path.name} names {key}"


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.name)
def test_every_script_explains_its_keys_and_arguments(script: Script) -> None:
    own = (FOLDER / f"{script.name}.lua").read_text("utf-8")
    header = own[: own.index("\n\n")]
    assert header.startswith(f"-- {script.name}: ")
    for word in ("\n-- KEYS ", "\n-- ARGV ", "\n-- Returns "):
        assert word in header


def test_every_script_file_is_loaded() -> None:
    assert {path.stem for path in FOLDER.glob("*.lua")} == {script.name for script in ALL} | {"prelude"}


def test_the_prelude_and_the_code_name_one_group() -> None:
    assert f"GROUP = '{GROUP}'" in (FOLDER / "prelude.lua").read_text("utf-8")


def test_a_conversations_shard_is_the_crc_of_its_key() -> None:
    assert Keys(16).home(conversation()).mail("x") == "fd:{3}:mail:x"


def test_at_least_one_shard_is_needed() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Keys(0)
