"""Prometheus metrics that all processes of a host share: each keeps its values in a file under `data_dir/metrics`,
and whichever is asked for `/metrics` adds them up.

A process is named by a random word, not by its number, since containers that share a folder repeat numbers. It
holds a lock on `<name>.alive` while it lives; the files of the dead are added to one archive at the next look.
"""

import fcntl
import os
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from adapters.meter import Meter
from bot.accounts import Accounts
from sessions.errors import StoreDown
from sessions.inbox import Inbox

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FAST = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120)
_ARCHIVE = "archive"

_own = CollectorRegistry()

webhooks_total = Counter(
    "frontdesk_webhooks", "Webhook requests by what became of them", ("channel", "result"), registry=_own
)
received_total = Counter(
    "frontdesk_received",
    "What came over a long connection, by what became of it",
    ("channel", "result"),
    registry=_own,
)
accept_seconds = Histogram(
    "frontdesk_accept_seconds", "From a request's arrival to its answer", ("channel",), registry=_own, buckets=_FAST
)
control_events_total = Counter(
    "frontdesk_control_events", "Events that are no message", ("channel", "what"), registry=_own
)
turns_total = Counter("frontdesk_turns", "Turns by how they ended or paused", ("outcome",), registry=_own)
turn_seconds = Histogram("frontdesk_turn_seconds", "One claim of a turn", registry=_own, buckets=_SLOW)
answer_seconds = Histogram(
    "frontdesk_answer_seconds", "The assistant's answer, by its source", ("source",), registry=_own, buckets=_SLOW
)
model_attempts_total = Counter(
    "frontdesk_model_attempts",
    "Requests to a model replica: answered, busy, failed, refused or too_long",
    ("replica", "result"),
    registry=_own,
)
model_tokens_total = Counter("frontdesk_model_tokens", "Tokens as vLLM counts them", ("kind",), registry=_own)
sends_total = Counter(
    "frontdesk_sends", "Parts sent to a platform, by outcome", ("channel", "outcome"), registry=_own
)
tool_calls_total = Counter(
    "frontdesk_tool_calls", "Business actions that the model asked for", ("tool", "outcome"), registry=_own
)
resends_total = Counter(
    "frontdesk_resends", "Parts sent again after Unknown", ("channel", "promise"), registry=_own
)
unknown_total = Counter(
    "frontdesk_unknown", "Sends that the platform may or may not have heard", ("channel",), registry=_own
)
statuses_total = Counter(
    "frontdesk_statuses",
    "What platforms said of our messages later, each once",
    ("channel", "state"),
    registry=_own,
)
media_total = Counter(
    "frontdesk_media",
    "Customers' attachments, by what became of them",
    ("channel", "kind", "result"),
    registry=_own,
)
pulled_pages_total = Counter(
    "frontdesk_pulled_pages", "Pages of messages that were fetched", ("channel",), registry=_own
)
pulls_failed_total = Counter(
    "frontdesk_pulls_failed", "Fetches of messages that failed, and come again", ("channel",), registry=_own
)
replies_failed_total = Counter(
    "frontdesk_replies_failed",
    "Replies that the platform took and then could not deliver",
    ("channel",),
    registry=_own,
)
parked_total = Counter("frontdesk_parked", "Turns moved to the dead letters", ("reason",), registry=_own)
leases_lost_total = Counter("frontdesk_leases_lost", "Leases that another worker took over", registry=_own)
announcements_failed_total = Counter(
    "frontdesk_announcements_failed", "Read receipts and typing signs that failed", ("channel",), registry=_own
)
turns_running = Gauge(
    "frontdesk_turns_running", "Turns in work now", registry=_own, multiprocess_mode="livesum"
)  # fmt: skip

connected = Gauge(
    "frontdesk_connected",
    "Whether this host holds the channel's long connection",
    ("channel",),
    registry=_own,
    multiprocess_mode="livesum",
)

_UNLABELLED = (turn_seconds, leases_lost_total, turns_running)


