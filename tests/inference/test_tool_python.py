"""Tools that are the operator's own functions: found when the configuration is read, and their bugs contained."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.scripted import calling
from inference.tools.python import BadEntry, resolve
from tests.inference.tool_kit import Counter, tool

OWN = """
from inference.tools.tool import ToolFailed

def points(arguments, occasion):
    return {"points": len(occasion.customer.user), "for": arguments["order_number"]}

def refuse(arguments, occasion):
    raise ToolFailed("there are no points on Sundays")

def crash(arguments, occasion):
    return {}[occasion.customer.user]

class Deeper:
    @staticmethod
    def still(arguments, occasion):
        return "deep"

number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_tools.py").write_text(OWN)
    (tmp_path / "broken_tools.py").write_text("def points(:")
    (tmp_path / "needy_tools.py").write_text("import nothing_of_that_name")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("own_tools", "broken_tools", "needy_tools"):
        sys.modules.pop(name, None)


def told(entry: str) -> tuple[str, list[tuple[str, str]]]:
    counter = Counter([tool(resolve(entry))])
    counter.model.script(calling(("order_status", '{"order_number": "7"}')))
    counter.ask()
    return counter.told()[0], counter.observed


def test_a_function_gets_checked_arguments_and_the_customer(own: None) -> None:
    assert told("own_tools:points") == ('{"points": 3, "for": "7"}', [("order_status", "ok")])
    assert told("own_tools:Deeper.still")[0] == "deep"


def test_its_own_refusal_is_told(own: None) -> None:
    assert told("own_tools:refuse")[0] == "Failed: there are no points on Sundays."


def test_its_bug_is_told_to_the_operator_and_does_not_park_the_turn(own: None) -> None:
    words, observed = told("own_tools:crash")
    assert words == "Failed: it broke down; a colleague must look. It may have worked nevertheless."
    assert observed == [("order_status", "crashed_KeyError")]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("own_tools", "is no entry point"),
        (":points", "is no entry point"),
        ("own_tools:", "is no entry point"),
        ("no_such_module:x", "cannot be imported (ModuleNotFoundError); install its package"),
        ("..:x", "is no entry point"),
        ("broken_tools:points", "cannot be imported (SyntaxError)"),
        ("needy_tools:points", "cannot be imported (ModuleNotFoundError)"),
        ("own_tools:no_such", "module own_tools has no no_such; correct the name"),
        ("own_tools:number", "is no function"),
    ],
)
def test_an_entry_point_that_cannot_be_used_is_told_with_the_next_step(own: None, entry: str, words: str) -> None:
    with pytest.raises(BadEntry) as caught:
        resolve(entry)
    assert words in str(caught.value)
