"""One question, one worker that something happens to, and another that goes on."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bot.sandbox.simulator.faults import Fault, Faults
from bot.sandbox.wecom import WeComAiBotPlatform
from sessions.scripts import ALL
from tests.acceptance.conftest import Platform, Town
from tests.faults.chance import REFUSALS, SENDS
from tests.faults.checkpoint import Checkpoint, Point
from tests.faults.crew import Crew
from tests.faults.ledger import Balance, balance
from tests.faults.test_kill_loop import drain, echo

LEASE = 3
HOLD = 2
USER = "447700900001"


class Stage:
    """Redis, the web process, and a `worker` that reaches Redis through the checkpoint only; *believed* is what it
    takes its lease for. The `second` worker is yet to be started."""

    def __init__(self, town: Town, name: str, crew: Crew, checkpoint: Checkpoint) -> None:
        self.town = town
        self.name = name
        self.platform: Platform = town.platforms[name]
        self.crew = crew
        self.checkpoint = checkpoint

    def ask(self, number: int) -> None:
        assert self.platform.say(f"Question #{number}", user=USER).status == 200

    def balance(self, *asked: int) -> Balance:
        return balance(asked, self.platform.replies(), self.crew.dead_letters())

    def sends(self) -> int:
        return sum(call.endpoint in SENDS for call in self.platform.calls)

    def drain(self) -> None:
        """An AI bot's answer is with the customer only when the platform has asked for it."""
        drain(self.crew)
        if isinstance(self.platform, WeComAiBotPlatform):
            open_ = self.platform.interactions.values()
            wait_until(lambda: all(each.finished for each in open_))

    def signal(self, kind: str, what: signal.Signals) -> None:
        os.kill(self.crew.pid(kind), what)

    def assert_answers(self, number: int) -> None:
        before = len(self.platform.replies())
        self.ask(number)
        wait_until(lambda: len(self.platform.replies()) > before)
        assert f"#{number}" in self.platform.replies()[-1].text


@contextmanager
def stage(
    town: Town,
    name: str,
    where: Point | None = None,
    act: Callable[[Crew], None] = lambda crew: None,  # noqa: ARG005
    *,
    cut: bool = False,
    believed: int = LEASE,
) -> Iterator[Stage]:
    """*act* is done at *where*."""
    town.model.reply, town.names = echo, (name,)
    town.whatsapp.redelivers, town.whatsapp.speed = True, 4
    if where is not None and where.needs_a_refusal:
        town.platforms[name].faults.add("session" if name == "ding" else "send", REFUSALS[name])
    crew = Crew(town)
    crew.start("redis")
    with crew.store() as store:
        for script in ALL:  # else the point may be passed by the EVALSHA that asks for the script
            store.command("SCRIPT", "LOAD", script.text)
    redis = Path(urlsplit(crew.redis_url).path)
    with Checkpoint(redis, where, lambda: act(crew), cut=cut) as checkpoint, crew.at_work("web"):
        crew.environment = {**settings(believed), "FRONTDESK__REDIS__URL": checkpoint.url}
        crew.start("worker")
        crew.environment = settings(LEASE)
        crew.wait_until_ready()
        yield Stage(town, name, crew, checkpoint)
        crew.kill("worker")


def settings(lease: int) -> dict[str, str]:
    return {
        "FRONTDESK__WORKER__LEASE": str(lease),
        "FRONTDESK__WORKER__HOLD": str(HOLD),
        "FRONTDESK__WORKER__BLIND_RESEND": "false",
    }


def wait_until(reached: Callable[[], bool], limit: float = 30) -> None:
    end = time.monotonic() + limit
    while not reached():
        assert time.monotonic() < end, f"not reached within {limit} s"
        time.sleep(0.02)


class AtSend(Faults):
    """The platform takes the first message; *act* is done before its sender can hear so."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act
        self.reached = False

    def take(self, endpoint: str) -> Fault | None:
        if endpoint in SENDS and not self.reached:
            self._act()
            self.reached = True
        return None
