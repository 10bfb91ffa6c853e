"""An answer that grows before the customer's eyes, and a process killed half-way: it is seen whole, once.

Two web processes and a worker, each killed in its turn, on every surface that shows an answer while it is written:
the AI bot that is polled, the AI bot's long connection, DingTalk's card by callbacks and by the stream.
"""

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.sandbox.simulator.journal import Grown, Webhook
from sessions.embedded import EmbeddedRedis
from tests.acceptance.conftest import LATER, Platform, Town, answers, customer, free_port, grown, until

pytestmark = pytest.mark.acceptance
ANSWER = "".join(f"Sentence number {number} of the answer is here. " for number in range(30)).strip()
CARD = {"card_template_id": "answers.schema", "card_key": "content"}
STANDING_BY, HELD = '"action": "connection_standing_by"', '"action": "connection_held"'


def polled(town: Town) -> None:
    town.names = ("aibot",)
    town.aibot.poll_every = timedelta(seconds=0.3)


def connected(town: Town) -> None:
    """An update comes every three seconds here, because the platform counts them."""
    town.names = ("aibot",)
    town.model.token_delay = 0.06
    town.aibot.connects = True
    town.more["aibot"] = {"mode": "websocket", "secret": town.aibot.secret, "ws_url": town.aibot.socket.url}


def carded(town: Town) -> None:
    town.names = ("ding",)
    town.more["ding"] = dict(CARD)


def streamed(town: Town) -> None:
    town.names = ("ding",)
    town.more["ding"] = {**CARD, "mode": "stream"}
    town.dingtalk.streams = True
    town.dingtalk.gateway.again_after = timedelta(seconds=10)


@pytest.fixture
def town(town: Town) -> Town:
    """Two web processes, an answer that takes seconds, and a lease that ends within a test's patience."""
    town.model.reply = ANSWER
    town.model.token_delay = 0.02
    town.more |= {
        "server": {"workers": 2},
        "worker": {"lease": 4},
        "model": {"deadline": 60},
        "assistant": {"max_reply_chars": 5000},
    }
    return town


def opened(town: Town, surface: Callable[[Town], None]) -> Platform:
    """Started, and ready for customers; the platform of the only channel."""
    surface(town)
    town.start()
    if surface is connected:
        until(lambda: town.aibot.socket.connected)
    if surface is streamed:
        until(lambda: town.dingtalk.gateway.connections)
    return town.platforms[town.names[0]]


def shown(platform: Platform) -> list[str]:
    """The answer itself as it grew; not what stands there before its first words."""
    return [each.text for each in grown(platform) if each.text.startswith("Sentence")]


def half_way(platform: Platform) -> None:
    until(lambda: shown(platform) and len(shown(platform)[-1]) > len(ANSWER) / 4, 30, lambda: grown(platform))
    assert shown(platform)[-1] != ANSWER, "too late: the answer is whole"


def assert_whole_once(platform: Platform, *, tolerated: frozenset[str] = frozenset()) -> None:
    platform.wait_for_replies(1, LATER)
    time.sleep(2)
    assert [reply.text for reply in platform.replies()] == [ANSWER]
    texts = shown(platform)
    assert texts[-1] == ANSWER
    assert len(set(texts)) >= 3, "the answer came at once"
    assert all(len(earlier) <= len(later) for earlier, later in itertools.pairwise(texts)), "it shrank"
    assert all(ANSWER.startswith(text.rstrip("…. ")) for text in texts), texts
    assert _ends(grown(platform)) == 1
    assert [breach for breach in platform.breaches if breach.rule not in tolerated] == []


def _ends(steps: list[Grown]) -> int:
    """How many messages came to an end."""
    return len({each.platform_id for each in steps if each.finished})


UNHEARD = frozenset({"webhook_not_acknowledged"})
"""A request that dies with its process: the platform's own to ask again."""
KILLS = [
    (polled, "web worker"),
    (polled, "web"),
    (polled, "worker"),
    (polled, "redis"),
    (connected, "connect"),
    (connected, "worker"),
    (carded, "web worker"),
    (carded, "worker"),
    (carded, "redis"),
    (streamed, "connect"),
    (streamed, "worker"),
]


ANEW = frozenset({"worker", "redis"})
"""After whose death the model may be asked a second time."""


@pytest.mark.parametrize(("surface", "victim"), KILLS, ids=lambda each: getattr(each, "__name__", each))
def test_a_kill_half_way_leaves_one_whole_answer(town: Town, surface: Callable[[Town], None], victim: str) -> None:
    platform = opened(town, surface)
    assert platform.say("Tell me everything.").status == 200
    half_way(platform)
    if victim == "web worker":
        killed = town.web_workers()[0]
        killed.kill()
    else:
        town.kill(victim)
    if victim in ANEW:
        town.model.token_delay = 0.002
    assert_whole_once(platform, tolerated=UNHEARD if surface is polled else frozenset())
    assert len(town.model.requests) <= (2 if victim in ANEW else 1)
    if victim == "web worker":
        until(lambda: len(town.web_workers()) == 2)


