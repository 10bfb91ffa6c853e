"""The faults' tests play in a town like that of the acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import NAMES, Town, built


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town whose Frontdesk is not started yet. An AI bot takes three open questions of a member and no more, and
    its platform does not say again what was not heard: it has no place in a crowd."""
    with built(tmp_path, tuple(name for name in NAMES if name != "aibot")) as found:
        yield found


@pytest.fixture
def whole_town(tmp_path: Path) -> Iterator[Town]:
    """With all seven channels."""
    with built(tmp_path) as found:
        yield found
