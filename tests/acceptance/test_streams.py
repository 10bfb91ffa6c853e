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
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from bot.sandbox.model_parts import words
from bot.sandbox.simulator.journal import Breach, Webhook
from sessions.embedded import EmbeddedRedis
from tests.acceptance.conftest import LATER, Platform, Town, answers, built, customer, free_port, grown, until

pytestmark = pytest.mark.acceptance
ANSWER = "".join(f"Sentence number {number} of the answer is here. " for number in range(30)).strip()
CARD = {"card_template_id": "answers.schema", "card_key": "content"}
STANDING_BY, HELD = '"action": "connection_standing_by"', '"action": "connection_held"'
SURFACES = ("aibot", "ding")
QUICK, SLOW = 0.02, 0.06
"""Seconds between two words of the answer. Over its long connection an AI bot shows more every three seconds."""
UNHEARD = frozenset({"webhook_not_acknowledged"})
"""A request that dies with its process: the platform's own to ask again."""
ANEW = frozenset({"worker", "redis"})
"""After whose death the model may be asked a second time."""
NUMBERS = itertools.count(1)


def prepared(town: Town) -> Town:
    """Two web processes, an answer that takes seconds, and a lease that ends within a test's patience."""
    town.model.reply = ANSWER
    town.more = {
        "server": {"workers": 2},
        "worker": {"lease": 4},
        "model": {"deadline": 60},
        "assistant": {"max_reply_chars": 5000},
        "ding": dict(CARD),
    }
    town.aibot.poll_every = timedelta(seconds=0.3)
    return town


def connecting(town: Town) -> Town:
    """The same, but nothing comes by webhook."""
    prepared(town).more["ding"]["mode"] = "stream"
    town.more["aibot"] = {"mode": "websocket", "secret": town.aibot.secret, "ws_url": town.aibot.socket.url}
    town.aibot.connects = town.dingtalk.streams = True
    town.dingtalk.gateway.again_after = timedelta(seconds=10)
    return town


def connected(town: Town) -> bool:
    return town.aibot.socket.connected and town.dingtalk.gateway.connections > 0


@pytest.fixture(scope="module")
def by_webhooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with built(tmp_path_factory.mktemp("town"), SURFACES) as town:
        prepared(town).start()
        yield town


@pytest.fixture(scope="module")
def by_connections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with built(tmp_path_factory.mktemp("town"), SURFACES) as town:
        connecting(town).start()
        yield town


@dataclass
class Answered:
    """One customer on one surface, and the answer that grows for them."""

    town: Town
    name: str
    user: str = ""
    before: Sequence[Breach] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.user = customer(self.name, next(NUMBERS))
        self.before = self.platform.breaches

    @property
    def platform(self) -> Platform:
        return self.town.platforms[self.name]

    def ask(self) -> None:
        assert self.platform.say(f"Tell me everything. ({self.user})", user=self.user).status == 200

    def shown(self) -> list[str]:
        """The answer itself as it grew; not what stands there before its first words."""
        texts = [each.text for each in grown(self.platform) if each.to == self.user]
        return [text for text in texts if text.startswith("Sentence")]

    def is_half_way(self) -> bool:
        return bool(self.shown()) and len(self.shown()[-1]) > len(ANSWER) / 4

    def questions(self) -> int:
        """How often the model was asked for this customer."""
        requests = self.town.model.requests
        return sum(any(self.user in words(each) for each in body["messages"]) for body in requests)

    def assert_whole_once(self, *, tolerated: frozenset[str] = frozenset()) -> None:
        assert [reply.text for reply in self.platform.replies(self.user)] == [ANSWER]
        texts = self.shown()
        assert texts[-1] == ANSWER
        assert len(set(texts)) >= 3, "the answer came at once"
        assert all(len(earlier) <= len(later) for earlier, later in itertools.pairwise(texts)), "it shrank"
        assert all(ANSWER.startswith(text.rstrip("…. ")) for text in texts), texts
        ended = {each.platform_id for each in grown(self.platform) if each.to == self.user and each.finished}
        assert len(ended) == 1
        fresh = self.platform.breaches[len(self.before) :]
        assert [breach for breach in fresh if breach.rule not in tolerated] == []


def half_way(town: Town, delay: float = QUICK) -> list[Answered]:
    """A customer on each of the town's surfaces, in the middle of the answer."""
    town.model.token_delay = delay
    asking = [Answered(town, name) for name in town.names]
    for each in asking:
        each.ask()
    until(lambda: all(each.is_half_way() for each in asking), 30, lambda: [each.shown() for each in asking])
    assert ANSWER not in [each.shown()[-1] for each in asking], "too late: an answer is whole"
    return asking


def assert_all_whole_once(asked: list[Answered], *, tolerated: frozenset[str] = frozenset()) -> None:
    for each in asked:
        each.platform.wait_for_replies(1, LATER, user=each.user)
    time.sleep(2)
    for each in asked:
        each.assert_whole_once(tolerated=tolerated if each.name == "aibot" else frozenset())


@pytest.mark.parametrize("victim", ["web worker", "web", "worker", "redis"])
def test_a_kill_half_way_leaves_one_whole_answer(by_webhooks: Town, victim: str) -> None:
    town = by_webhooks
    town.wait_until_ready()
    asked = half_way(town)
    if victim == "web worker":
        town.web_workers()[0].kill()
    else:
        town.kill(victim)
    if victim in ANEW:
        town.model.token_delay = 0.002
    assert_all_whole_once(asked, tolerated=UNHEARD)
    assert max(each.questions() for each in asked) <= (2 if victim in ANEW else 1)
    until(lambda: len(town.web_workers()) == 2)


