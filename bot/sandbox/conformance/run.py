"""Runs the journeys and tells what was seen: one line each, and the red lines of the platform below."""

import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.sandbox.conformance.journeys import CONNECTION, Journey, journeys
from bot.sandbox.conformance.stage import BUSY, Failed, Stage
from bot.sandbox.simulator.platform import Platform

EXCUSED: Mapping[str, frozenset[str]] = {
    "forged": frozenset({"webhook_not_acknowledged"}),
    "broken": frozenset({"webhook_not_acknowledged"}),
    "oversized": frozenset({"webhook_not_acknowledged"}),
}
"""Red lines that a journey itself draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of one journey: *wrong* says why it failed, "" if it did not."""

    channel: str
    journey: str
    wrong: str
    took: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which journeys to run: by channel and by name; empty means all."""

    channels: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def wants(self, channel: str, journey: Journey) -> bool:
        return channel in (self.channels or {channel}) and journey.name in (self.names or {journey.name})


def run(platforms: Mapping[str, Platform[Any]], choice: Choice, *, own_model: bool) -> Iterator[Seen]:
    """All channels at the same time, each one's journeys one after another; told as they end."""
    told: queue.SimpleQueue[Seen | None] = queue.SimpleQueue()

    def play(channel: str) -> None:
        stage = Stage(platforms[channel], own_model=own_model)
        wanted = [each for each in journeys(stage) if choice.wants(channel, each)]
        if wanted and stage.by_socket:
            wanted.insert(0, CONNECTION)
        try:
            for journey in wanted:
                told.put(_run(channel, journey, stage))
        finally:
            told.put(None)

    with ThreadPoolExecutor(max(len(platforms), 1)) as pool:
        playing = [pool.submit(play, channel) for channel in platforms]
        left = len(playing)
        while left:
            seen = told.get()
            if seen is None:
                left -= 1
            else:
                yield seen
        for each in playing:
            each.result()


def _run(channel: str, journey: Journey, stage: Stage) -> Seen:
    before, began = len(stage.platform.breaches), time.monotonic()
    try:
        journey.runs(stage)
        wrong = ""
    except Failed as failed:
        wrong = str(failed)
    finally:
        stage.platform.mischief.clear()
    broken = _breaches(journey, stage, before)
    told = "; ".join(filter(None, [wrong, *broken]))
    took = timedelta(seconds=time.monotonic() - began)
    return Seen(channel=channel, journey=journey.name, wrong=told, took=took)


def _breaches(journey: Journey, stage: Stage, before: int) -> Sequence[str]:
    """The platform's rules that were broken meanwhile, each once."""
    excused = EXCUSED.get(journey.name, frozenset())
    busy = f"HTTP {BUSY}"  # a bot that stays so fails the journey itself
    fresh = [
        breach
        for breach in stage.platform.breaches[before:]
        if breach.rule not in excused and not breach.detail.endswith(busy)
    ]
    return list(dict.fromkeys(f"{breach.rule} ({breach.detail})" for breach in fresh))


def line(seen: Seen, width: int) -> str:
    """One line of the table."""
    verdict = f"FAIL  {seen.wrong}" if seen.wrong else "ok"
    return f"{seen.channel:<{width}}  {seen.journey:<15}  {seen.took.total_seconds():5.1f} s  {verdict}"
