"""`frontdesk check`: what an answer to a customer needs, looked at piece by piece, each with the next step."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from adapters.channel import Finding
from adapters.files import Folder, NoFile
from adapters.meter import MemoryMeter, Meter
from adapters.tokens import MemoryTokenStore
from adapters.values import Attachment
from bot.config import Config
from bot.data_dir import why_not_writable
from bot.metrics import months
from bot.redis_url import embedded_url
from bot.serving.model_expectations import examine, expected
from bot.wiring import build_channels, load_knowledge, lone_services
from inference.faq import BadTable
from inference.files import targets
from sessions.alarms import RedisAlarms
from sessions.embedded import find_server
from sessions.errors import NoServer, StoreDown, UnsafeStore
from sessions.meter import RedisMeter
from sessions.store import RedisStore

LIMIT = timedelta(seconds=20)
"""For all platforms and replicas together, since they are asked at the same time."""


def findings(config: Config, *, limit: timedelta = LIMIT) -> Iterator[Finding]:
    """One finding after the other, the near things first."""
    yield Finding(what=f"configuration {config.path or 'from the environment'}", ok=True)
    for warning in config.warnings:
        yield Finding(what="configuration", ok=True, next_step=warning)
    yield _data_dir(config)
    yield from _redis(config)
    yield from _knowledge(config)
    with _counted(config) as meter:
        yield from _at_once(_remote(config, meter), limit)


def _data_dir(config: Config) -> Finding:
    problem = why_not_writable(config.server.data_dir)
    return Finding(what=f"data_dir {config.server.data_dir}", ok=problem is None, next_step=problem or "")


def _redis(config: Config) -> Iterator[Finding]:
    url = config.redis.url or embedded_url(config)
    if url is None:
        yield _embedded()
        return
    store = RedisStore.open(url, patience=timedelta(seconds=5), connections=1)
    try:
        warnings = store.check_durable(allow_volatile=config.redis.allow_volatile)
        store.check_writable()
    except StoreDown:
        step = "does not answer, or takes no writes: start it, or correct redis.url"
        yield Finding(what="redis", ok=False, next_step=step)
    except UnsafeStore as error:
        yield Finding(what="redis", ok=False, next_step=" ".join(str(error).split("\n")))
    else:
        yield Finding(what="redis answers, takes writes and keeps them", ok=True)
        yield from (Finding(what="redis", ok=True, next_step=warning) for warning in warnings)
        yield from _accounts(store)
        yield from _months(store, config)
    finally:
        store.close()


def _accounts(store: RedisStore) -> Iterator[Finding]:
    """Those that a platform blocked: their turns wait, and are parked in the end."""
    try:
        blocked = RedisAlarms(store).current()
    except StoreDown:
        return
    for name, alarm in sorted(blocked.items()):
        step = f"since {alarm.since:%Y-%m-%d %H:%M} UTC nothing is sent but a try a minute: {alarm.reason}"
        yield Finding(what=f"channel {name}: account", ok=False, next_step=step)


def _months(store: RedisStore, config: Config) -> Iterator[Finding]:
    """What platforms bill or limit by the month."""
    meter = RedisMeter(store)
    for name in config.channels:
        for month in months(datetime.now(UTC)):
            try:
                totals = sorted(meter.read(name, month=month).items())
            except StoreDown:
                return
            if totals:
                counted = ", ".join(f"{what} {total}" for what, total in totals)
                yield Finding(what=f"channel {name}: counted in {month}: {counted}", ok=True)


def _embedded() -> Finding:
    try:
        server = find_server()
    except NoServer as error:
        return Finding(what="redis", ok=False, next_step=str(error))
    return Finding(what=f"redis: `frontdesk run` will start {server}", ok=True)


def _knowledge(config: Config) -> Iterator[Finding]:
    for name, assistant in config.assistants.items():
        what = f"FAQ of {name}"
        try:
            load_knowledge(assistant)
        except BadTable as error:
            step = f"assistants.{name}.faq: {'; '.join(str(error).splitlines())}"
            yield Finding(what=what, ok=False, next_step=step)
        else:
            yield Finding(what=what, ok=True)
            yield from _files(config, assistant.faq)


def _files(config: Config, faq: Path | None) -> Iterator[Finding]:
    """Those that the FAQ's answers carry."""
    text = faq.read_text("utf-8-sig", "replace") if faq else ""
    folder = Folder(config.server.files)
    for name in sorted(unquote(target.removeprefix("file:")) for target in targets([text])):
        try:
            folder.read(Attachment(kind="document", file=name))
        except NoFile as error:
            yield Finding(what=f"file {name} of the FAQ in {config.server.files}", ok=False, next_step=str(error))


def _remote(config: Config, meter: Meter) -> Mapping[str, Callable[[], Sequence[Finding]]]:
    """What is asked over the network, by name. Channels get tokens of their own, so that each is really asked."""
    key = config.model.api_key.get_secret_value()
    wanted = expected(config)
    services = replace(lone_services(config, MemoryTokenStore()), meter=meter)
    calls: dict[str, Callable[[], Sequence[Finding]]] = {
        f"model {replica}": partial(examine, replica, wanted, key) for replica in config.model.replicas
    }
    for name, channel in build_channels(config, services).items():
        calls[f"channel {name}"] = partial(_channel, f"channel {name}", channel.check)
    return calls


@contextmanager
def _counted(config: Config) -> Iterator[Meter]:
    """The months' counts, which some channels look at; none where the store is away, which is said already."""
    url = config.redis.url or embedded_url(config)
    if url is None:
        yield MemoryMeter()
        return
    store = RedisStore.open(url, patience=timedelta(seconds=2), connections=8)
    try:
        store.ping()
        meter: Meter = RedisMeter(store)
    except StoreDown:
        meter = MemoryMeter()
    try:
        yield meter
    finally:
        store.close()


def _channel(name: str, check: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
    return [replace(finding, what=f"{name}: {finding.what}") for finding in check()]


def _at_once(calls: Mapping[str, Callable[[], Sequence[Finding]]], limit: timedelta) -> Iterator[Finding]:
    """All calls in threads of their own; those that are not done within *limit* are left behind, and said so."""
    done: queue.SimpleQueue[tuple[str, Sequence[Finding]]] = queue.SimpleQueue()
    for name, call in calls.items():
        threading.Thread(target=_into, args=(done, name, call), daemon=True).start()
    end = time.monotonic() + limit.total_seconds()
    results: dict[str, Sequence[Finding]] = {}
    while len(results) < len(calls):
        try:
            name, found = done.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        results[name] = found
    for name in calls:
        late = [Finding(what=name, ok=False, next_step=f"no answer within {limit.seconds} s: look at the network")]
        yield from results.get(name, late)


def _into(
    done: "queue.SimpleQueue[tuple[str, Sequence[Finding]]]", name: str, call: Callable[[], Sequence[Finding]]
) -> None:
    done.put((name, call()))
