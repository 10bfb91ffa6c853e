"""Debian's chromium, a desk for each process of the tests, and a page that notices whatever goes wrong in it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.browser.desk import Desk, open_desk
from tests.browser.visit import Visit

MISSING = "there is no chromium to show the page in: apt-get install --no-install-recommends chromium"
WITNESS = "addEventListener('securitypolicyviolation', (event) => console.error(`CSP ${event.blockedURI}`))"


@dataclass
class Witness:
    """What must not happen in a page: errors, warnings, and requests to anything but its own origin."""

    origin: str
    seen: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.add_init_script(WITNESS)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.seen.append(str(error)))
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.seen.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.seen.append(f"request to {parts.netloc}")


def chromium() -> str:
    """Debian's, by its path; where there is none, the tests are skipped, or fail where CI is true."""
    found = shutil.which("chromium")
    if found is None and os.environ.get("CI", "").casefold() == "true":
        pytest.fail(MISSING)
    if found is None:
        pytest.skip(f"NOT TESTED: {MISSING}")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        opened = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def desk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("desk")) as opened:
        yield opened


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, desk: Desk) -> Iterator[Open]:
    """Opens the page at a platform: `visit("whatsapp", width=390)`. Whatever went wrong in it fails the test."""
    parts = urlsplit(desk.page)
    witness = Witness(f"{parts.scheme}://{parts.netloc}")
    contexts = []

    def opened(platform: str, *, width: int = 1440, language: str = "en-US", dark: bool = False) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 844}, locale=language, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        witness.watch(page)
        return Visit(page, desk, platform)

    yield opened
    for context in contexts:
        context.close()
    assert witness.seen == []
