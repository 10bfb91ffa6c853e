"""The metrics of several processes, added up; real processes, which live, die and are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from adapters.meter import MemoryMeter
from bot import metrics
from bot.accounts import Accounts
from sessions.alarms import MemoryAlarms
from sessions.errors import StoreDown
from sessions.inbox import Depths
from sessions.memory import MemoryInbox

COUNTING = """
import os, sys
from pathlib import Path
from bot import metrics
metrics.share(Path(sys.argv[1]))
metrics.webhooks_total.labels("shop", "accepted").inc(int(sys.argv[2]))
metrics.leases_lost_total.inc(int(sys.argv[2]))
metrics.turn_seconds.observe(0.02)
metrics.turns_running.set(int(sys.argv[2]))
"""
SHOWING = """
from tests.bot.test_metrics import rendered
sys.stdout.buffer.write(rendered())
"""
WAITING = """
print("counted", flush=True)
sys.stdin.read()
"""
FORKING = """
if os.fork() == 0:
    metrics.webhooks_total.labels("shop", "accepted").inc(100)
    os._exit(0)
os.wait()
"""


@contextmanager
def living(folder: Path, number: int) -> Iterator[subprocess.Popen[str]]:
    """A process that counted *number* and lives on."""
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTING + WAITING, str(folder), str(number)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "counted\n"
            yield process
        finally:
            process.kill()


def shown(folder: Path, script: str = COUNTING + SHOWING, number: int = 0) -> dict[str, float]:
    """What a process of its own shows after it counted *number*."""
    command = [sys.executable, "-c", script, str(folder), str(number)]
    text = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    return samples(text)


def samples(text: str) -> dict[str, float]:
    return {
        ".".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_all_processes_counts_are_added_up(tmp_path: Path) -> None:
    with living(tmp_path, 5), living(tmp_path, 7):
        found = shown(tmp_path, number=1)

    assert found["frontdesk_webhooks_total.shop.accepted"] == 13
    assert found["frontdesk_leases_lost_total"] == 13
    assert found["frontdesk_turn_seconds_count"] == 3
    assert found["frontdesk_turn_seconds_bucket.0.05"] == 3
    assert found["frontdesk_turns_running"] == 13


def test_a_dead_processs_counts_stay_and_its_gauges_go(tmp_path: Path) -> None:
    with living(tmp_path, 5) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with living(tmp_path, 7):
            found = shown(tmp_path)

    assert found["frontdesk_webhooks_total.shop.accepted"] == 12
    assert found["frontdesk_turn_seconds_count"] == 3
    assert found["frontdesk_turns_running"] == 7


def test_restarts_do_not_pile_up_files_and_lose_no_count(tmp_path: Path) -> None:
    for expected in range(1, 6):
        assert shown(tmp_path, number=1)["frontdesk_webhooks_total.shop.accepted"] == expected

    assert len(list(tmp_path.iterdir())) <= 8


def test_a_forked_process_counts_for_itself(tmp_path: Path) -> None:
    found = shown(tmp_path, COUNTING + FORKING + SHOWING, number=1)

    assert found["frontdesk_webhooks_total.shop.accepted"] == 101


def test_a_file_that_a_killed_process_left_empty_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "counter_0123456789abcdef.db").touch()
    (tmp_path / "0123456789abcdef.alive").touch()
    (tmp_path / "histogram_fedcba9876543210.db").touch()

    assert shown(tmp_path, number=2)["frontdesk_leases_lost_total"] == 2


def test_scrapes_at_the_same_time_agree(tmp_path: Path) -> None:
    for _ in range(6):
        subprocess.run([sys.executable, "-c", COUNTING, str(tmp_path), "1"], timeout=30, check=True)
    command = [sys.executable, "-c", COUNTING + SHOWING, str(tmp_path), "0"]
    scrapes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]

    for scrape in scrapes:
        text, _ = scrape.communicate(timeout=30)
        assert samples(text)["frontdesk_leases_lost_total"] == 6


class DownInbox(MemoryInbox):
    """A store that is gone."""

    def depths(self) -> Depths:
        raise StoreDown("gone")


def rendered(inbox: MemoryInbox | None = None) -> bytes:
    """What `/metrics` shows of one channel, `shop`."""
    inbox = inbox or MemoryInbox()
    accounts = Accounts(MemoryAlarms(inbox.memory))
    return metrics.render(metrics.Shown(inbox=inbox, accounts=accounts, meter=MemoryMeter(), channels=("shop",)))


def test_without_a_folder_a_process_shows_its_own_values() -> None:
    metrics.resends_total.labels("own", "keyed").inc(3)

    assert samples(rendered().decode())["frontdesk_resends_total.own.keyed"] == 3


def test_a_scrape_while_the_store_is_down_says_so_and_shows_the_rest() -> None:
    found = samples(rendered(DownInbox()).decode())

    assert found["frontdesk_store_up"] == 0
    assert "frontdesk_inbox_depth.ready" not in found
    assert "frontdesk_leases_lost_total" in found
    assert samples(rendered().decode())["frontdesk_store_up"] == 1


def test_every_metric_carries_our_name() -> None:
    names = set(samples(rendered().decode()))

    assert names
    assert all(name.startswith("frontdesk_") for name in names)
    assert str(os.getpid()) not in names
