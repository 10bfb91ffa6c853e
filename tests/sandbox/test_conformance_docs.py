"""docs/sandbox.md names every call, setting, switch, act, kind, preset, mischief and journey, and no others."""

import dataclasses
import re
from pathlib import Path

import pytest

import bot
from bot.sandbox.conformance import journeys
from bot.sandbox.server import Sandbox
from bot.sandbox.simulator import control, switches
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.mischief import Mischief
from bot.sandbox.wecom.callbacks import GARBAGE

PAGE = (Path(bot.__file__).parents[1] / "docs" / "sandbox.md").read_text("utf-8")
PLATFORMS = Sandbox().platforms


def table(head: str) -> dict[str, list[str]]:
    """The rows below the table's *head*: what stands first, without backticks, and the other cells."""
    _, found, rest = PAGE.partition(f"| {head} |")
    assert found, head
    lines = rest.split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]
    return {row[0].strip("` "): row[1:] for row in rows}


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def places(text: str) -> set[str]:
    return set(PLATFORMS) if text == "all" else set(text.split(", "))


def test_every_journey() -> None:
    assert set(table("journey | what happens")) == journeys.names()


def test_every_call() -> None:
    calls = {f"GET {name}" for name in control.LOOKS} | {f"POST {name}" for name in control.CHANGES}
    assert set(table("call | body or query | answer")) == calls
    assert set(re.findall(r"^\| ((?:GET|POST) \w+)", control.__doc__ or "", re.MULTILINE)) == calls


def test_every_setting_and_where_it_is() -> None:
    told = {name: places(row[0]) for name, row in table("setting | where | means").items()}
    assert told == {
        name: {place for place, platform in PLATFORMS.items() if hasattr(platform, name)}
        for name in control.SETTINGS
    }


def test_every_switch_and_where_it_is() -> None:
    told = {name: places(row[0]) for name, row in table("switch | where | means").items()}
    held = {place: switches.switches(platform) for place, platform in PLATFORMS.items()}
    assert told == {name: {place for place in held if name in held[place]} for name in switches.SWITCHES}


def test_every_act_and_where_it_is() -> None:
    rows = table("act | where | arguments, and what happens")
    assert set(rows) == set(switches.ACTS)
    for name, row in rows.items():
        for place, platform in PLATFORMS.items():
            if place in places(row[0]):
                assert callable(switches.act(platform, name))
            else:
                with pytest.raises(switches.NoSuch):
                    switches.act(platform, name)
    assert quoted(rows["garbage"][1]) == {"kind", *GARBAGE}


def test_every_kind_of_each_platform() -> None:
    told = {place: quoted(row[0]) for place, row in table("platform | kinds").items()}
    assert told == {place: set(platform.kinds) for place, platform in PLATFORMS.items()}


def test_every_preset_and_where_it_is() -> None:
    told = {name: places(row[1]) for name, row in table("preset | what happens | where").items()}
    known = {name for platform in PLATFORMS.values() for name in platform.presets}
    assert told == {name: {place for place in PLATFORMS if name in PLATFORMS[place].presets} for name in known}


def test_every_endpoint_that_faults_can_meet() -> None:
    told = {place: quoted(row[0]) for place, row in table("platform | endpoints").items()}
    held = {place: {route.endpoint for route in platform.routes()} for place, platform in PLATFORMS.items()}
    assert told == {**held, "whatsapp": held["whatsapp"] | {"read"}}


def test_every_mischief() -> None:
    assert set(table("kind | the next webhook is")) == {str(each) for each in Mischief}


def test_every_field_of_a_fault() -> None:
    told = PAGE.partition("The fields of a fault:")[2].partition("\n\n")[0]
    assert {field.name for field in dataclasses.fields(Fault)} == quoted(told)
