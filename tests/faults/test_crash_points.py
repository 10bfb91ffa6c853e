"""SIGKILL at every point of a turn, for the worker, for Redis, and for both at once: nothing is lost, nothing
doubled, and the model is not asked again once its answer is stored."""

from collections.abc import Sequence

import pytest

from tests.acceptance.conftest import Town
from tests.faults.checkpoint import POINTS, PULLING, Point
from tests.faults.crew import Crew
from tests.faults.stage import AtSend, Stage, stage, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
NAMES = ("wa", "corp", "ding", "kf", "aibot")
SENDING = ("wa", "corp", "ding", "kf")
"""An AI bot's answer is fetched from the store: there is no call that the platform could refuse or lose."""
VICTIMS = (("worker",), ("redis",), ("worker", "redis"))
ASKED_AGAIN = ("claim about to run", "claim ran", "commit about to run")
"""Where a death may cost a second question to the model: nothing of the first answer is stored."""


def asked_again(where: Point, name: str) -> bool:
    """A page's own turn ends beside those of its messages: who dies there may be in the middle of an answer."""
    return where.name in ASKED_AGAIN or (name == "kf" and where.name.startswith("settle"))


def strike(crew: Crew, victims: Sequence[str]) -> None:
    crew.kill(*victims)


def recover(desk: Stage, victims: Sequence[str]) -> None:
    desk.crew.start("redis")
    if "worker" in victims:
        desk.crew.start("second")
    desk.drain()


CASES = [
    *((where, name) for where in POINTS for name in NAMES if name in SENDING or not where.needs_a_refusal),
    *((where, "kf") for where in PULLING),
]


@pytest.mark.parametrize("victims", VICTIMS, ids="+".join)
@pytest.mark.parametrize(("where", "name"), CASES, ids=lambda each: each if isinstance(each, str) else each.name)
def test_a_death_at_any_point_costs_nothing(
    whole_town: Town, where: Point, victims: Sequence[str], name: str
) -> None:
    town = whole_town
    with stage(town, name, where, lambda crew: strike(crew, victims), cut=True) as desk:
        desk.ask(1)
        assert desk.checkpoint.reached.wait(30)
        recover(desk, victims)
        found = desk.balance(1)
        assert (found.lost, found.doubled) == ([], [])
        assert dict(found.parked) in ([{}, {"unknown": 1}] if name == "ding" else [{}])
        assert len(town.model.requests) <= 1 + asked_again(where, name)
        desk.assert_answers(2)


@pytest.mark.parametrize("name", SENDING)
@pytest.mark.parametrize("victims", VICTIMS, ids="+".join)
def test_a_death_while_the_platform_has_the_send_doubles_nothing(
    town: Town, victims: Sequence[str], name: str
) -> None:
    with stage(town, name) as desk:
        desk.platform.faults = at_send = AtSend(lambda: strike(desk.crew, victims))
        desk.ask(1)
        wait_until(lambda: at_send.reached)
        recover(desk, victims)
        found = desk.balance(1)
        assert (found.shown, found.lost, found.doubled) == (1, [], [])
        assert dict(found.parked) == ({"unknown": 1} if name == "ding" and "worker" in victims else {})
        assert len(town.model.requests) == 1
        desk.assert_answers(2)
