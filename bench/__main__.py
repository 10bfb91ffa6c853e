"""`python -m bench [scenario …]`: prints each figure beside the one that is promised.

Scenarios: latency, load, duplicates, kill, accepts, waiting, overhead, failover. All by default; about three
minutes on two cores.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import desk as desks
from bench import failover as killed
from bench import machine
from bench import overhead as clients
from bench.fakes import OtherSide, other_side
from bench.load import Caller, conversations, percentile, post_all, webhook


@dataclass(frozen=True)
class Figure:
    """One line of the table; *holds*: whether the measured value keeps the promise."""

    name: str
    measured: str
    promised: str
    holds: bool


def latency(other: OtherSide) -> list[Figure]:
    """200 messages one after another, the model answering at once: posted → sent at the platform."""
    with desks.running(other.url) as desk:
        caller = Caller(desk.port)
        for number in range(20):
            caller.post(webhook(f"4400{number:08d}", "warm up", f"wamid.warm.{number}", desk.port), "")
        other.wait_for(20, limit=20)
        other.restart(model_delay=0)
        posted = {}
        for number in range(200):
            user = f"4411{number:08d}"
            request = webhook(user, "where is my order?", f"wamid.latency.{number}", desk.port)
            posted[user] = caller.post(request, user).posted
            other.wait_for(number + 1, limit=10)
        took = [(at - posted[to]) * 1000 for at, to, _ in other.journal().sent]
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    return [
        Figure(
            "webhook → send, model delay 0, p50 / p99",
            f"{p50:.1f} / {p99:.1f} ms",
            "≤ 12 / ≤ 40 ms",
            p50 <= 12 and p99 <= 40 and len(took) == 200,
        )
    ]


def load(other: OtherSide) -> list[Figure]:
    """500 messages of 250 users, 50 at a time, the model thinking for a second."""
    with desks.running(other.url) as desk:
        _warm(desk, other)
        other.restart(model_delay=1.0)
        before = desk.cpu_seconds()
        acks = post_all(list(conversations(250, 2, desk.port, label="load")), desk.port, at_once=50)
        answered = _wait_until_quiet(other, users=250)
        cpu = (desk.cpu_seconds() - before) / 500
    start = min(ack.posted for ack in acks)
    last = max(at for at, _, _ in answered) - start
    silent = 250 - len({to for _, to, _ in answered})
    unseen = 250 - sum("question 1" in text for _, _, text in answered)
    lost = sum(ack.status != 200 for ack in acks) + silent + unseen
    return [
        Figure(
            "500 messages, 250 users, model 1 s: last reply after",
            f"{last:.2f} s, {lost} lost",
            "≤ 4 s, 0 lost",
            last <= 4 and lost == 0,
        ),
        Figure("CPU of all processes a message", f"{cpu * 1000:.2f} ms", "≤ 5 ms", cpu <= 0.005),
    ]


def duplicates(other: OtherSide) -> list[Figure]:
    """The same message delivered three times at once."""
    with desks.running(other.url) as desk:
        _warm(desk, other)
        other.restart(model_delay=0.2)
        same = webhook("447700000001", "hello", "wamid.same", desk.port)
        post_all([(str(number), same) for number in range(3)], desk.port, at_once=3, pace=1000)
        time.sleep(2)
        replies = len(other.journal().sent)
    return [Figure("the same delivered three times: replies", str(replies), "1", replies == 1)]


def kill(other: OtherSide) -> list[Figure]:
    """20 accepted, every process killed, started again on the same data."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        port = desks.free_port()
        desk = desks.start(Path(folder), port, other.url)
        _warm(desk, other)
        other.restart(model_delay=2.0)
        acks = post_all(list(conversations(20, 1, port, label="kill")), port, at_once=5)
        desk.kill_everything()
        again = desks.start(Path(folder), port, other.url)
        started = time.monotonic()
        journal = other.wait_for(20, limit=60)
        resumed = time.monotonic() - started
        time.sleep(3)
        replies = Counter(to for _, to, _ in other.journal().sent)
        desks.stop(again)
    accepted = sum(ack.status == 200 for ack in acks)
    twice = sum(count > 1 for count in replies.values())
    return [
        Figure(
            f"{accepted} acked, kill -9, restart: replied",
            f"{len({to for _, to, _ in journal.sent})}, {twice} twice, after {resumed:.0f} s",
            "20, 0 twice",
            len(replies) == accepted == 20 and twice == 0,
        )
    ]


