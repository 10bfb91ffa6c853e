"""GUARANTEES.md names tests; a promise whose test is gone is none."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_promise_names_tests_that_exist() -> None:
    promised = set(re.findall(r"`(test_\w+)`", (ROOT / "GUARANTEES.md").read_text("utf-8")))
    defined = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"^\s*def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert promised
    assert promised - defined == set()


def test_every_row_of_the_table_names_a_test() -> None:
    rows = re.findall(r"^\| \d+ \|.*$", (ROOT / "GUARANTEES.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) >= 10
    assert [row for row in rows if "`test_" not in row] == []
