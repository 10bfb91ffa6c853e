"""The page itself: both languages, a phone's width, by night, and without a mouse."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_chats import PLATFORMS

RIGHTMOST = """Math.max(...[...document.querySelectorAll('main *')]
    .filter((it) => it.offsetParent && !it.closest('.chips'))
    .map((it) => it.getBoundingClientRect().right))"""


def test_on_a_phone_each_part_has_a_tab_and_nothing_hangs_over(visit: Open) -> None:
    tester = visit("whatsapp", width=390)
    page = tester.page
    tester.say("How long does shipping take?")
    expect(tester.theirs.last).to_contain_text("we look for it together")
    for name in PLATFORMS:
        for pane in ("wire", "chat", "setup"):
            page.locator(f"[data-pane-of={pane}]").click()
            expect(page.locator(f"#pane-{pane}")).to_be_visible()
            assert page.locator("main > section:visible").count() == 1
            assert page.evaluate(RIGHTMOST) <= 391, (name, pane)
        page.locator(".platform").nth(PLATFORMS.index(name)).click()
        expect(page.locator("body")).to_have_attribute("data-platform", name)


def test_the_language_changes_everywhere_and_is_remembered(visit: Open) -> None:
    tester = visit("wecom-aibot")
    page = tester.page
    expect(page.locator("#wire-title")).to_have_text("On the wire")
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("#wire-title")).to_have_text("线路上的真实内容")
    expect(page.locator("#presence")).to_have_text("智能机器人 · 示例商店有限公司")
    expect(page.locator("#draft")).to_have_attribute("placeholder", "以客户身份输入…")
    expect(page.locator("#trouble-body .pill").first).to_have_text("丢失应答")
    page.reload()
    expect(page.locator("#wire-title")).to_have_text("线路上的真实内容")


NAMES = ("Ana Torres", "Wei Chen", "Luz Reyes", "Stream", "Webhook", "JSON", "URL", "IP")


def test_a_chinese_browser_is_met_in_chinese_without_a_word_of_english_left(visit: Open) -> None:
    tester = visit("whatsapp", language="zh-CN")
    page = tester.page
    words = ""
    for name in PLATFORMS:
        page.locator(".platform").nth(PLATFORMS.index(name)).click()
        expect(page.locator("body")).to_have_attribute("data-platform", name)
        page.locator("#trouble summary").click()
        words += page.locator("#trouble").inner_text()
        page.locator("#switches summary").click()
        words += (
            page.locator("#switches-body .toggles").inner_text()
            + page.locator("#switches-body .numbers").inner_text()
        )
        words += page.locator("#customers").inner_text() + page.locator(".figures").inner_text()
        words += page.locator("#menu").text_content() or ""
        page.locator("#switches summary").click()
    for known in NAMES:
        words = words.replace(known, "")
    assert re.findall(r"[A-Za-z_]{3,}", words) == []


def test_by_night_the_page_and_every_phone_are_dark(visit: Open) -> None:
    tester = visit("whatsapp", dark=True)
    for name in PLATFORMS:
        tester.page.locator(".platform").nth(PLATFORMS.index(name)).click()
        expect(tester.page.locator("body")).to_have_attribute("data-platform", name)
        for place in ("body", ".composer", ".chat-head"):
            colour = tester.page.locator(place).first.evaluate("(it) => getComputedStyle(it).backgroundColor")
            assert sum(int(part) for part in colour.strip("rgb()").split(",")) < 200, (name, place, colour)


def test_the_page_is_used_without_a_mouse(visit: Open) -> None:
    tester = visit("whatsapp")
    page = tester.page
    page.locator(".platform[aria-checked=true]").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("body")).to_have_attribute("data-platform", "wecom")
    expect(page.locator(".platform[aria-checked=true]")).to_be_focused()
    page.locator("#attach").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#menu [data-kind]").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#menu")).to_be_hidden()
    expect(page.locator("#attach")).to_be_focused()


def test_whatever_can_be_used_has_a_name(visit: Open) -> None:
    tester = visit("dingtalk")
    tester.page.locator("#attach").click()
    tester.page.locator("#switches summary").click()
    nameless = tester.page.evaluate(
        "[...document.querySelectorAll('button, input, textarea, [role=dialog], ol')]"
        ".filter((it) => !(it.innerText || it.ariaLabel || it.title || it.labels?.[0]?.innerText || '').trim())"
        ".map((it) => it.outerHTML)"
    )
    assert nameless == []