def accepts(other: OtherSide) -> list[Figure]:
    """Durable accepts a second of one web process, then the ack's p99 at half that load."""
    with desks.running(other.url) as desk:
        _warm(desk, other)
        other.restart(model_delay=600.0)
        for worker in desk.named("bot.cli", "worker"):
            worker.suspend()  # the worker's work is not the edge's; its leases wait
        requests = list(conversations(1000, 5, desk.port, label="accepts"))
        begun = time.monotonic()
        acks = post_all(requests[:4000], desk.port, at_once=16)
        rate = len(acks) / (time.monotonic() - begun)
        paced = post_all(requests[4000:], desk.port, at_once=16, pace=rate / 2)
        for worker in desk.named("bot.cli", "worker"):
            worker.resume()
        p99 = percentile([(ack.acked - ack.posted) * 1000 for ack in paced], 0.99)
        good = all(ack.status == 200 for ack in (*acks, *paced))
        desk.kill_everything()
    return [
        Figure("durable accepts a second, one web process", f"{rate:.0f}", "≥ 1,000", rate >= 1000 and good),
        Figure("p99 of the ack at half that load", f"{p99:.1f} ms", "≤ 20 ms", p99 <= 20 and good),
    ]


def waiting(other: OtherSide) -> list[Figure]:
    """1,000 conversations waiting on the model in one worker process."""
    with desks.running(other.url) as desk:
        _warm(desk, other)
        other.restart(model_delay=20.0)
        _post_until_taken(list(conversations(1000, 1, desk.port, label="waiting")), desk.port)
        end = time.monotonic() + 20
        while (at_once := other.journal().most_waiting) < 1000 and time.monotonic() < end:
            time.sleep(0.2)
        memory = max(each.memory_info().rss for each in desk.named("worker")) / 1e6
        answered = len(other.wait_for(1000, limit=60).sent)
    return [
        Figure(
            "conversations waiting in one worker, its memory",
            f"{at_once}, {memory:.0f} MB ({answered} then answered)",
            "1,000, ≤ 200 MB",
            at_once >= 1000 and memory <= 200 and answered == 1000,
        )
    ]


def overhead(_: OtherSide) -> list[Figure]:
    """What the model's client adds to a bare socket reader, beside openai-python's in the same run."""
    costs = clients.measure()
    ours, yardstick = costs["ours"], costs.get("openai-python")
    if yardstick is None:
        print("skip  client overhead: openai-python is not installed: pip install -e '.[bench]'", flush=True)
        return []
    pairs = {
        "time added to an answer": (ours.wall.answer, yardstick.wall.answer),
        "time added to a token": (ours.wall.token, yardstick.wall.token),
        "CPU of an answer": (ours.cpu.answer, yardstick.cpu.answer),
        "CPU of a token": (ours.cpu.token, yardstick.cpu.token),
    }
    return [
        Figure(
            f"model client against openai-python, {what}",
            f"{mine * 1e6:.0f} / {theirs * 1e6:.0f} µs = {mine / theirs:.2f}",
            "≤ 0.5",
            mine <= 0.5 * theirs,
        )
        for what, (mine, theirs) in pairs.items()
    ]


def failover(_: OtherSide) -> list[Figure]:
    """One of two model servers killed under fifty conversations."""
    seen = killed.measure()
    return [
        Figure(
            f"a model server killed: errors of {seen.answers} answers, added p99",
            f"{seen.errors}, {seen.p99:.2f} s (most {max(seen.added):.2f} s)",
            "0, < 1 s",
            seen.errors == 0 and seen.p99 < 1,
        )
    ]


def _warm(desk: desks.Desk, other: OtherSide) -> None:
    other.restart(model_delay=0)
    post_all(list(conversations(20, 1, desk.port, label=f"warm{desk.port}")), desk.port, at_once=4)
    other.wait_for(20, limit=20)


def _post_until_taken(requests: list[tuple[str, bytes]], port: int) -> None:
    """One message a user; what is refused, because Redis was slow, comes again as a platform would bring it."""
    for _ in range(10):
        acks = post_all(requests, port, at_once=20)
        refused = {ack.user for ack in acks if ack.status != 200}
        requests = [(user, request) for user, request in requests if user in refused]


def _wait_until_quiet(other: OtherSide, *, users: int) -> list[tuple[float, str, str]]:
    """All sends, once every user's last question was answered and nothing more came for two seconds."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        sent = other.journal().sent
        done = sum("question 1" in text for _, _, text in sent) >= users
        if done and time.monotonic() - max(at for at, _, _ in sent) > 2:
            return sent
        time.sleep(0.2)
    return other.journal().sent


SCENARIOS: dict[str, Callable[[OtherSide], list[Figure]]] = {
    each.__name__: each for each in (latency, load, duplicates, kill, accepts, waiting, overhead, failover)
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        print(f"No such scenario: {', '.join(unknown)}. There are: {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    print(f"before: {machine.described()}\n")
    held = True
    for name in names or SCENARIOS:
        with other_side() as other:
            for figure in SCENARIOS[name](other):
                held &= figure.holds
                mark = "ok  " if figure.holds else "MISS"
                print(f"{mark}  {figure.name:<55} {figure.measured:<38} {figure.promised}", flush=True)
    print(f"\nafter:  {machine.described()}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
