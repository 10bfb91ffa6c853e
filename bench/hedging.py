"""`python -m bench.hedging`: would a second request to another replica help where no token came in time?

A simulation, because it takes GPUs under load to see it: two replicas with continuous batching, on a grid of 10 ms.
A prompt costs 30 ms of a replica where its prefix is cached and 120 ms elsewhere; a step of decoding 6 ms and
0.35 ms for each answer in the batch; answers have 30 to 600 tokens. The first of two requests to speak wins, and
the other is given up at once. Not measured on a GPU: what counts is the direction.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bench.load import percentile

GRID = 0.01
CACHED, COLD = 0.03, 0.12
STEP, STEP_EACH = 0.006, 0.00035
STALL_EVERY, STALL = 60.0, 2.0
"""Seconds between a replica's stalls, and of each, in the runs that have any."""
WARM = 30.0


@dataclass(eq=False)
class Asked:
    """One customer's question."""

    at: float
    home: int
    tokens: float
    jobs: list["Job"] = field(default_factory=list)
    started: bool = False


@dataclass(eq=False)
class Job:
    """A question at one replica: seconds of prompt left, then tokens left."""

    asked: Asked
    replica: int
    prompt: float
    tokens: float


class Town:
    """Two replicas; *hedge* seconds without a token send a second request (0: never)."""

    def __init__(self, rate: float, hedge: float, *, stalls: bool, seed: int) -> None:
        self._dice = random.Random(seed)
        self._rate = rate
        self._hedge = hedge
        self._stalls = stalls
        self._jobs: tuple[list[Job], list[Job]] = ([], [])
        self._stalled = [0.0, 0.0]
        self._silent: list[Asked] = []
        self.asked = self.doubled = 0
        self.took: list[float] = []

    def run(self, length: timedelta) -> None:
        due = 0.0
        for tick in range(int(length.total_seconds() / GRID)):
            now = tick * GRID
            while due <= now:
                self._arrive(now)
                due += self._dice.expovariate(self._rate)
            for replica in (0, 1):
                self._serve(replica, now)
            self._silent = [asked for asked in self._silent if not asked.started]
            self._double(now)

    def _arrive(self, now: float) -> None:
        home = self._dice.randrange(2)
        if len(self._jobs[home]) > 1.25 * sum(map(len, self._jobs)) / 2 + 4:
            home = 1 - home
        asked = Asked(now, home, min(600, max(30, self._dice.gammavariate(2, 100))))
        self._send(asked, home, CACHED if self._dice.random() < 0.8 else COLD)
        self._silent.append(asked)
        self.asked += 1

    def _send(self, asked: Asked, replica: int, prompt: float) -> None:
        job = Job(asked, replica, prompt, asked.tokens)
        asked.jobs.append(job)
        self._jobs[replica].append(job)

    def _serve(self, replica: int, now: float) -> None:
        if self._stalls and self._dice.random() < GRID / STALL_EVERY:
            self._stalled[replica] = now + STALL
        if now < self._stalled[replica]:
            return
        left = GRID
        for job in self._jobs[replica]:
            used = min(left, job.prompt)
            job.prompt -= used
            left -= used
        speaking = [job for job in self._jobs[replica] if job.prompt <= 0]
        for job in speaking if left > 0 else ():
            self._speak(job, left / (STEP + STEP_EACH * len(speaking)), now)

    def _speak(self, job: Job, tokens: float, now: float) -> None:
        if not job.asked.started:
            job.asked.started = True
            for other in job.asked.jobs:
                if other is not job:
                    self._jobs[other.replica].remove(other)
        elif job not in self._jobs[job.replica]:
            return
        job.tokens -= tokens
        if job.tokens <= 0:
            self._jobs[job.replica].remove(job)
            if job.asked.at >= WARM:
                self.took.append(now - job.asked.at)

    def _double(self, now: float) -> None:
        for asked in self._silent if self._hedge else ():
            if len(asked.jobs) == 1 and now - asked.at > self._hedge:
                self._send(asked, 1 - asked.home, COLD)
                self.doubled += 1


def measure(rate: float, hedge: float, *, stalls: bool, seeds: Sequence[int] = (1, 2, 3)) -> str:
    towns = [Town(rate, hedge, stalls=stalls, seed=seed) for seed in seeds]
    for town in towns:
        town.run(timedelta(minutes=4))
    took = [each for town in towns for each in town.took]
    doubled = sum(town.doubled for town in towns) / sum(town.asked for town in towns)
    return f"p50 {percentile(took, 0.5):5.2f} s  p99 {percentile(took, 0.99):5.2f} s  doubled {doubled:4.0%}"


def main() -> None:
    for stalls in (False, True):
        for rate in (4, 8, 12):
            for hedge in (0.0, 0.2, 1.0):
                kind = "stalls" if stalls else "calm  "
                after = f"after {hedge} s" if hedge else "never      "
                print(
                    f"{kind}  {rate:2} questions/s  doubled {after}  {measure(rate, hedge, stalls=stalls)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
