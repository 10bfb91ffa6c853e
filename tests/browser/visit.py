"""A tester in front of the page: what they do, and where they look."""

from playwright.sync_api import Locator, Page, expect

from bot.sandbox.simulator.platform import Platform
from tests.browser.desk import Desk

PATIENCE = 15_000
"""Milliseconds: two busy cores may be slow, a page is not."""

expect.set_options(timeout=PATIENCE)


class Visit:
    """The open page, with one platform and one customer chosen."""

    def __init__(self, page: Page, desk: Desk, platform: str) -> None:
        self.page = page
        self.desk = desk
        self.platform: Platform[object] = desk.sandbox.platforms[platform]
        self.platform.journal.clear()
        self.platform.faults.clear()
        self.platform.mischief.clear()
        page.goto(f"{desk.page}#{platform}")
        expect(self.page.locator("#platforms [aria-checked=true]")).to_have_count(1)

    def choose(self, customer: str) -> None:
        self.page.locator(".customer", has_text=customer).click()

    def say(self, words: str) -> None:
        self.page.locator("#draft").fill(words)
        self.page.locator("#draft").press("Enter")

    def send(self, kind: str) -> None:
        """Something from the menu behind the plus."""
        self.page.locator("#attach").click()
        self.page.locator(f"#menu [data-kind={kind}]").click()

    def trouble(self, name: str) -> None:
        fold = self.page.locator("#trouble")
        if fold.get_attribute("open") is None:
            fold.locator("summary").click()
        fold.locator(f"[data-trouble={name}]").click()
        expect(self.page.locator("#waiting")).to_be_visible()

    @property
    def mine(self) -> Locator:
        return self.page.locator("#messages .mine .bubble")

    @property
    def theirs(self) -> Locator:
        """The bot's messages, none that is still being written."""
        return self.page.locator("#messages .theirs .bubble:not(.typing, .growing)")

    @property
    def wire(self) -> Locator:
        return self.page.locator("#entries .entry")

    @property
    def red_lines(self) -> Locator:
        return self.page.locator("#entries .red-line")