@pytest.mark.parametrize("victim", ["connect", "worker"])
def test_a_kill_half_way_leaves_one_whole_answer_over_a_long_connection(by_connections: Town, victim: str) -> None:
    town = by_connections
    until(lambda: connected(town))
    asked = half_way(town, SLOW)
    town.kill(victim)
    if victim in ANEW:
        town.model.token_delay = 0.002
    assert_all_whole_once(asked)
    assert max(each.questions() for each in asked) <= (2 if victim in ANEW else 1)


def test_no_message_that_was_acknowledged_over_the_stream_is_lost_with_its_process(by_connections: Town) -> None:
    """What was not acknowledged comes again to the next connection."""
    town, platform = by_connections, by_connections.dingtalk
    town.model.token_delay = 0.0
    until(lambda: connected(town))
    people = [Answered(town, "ding") for _ in range(12)]
    heard: list[int] = []
    for number, each in enumerate(people):
        if number == 6:
            town.kill("connect")
        delivery = platform.say("Tell me everything.", user=each.user)
        if delivery.error == "nobody is connected":  # the platform has lost it itself: no bot could have known
            until(lambda: connected(town))
            delivery = platform.say("Tell me everything.", user=each.user)
        heard.append(delivery.status)
    assert heard[:6] == [200] * 6
    for each in people:
        platform.wait_for_replies(1, LATER, user=each.user)
    time.sleep(2)
    assert [[reply.text for reply in platform.replies(each.user)] for each in people] == [[ANSWER]] * 12
    assert platform.breaches == people[0].before


@dataclass
class Office:
    """Processes that nobody starts again, with one Redis and nothing before them: the platforms go to one web
    service's address after the other. *running* has them by kind."""

    town: Town
    running: dict[str, list[subprocess.Popen[bytes]]]
    ports: list[int]

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
def office(tmp_path: Path) -> Iterator[Build]:
    """Call it with what prepares the town, and the kinds of processes, first to last."""
    redis = EmbeddedRedis(tmp_path / "var")
    redis.start()
    running: dict[str, list[subprocess.Popen[bytes]]] = {}

    def build(prepare: Callable[[Town], Town], *kinds: str) -> Office:
        prepare(town)
        ports = [town.port, free_port()]
        configs = [town.configure(), town.configure(ports[1])]
        for name, platform in town.platforms.items():
            platform.webhook_url = " ".join(f"http://127.0.0.1:{port}/webhooks/{name}" for port in ports)
        for kind in kinds:
            started = running.setdefault(kind, [])
            started.append(town.launch(kind, configs[len(started)], {"FRONTDESK__REDIS__URL": redis.url}))
        for port in ports[: kinds.count("web")]:
            until(lambda url=f"http://127.0.0.1:{port}": answers(url), 60, town.log)  # type: ignore[misc]
        return Office(town, running, ports)

    try:
        with built(tmp_path, SURFACES) as town:
            yield build
            for process in itertools.chain.from_iterable(running.values()):
                end(process)
    finally:
        redis.stop()


def polls(platform: Platform, port: int) -> int:
    """How often the web service at *port* was asked how far the answer is."""
    told = [entry for _, entry in platform.journal.after(0) if isinstance(entry, Webhook)]
    return sum(entry.what == "poll" and f":{port}/" in entry.url and entry.status == 200 for entry in told)


def test_of_two_web_services_one_dies_for_good_half_way(office: Build) -> None:
    desk = office(prepared, "web", "web", "worker")
    asked = half_way(desk.town)
    first, second = (polls(desk.town.aibot, port) for port in desk.ports)
    assert min(first, second) > 0, "one of them sleeps"
    desk.kill("web")
    assert_all_whole_once(asked, tolerated=UNHEARD)
    assert polls(desk.town.aibot, desk.ports[1]) > second
    assert max(each.questions() for each in asked) == 1
    assert_all_whole_once(half_way(desk.town), tolerated=UNHEARD)


def test_another_process_takes_the_connections_over_and_finishes_the_answers(office: Build) -> None:
    desk = office(connecting, "connect", "worker", "connect")
    town, socket = desk.town, desk.town.aibot.socket
    until(lambda: connected(town) and town.log().count(HELD) + town.log().count(STANDING_BY) >= 4, 40, town.log)
    assert socket.subscriptions == 1
    asked = half_way(town, SLOW)
    held = [json.loads(line)["pid"] for line in town.log().splitlines() if HELD in line]
    desk.running["connect"].sort(key=lambda each: each.pid not in held)
    desk.kill("connect")
    assert_all_whole_once(asked)
    assert socket.subscriptions in (1, 2)  # the two channels may have been held by different processes
    (second,) = desk.running["connect"]
    begun = time.monotonic()
    second.send_signal(signal.SIGTERM)
    assert second.wait(15) == 0
    assert time.monotonic() - begun < 10


def test_messages_over_the_connections_are_answered_over_them_and_all_ends_in_time(tmp_path: Path) -> None:
    with built(tmp_path, SURFACES) as town:
        connecting(town).model.reply = "We open at nine."
        town.start()
        until(lambda: connected(town))
        for platform in town.platforms.values():
            assert platform.say("When do you open?").status == 200
        for platform in town.platforms.values():
            (reply,) = platform.wait_for_replies(1, LATER)
            assert reply.text == "We open at nine."
            assert platform.breaches == []
        assert town.aibot.socket.subscriptions == 1
        assert town.stop() == 0
        assert '"action": "connector_stopped"' in town.log()
        secret = ("When do you open", "We open", town.aibot.secret, town.dingtalk.client_secret)
        assert [word for word in secret if word in town.log()] == []