@dataclass
class Office:
    """Processes that nobody starts again, with one Redis and nothing before them: the platform goes to one web
    service's address after the other. *running* has them by kind."""

    town: Town
    running: dict[str, list[subprocess.Popen[bytes]]]
    ports: list[int]

    @property
    def platform(self) -> Platform:
        return self.town.platforms[self.town.names[0]]

    def kill(self, kind: str) -> None:
        """The first of a kind."""
        end(self.running[kind].pop(0))


def end(process: subprocess.Popen[bytes]) -> None:
    """With all that it started: gunicorn and its workers."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


Build = Callable[..., Office]


@pytest.fixture
def office(town: Town) -> Iterator[Build]:
    """Call it with a surface and the kinds of processes, first to last."""
    redis = EmbeddedRedis(town.folder / "var")
    redis.start()
    running: dict[str, list[subprocess.Popen[bytes]]] = {}

    def build(surface: Callable[[Town], None], *kinds: str) -> Office:
        surface(town)
        name, ports = town.names[0], [town.port, free_port()]
        configs = [town.configure(), town.configure(ports[1])]
        town.platforms[name].webhook_url = " ".join(f"http://127.0.0.1:{port}/webhooks/{name}" for port in ports)
        for kind in kinds:
            started = running.setdefault(kind, [])
            started.append(town.launch(kind, configs[len(started)], {"FRONTDESK__REDIS__URL": redis.url}))
        for port in ports[: kinds.count("web")]:
            until(lambda url=f"http://127.0.0.1:{port}": answers(url), 60, town.log)  # type: ignore[misc]
        return Office(town, running, ports)

    try:
        yield build
    finally:
        for process in itertools.chain.from_iterable(running.values()):
            end(process)
        redis.stop()


@pytest.mark.parametrize("surface", [polled, carded])
def test_of_two_web_services_one_dies_for_good_half_way(office: Build, surface: Callable[[Town], None]) -> None:
    desk = office(surface, "web", "web", "worker")
    assert desk.platform.say("Tell me everything.").status == 200
    half_way(desk.platform)
    desk.kill("web")
    assert_whole_once(desk.platform, tolerated=UNHEARD if surface is polled else frozenset())
    assert len(desk.town.model.requests) == 1
    assert desk.platform.say("Are you still there?", user=customer("aibot", 2)).status == 200
    desk.platform.wait_for_replies(2, LATER)


def test_both_web_services_answer_the_polls(office: Build) -> None:
    """Else the test above could pass with one of them asleep."""
    desk = office(polled, "web", "web", "worker")
    desk.platform.say("Tell me everything.")
    assert_whole_once(desk.platform)
    told = [entry for _, entry in desk.platform.journal.after(0)]
    polls = [entry for entry in told if isinstance(entry, Webhook) and entry.what == "poll"]
    for port in desk.ports:
        assert sum(f":{port}/" in each.url for each in polls) > 3


def test_another_process_takes_the_connection_over_and_finishes_the_answer(office: Build) -> None:
    desk = office(connected, "connect", "worker", "connect")
    town, socket = desk.town, desk.town.aibot.socket
    until(lambda: socket.connected and STANDING_BY in town.log(), 40, town.log)
    assert socket.subscriptions == 1
    assert desk.platform.say("Tell me everything.").status == 200
    half_way(desk.platform)
    holder = json.loads(next(line for line in town.log().splitlines() if HELD in line))["pid"]
    desk.running["connect"].sort(key=lambda each: each.pid != holder)
    desk.kill("connect")
    assert_whole_once(desk.platform)
    assert socket.subscriptions == 2
    (second,) = desk.running["connect"]
    begun = time.monotonic()
    second.send_signal(signal.SIGTERM)
    assert second.wait(15) == 0
    assert time.monotonic() - begun < 10


def test_no_message_that_was_acknowledged_over_the_stream_is_lost_with_its_process(town: Town) -> None:
    """What was not acknowledged comes again to the next connection."""
    town.model.token_delay = 0.0
    platform = opened(town, streamed)
    people = [customer("ding", number) for number in range(12)]
    heard: list[int] = []
    for number, user in enumerate(people):
        if number == 6:
            town.kill("connect")
        delivery = platform.say("Tell me everything.", user=user)
        if delivery.error == "nobody is connected":  # the platform has lost it itself: no bot could have known
            until(lambda: town.dingtalk.gateway.connections)
            delivery = platform.say("Tell me everything.", user=user)
        heard.append(delivery.status)
    assert heard[:6] == [200] * 6
    platform.wait_for_replies(len(people), LATER)
    time.sleep(4)  # beyond the platform's own repetition
    assert sorted(reply.to for reply in platform.replies()) == sorted(people)
    assert {reply.text for reply in platform.replies()} == {ANSWER}
    assert platform.breaches == []


def test_a_message_over_the_connection_is_answered_over_it_and_all_ends_in_time(town: Town) -> None:
    town.model.token_delay, town.model.reply = 0.0, "We open at nine."
    platform = opened(town, connected)
    assert platform.say("When do you open?").status == 200
    (reply,) = platform.wait_for_replies(1, LATER)
    assert reply.text == "We open at nine."
    assert town.aibot.socket.subscriptions == 1
    assert town.stop() == 0
    assert '"action": "connector_stopped"' in town.log()
    assert [word for word in ("When do you open", "We open", town.aibot.secret) if word in town.log()] == []
    assert platform.breaches == []
