"""The operators' page about the platforms is what the channels say of themselves."""

from pathlib import Path

from bot.platforms_page import page
from bot.wiring import PLATFORMS

PAGE = Path(__file__).parent.parent.parent / "docs" / "platforms.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_every_platform_has_a_column_and_its_note() -> None:
    heads = next(line for line in page().splitlines() if line.startswith("|"))
    for name, kind in PLATFORMS.items():
        assert f"`{name}`" in heads
        assert kind.surface.note in page()


def test_every_row_is_as_wide_as_the_head() -> None:
    widths = {line.count("|") for line in page().splitlines() if line.startswith("|")}
    assert len(widths) == 1