class _Folder:
    """Where the processes of this host keep their values."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owner = -1
        self._name = ""
        self._sign: IO[bytes] | None = None
        path.mkdir(parents=True, exist_ok=True)

    def name(self) -> str:
        """This process's name: a new one after a fork."""
        if self._owner != os.getpid():
            self._name = secrets.token_hex(8)
            self._sign = (self.path / f"{self._name}.alive").open("wb")
            fcntl.flock(self._sign, fcntl.LOCK_EX)
            self._owner = os.getpid()
        return self._name

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """No other process reads or archives meanwhile."""
        with (self.path / "lock").open("wb") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    def collect(self) -> Iterable[Metric]:
        """All processes' metrics, added up."""
        with self.quiet():
            self._bury()
            files = [str(each) for each in sorted(self.path.glob("*.db")) if each.stat().st_size]
            return list(MultiProcessCollector.merge(files))

    def _bury(self) -> None:
        """Moves what dead processes counted into the archive, so that restarts do not pile up files. Two crashes
        within it may count something twice or not at all; a gauge of the dead is dropped."""
        for sign in self.path.glob("*.alive"):
            if sign.stem == self._name or _held(sign):
                continue
            for file in self.path.glob(f"*_{sign.stem}.db"):
                kind = file.name.split("_")[0]
                if kind != "gauge" and file.stat().st_size:
                    _add(file, self.path / f"{kind}_{_ARCHIVE}.db")
                file.unlink()
            sign.unlink()


def _held(sign: Path) -> bool:
    with sign.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _add(file: Path, archive: Path) -> None:
    sums: dict[str, float] = defaultdict(float)
    for source in (file, archive):
        if source.exists():
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(source)):
                sums[key] += value
    fresh = archive.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    written = MmapedDict(str(fresh))
    for key, value in sums.items():
        written.write_value(key, value, 0.0)
    written.close()
    fresh.replace(archive)


_folder: _Folder | None = None


def share(folder: Path) -> None:
    """Keeps this process's values (and those of its later forks) in *folder*, beside those of the others. Once a
    process, before it counts; without it, a process shows its own values only."""
    global _folder
    _folder = _Folder(folder)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # prometheus_client reads it with every new value
    values.ValueClass = values.MultiProcessValue(_folder.name)
    for metric in _UNLABELLED:
        metric._metric_init()  # it made its value when it was imported, in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is looked up at scrape time, since every process would tell the same."""

    inbox: Inbox
    accounts: Accounts
    meter: Meter
    channels: Sequence[str] = ()


def render(shown: Shown) -> bytes:
    """The text exposition of all processes' values, and of what all share."""
    registry = CollectorRegistry()
    registry.register(_Shared(shown))
    if _folder is None:
        return generate_latest(_own) + generate_latest(registry)
    registry.register(_folder)
    return generate_latest(registry)


class _Shared:
    """The inbox's depths, the accounts' alarms, the month's counts."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def describe(self) -> Iterable[Metric]:
        """Empty: registering must not ask the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("frontdesk_store_up", "Whether the store answered this scrape")
        try:
            found = [*self._depths(), self._blocked(), self._months()]
        except StoreDown:
            up.add_metric((), 0)
            yield up
            return
        up.add_metric((), 1)
        yield up
        yield from found

    def _depths(self) -> Iterator[Metric]:
        depths = self._shown.inbox.depths()
        depth = GaugeMetricFamily("frontdesk_inbox_depth", "Tickets and dead letters by place", labels=("place",))
        for place in ("ready", "leased", "later", "reminders", "dead"):
            depth.add_metric((place,), getattr(depths, place))
        yield depth
        age = GaugeMetricFamily("frontdesk_inbox_oldest_seconds", "Age of the oldest waiting ticket")
        age.add_metric((), depths.oldest.total_seconds())
        yield age

    def _blocked(self) -> Metric:
        blocked = self._shown.accounts.blocked()
        found = GaugeMetricFamily(
            "frontdesk_account_blocked",
            "Whether the platform refuses all of the channel's sends",
            labels=("channel",),
        )
        for channel in self._shown.channels:
            found.add_metric((channel,), int(channel in blocked))
        return found

    def _months(self) -> Metric:
        found = GaugeMetricFamily(
            "frontdesk_platform_calls_month",
            "What a platform bills or limits, counted in this month",
            labels=("channel", "month", "what"),
        )
        for channel in self._shown.channels:
            for month in months(datetime.now(UTC)):
                for what, total in sorted(self._shown.meter.read(channel, month=month).items()):
                    found.add_metric((channel, month, what), total)
        return found


def months(now: datetime) -> Sequence[str]:
    """This month, as seen from every zone on earth: two around midnight of its first day."""
    edges = (now - timedelta(hours=12), now, now + timedelta(hours=14))
    return list(dict.fromkeys(f"{each:%Y-%m}" for each in edges))
