"""The kill loop: webhooks at a steady rate while every kind of process is killed again and again.

Sizes come from the environment: FAULTS_MESSAGES (1000), FAULTS_SECONDS (60), FAULTS_SEED (drawn, and printed).
"""

import os
import random
import time
from typing import Any, Protocol

import pytest

from sessions.store import RedisStore
from tests.acceptance.conftest import Town
from tests.faults.chance import ChanceFaults, Odds
from tests.faults.crew import Crew
from tests.faults.crowd import Crowd
from tests.faults.ledger import Balance, balance, numbers

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

MESSAGES = int(os.environ.get("FAULTS_MESSAGES", "1000"))
SECONDS = float(os.environ.get("FAULTS_SECONDS", "60"))
SEED = int(os.environ.get("FAULTS_SEED", str(random.SystemRandom().randrange(10**6))))
KILL_EVERY = 2.0
WEB_EVERY = 3
"""Kills of Redis and the worker for each kill of the web process."""
DRAINED_WITHIN = 180.0
BLIND = ("ding", "telegram")


def echo(body: dict[str, Any]) -> str:
    """Names every question of the turn."""
    return "About " + " ".join(f"#{number}" for number in numbers(str(body["messages"][-1]["content"])))


def prepare(town: Town, odds: Odds) -> dict[str, ChanceFaults]:
    town.model.reply = echo
    town.model.delay = 0.3
    chances = {name: ChanceFaults(name, odds, SEED) for name in town.platforms}
    for name, platform in town.platforms.items():
        platform.faults = chances[name]
    town.whatsapp.redelivers = True  # its statuses above all
    town.whatsapp.speed = 4
    return chances


class Busy(Protocol):
    """Whatever goes on while the processes die."""

    @property
    def busy(self) -> bool: ...

    def join(self) -> None: ...


def kill_again_and_again(crew: Crew, crowd: Busy) -> None:
    """Until nobody asks any more."""
    chance = random.Random(f"{SEED} kills")
    while crowd.busy:
        time.sleep(KILL_EVERY * chance.uniform(0.75, 1.25))
        kinds = ["redis", "worker"]
        if crew.kills["redis"] % WEB_EVERY == WEB_EVERY - 1:
            kinds.append("web")
        chance.shuffle(kinds)
        crew.kill(*kinds)
        crew.start("redis", "worker", "web")
    crowd.join()


def drain(crew: Crew) -> float:
    """Waits until no turn is left; how long that took."""
    began = time.monotonic()
    while time.monotonic() < began + DRAINED_WITHIN:
        depths = crew.depths()
        if not depths.ready + depths.leased + depths.later:
            return time.monotonic() - began
        time.sleep(0.2)
    raise AssertionError(f"not drained after {DRAINED_WITHIN} s: {depths}\n{crew.town.folder}")


def play(crew: Crew, crowd: Crowd) -> str:
    """Says how long the crowd asked, and how long the last answers took."""
    crew.wait_until_ready()
    began = time.monotonic()
    crowd.start()
    kill_again_and_again(crew, crowd)
    asked = time.monotonic() - began
    crew.wait_until_ready()
    drained = drain(crew)
    crowd.repeat_all()
    time.sleep(3)
    return f"asked for {asked:.1f} s, drained in {drained + drain(crew):.1f} s"


def balances(crew: Crew, crowd: Crowd) -> dict[str, Balance]:
    letters = crew.dead_letters()
    return {
        name: balance(
            crowd.accepted[name],
            platform.replies(),
            [letter for letter in letters if letter.conversation.channel == name],
        )
        for name, platform in crew.town.platforms.items()
    }


@pytest.mark.parametrize("blind_resend", [False, True])
def test_nothing_is_lost_or_doubled_while_everything_is_killed(
    town: Town, capsys: pytest.CaptureFixture[str], blind_resend: bool
) -> None:
    """Only where a platform has neither key nor status may a message be doubled: once, and if the operator allows a
    resend (the default)."""
    chances = prepare(town, Odds())
    crew = Crew(town)
    crew.environment = {"FRONTDESK__WORKER__BLIND_RESEND": str(blind_resend)}
    crowd = Crowd(town.platforms, seed=SEED, count=MESSAGES, rate=MESSAGES / SECONDS)
    with crew.at_work():
        times = play(crew, crowd)
        found = balances(crew, crowd)
    with capsys.disabled():
        print(f"\nseed {SEED}, blind_resend {blind_resend}, {times}, kills {dict(crew.kills)}", end="")
        print(f", repeated {len(crowd.repeated)}")
        for name, each in found.items():
            print(f"  {name}: {each}; faults {chances[name].played}")
    for name, each in found.items():
        doubles = each.doubled if name in BLIND and blind_resend else []
        assert (name, each.lost, each.doubled, each.tripled, each.disordered) == (name, [], doubles, [], [])
        assert set(each.parked) <= {"unknown"}
    assert sum(each.accepted for each in found.values()) == MESSAGES


def without_a_file(store: RedisStore) -> None:
    store.command("CONFIG", "SET", "appendonly", "no")


def test_the_count_sees_what_a_redis_without_a_file_loses_and_doubles(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    """The control: the same loop with the protection removed."""
    prepare(town, Odds(lost=0, refused=0))
    crew = Crew(town, came_up=without_a_file)
    crew.environment = {"FRONTDESK__REDIS__ALLOW_VOLATILE": "true"}
    crowd = Crowd(town.platforms, seed=SEED, count=200, rate=20, repeats=0.5)
    with crew.at_work():
        play(crew, crowd)
        found = balances(crew, crowd)
    with capsys.disabled():
        print(f"\nseed {SEED}, control, kills {dict(crew.kills)}")
        for name, each in found.items():
            print(f"  {name}: {each}")
    assert sum(len(each.lost) for each in found.values()) > 0
    assert sum(len(each.doubled) for each in found.values()) > 0
