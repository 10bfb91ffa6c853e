"""The right side: what went wrong, by whose fault, and how it went on; the platform's switches and its clock."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.desk import Desk
from tests.browser.test_chats import send

TOO_MANY = {
    "type": "interactive",
    "interactive": {
        "type": "button",
        "body": {"text": "Hm?"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": str(n), "title": str(n)}} for n in range(4)]},
    },
}


@pytest.mark.parametrize("name", ["whatsapp", "wecom", "dingtalk"])
def test_a_forged_webhook_is_refused_and_the_page_says_rightly_so(visit: Open, name: str) -> None:
    tester = visit(name)
    tester.trouble("mischief_forged")
    tester.say("Let me in")
    expect(tester.page.locator("#messages div.refused")).to_contain_text("rightly refused")
    expect(tester.page.locator("#waiting")).to_be_hidden()
    expect(tester.red_lines).to_have_count(0)


@pytest.mark.parametrize("name", ["whatsapp", "wecom", "dingtalk", "telegram"])
def test_a_busy_platform_is_tried_again_and_the_reason_is_a_sentence(visit: Open, name: str) -> None:
    tester = visit(name)
    tester.trouble("rate" if name == "dingtalk" else "busy")
    tester.say("How long does shipping take?")
    refused = tester.page.locator("#entries .entry.call.bad .remark")
    if name != "dingtalk":  # its answers go out by cards, which this fault does not meet
        expect(refused.first).to_contain_text("Fault played: answered")
    expect(tester.theirs.last).to_contain_text("we look for it together")
    expect(tester.theirs).to_have_count(1)


def test_a_bot_that_is_away_fails_the_message_until_the_platform_tries_again(visit: Open) -> None:
    tester = visit("whatsapp")
    tester.platform.webhook_url, bots = "http://127.0.0.1:9/nobody", tester.platform.webhook_url
    try:
        tester.say("How long does shipping take?")
        expect(tester.page.locator("#messages div.failed")).to_contain_text("not accepted by the bot")
        expect(tester.red_lines.first).to_contain_text("not acknowledged")
    finally:
        tester.platform.webhook_url = bots
    expect(tester.theirs.last).to_contain_text("we look for it together")
    expect(tester.page.locator("#messages div.failed")).to_have_count(0)
    expect(tester.mine.locator(".icon.read")).to_have_count(1)


def test_a_red_line_stands_in_its_place_and_is_told_in_both_languages(visit: Open, desk: Desk) -> None:
    tester = visit("whatsapp")
    tester.say("How long does shipping take?")
    expect(tester.theirs.last).to_contain_text("we look for it together")
    assert send(desk, TOO_MANY) == 400
    expect(tester.red_lines).to_have_count(1)
    expect(tester.red_lines).to_contain_text("More choices than the platform shows.")
    expect(tester.page.locator("#entries .entry.call.bad ~ .red-line")).to_have_count(1)
    expect(tester.page.locator("#figure-breaches")).to_have_text("1")
    tester.page.locator("#language").click()
    expect(tester.red_lines).to_contain_text("选项数超过平台上限。")
    expect(tester.page.locator("#entries .entry.bad .remark")).to_contain_text("选项数超过平台上限。")


def test_a_colleague_takes_over_by_a_button_and_the_bot_falls_silent(visit: Open) -> None:
    tester = visit("wecom-kf")
    tester.choose("李四")
    tester.say("How long does shipping take?")
    expect(tester.theirs).to_have_count(1)
    tester.page.locator("#trouble summary").click()
    tester.page.locator("[data-trouble=take_over]").click()
    expect(tester.wire.filter(has_text="fetch messages")).to_have_count(2)
    tester.say("And to the islands?")
    expect(tester.wire.filter(has_text="fetch messages")).to_have_count(3)
    expect(tester.wire.filter(has_text="send message")).to_have_count(1)
    expect(tester.theirs).to_have_count(1)
    tester.page.locator("[data-trouble=end_session]").click()


def test_stream_mode_without_a_connection_fails_the_message_and_shows_the_frame(visit: Open) -> None:
    tester = visit("dingtalk")
    tester.page.locator("#switches summary").click()
    stream = tester.page.get_by_role("switch", name="Stream mode instead of webhooks")
    stream.click()
    tester.say("Is anybody there?")
    expect(tester.page.locator("#messages div.failed")).to_contain_text("The bot holds no long connection")
    expect(tester.wire.last).to_contain_text("FRAME /v1.0/im/bot/messages/get")
    stream.click()
    expect(stream).not_to_be_checked()
    tester.say("How long does shipping take?")
    expect(tester.theirs).to_have_count(1)


def test_a_day_later_the_window_is_closed_and_the_clock_goes_back(visit: Open, desk: Desk) -> None:
    tester = visit("whatsapp")
    tester.say("Hello")
    expect(tester.theirs.last).to_be_visible()
    tester.page.locator("#switches summary").click()
    tester.page.get_by_role("button", name="+25 h").click()
    expect(tester.page.locator("#ahead")).to_have_text("+1 d 1 h")
    assert send(desk, {"type": "text", "text": {"body": "Still there?"}}) == 400
    expect(tester.page.locator("#entries .remark").last).to_contain_text("24-hour window is closed")
    tester.page.get_by_role("button", name="back to real time").click()
    expect(tester.page.locator("#ahead")).to_have_text("")
    assert send(desk, {"type": "text", "text": {"body": "Still there?"}}) == 200


def test_a_switch_of_the_page_is_the_platforms(visit: Open) -> None:
    tester = visit("whatsapp")
    tester.page.locator("#switches summary").click()
    reads = tester.page.get_by_role("switch", name="Customers read what they get")
    expect(reads).to_be_checked()
    reads.click()
    expect(reads).not_to_be_checked()
    expect(reads).to_be_enabled()
    assert (
        tester.page.evaluate("fetch('_sim/whatsapp/state').then((it) => it.json())")["settings"]["reads"] is False
    )
    reads.click()
    expect(reads).to_be_checked()
    tester.page.get_by_role("button", name="Check the webhook URL").click()
    expect(tester.page.locator("#toast")).to_have_text("The URL check passed.")


def test_an_exchange_opens_with_its_signature_and_its_answer(visit: Open) -> None:
    tester = visit("wecom")
    tester.say("How long does shipping take?")
    expect(tester.theirs.last).to_contain_text("we look for it together")
    first = tester.wire.first
    first.locator("summary").click()
    expect(first.locator("dt.proof")).to_have_text("?msg_signature")
    expect(first.locator("pre").nth(1)).to_contain_text("How long does shipping take?")
    tester.say("And again?")
    expect(tester.theirs).to_have_count(2)
    expect(first.locator("details")).to_have_attribute("open", "")
