"""Each platform as a tester plays it: written to, answered, grown, tapped, with pictures and in groups."""

from collections.abc import Mapping

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.desk import QUICKLY, Desk

PLATFORMS = ("whatsapp", "wecom", "wecom-aibot", "wecom-kf", "dingtalk", "feishu", "telegram")
CHOOSING = ("whatsapp", "wecom", "wecom-aibot", "wecom-kf", "dingtalk")
PICTURES = {
    "whatsapp": "image",
    "wecom": "image",
    "wecom-aibot": "mixed",
    "wecom-kf": "image",
    "dingtalk": "picture",
}
GROUPS = {"wecom-aibot": "李娜", "dingtalk": "刘洋", "feishu": "李娜", "telegram": "王芳"}
GUEST = "赵敏"
WIDTH = "async (image) => { await image.decode(); return image.naturalWidth; }"


@pytest.mark.parametrize("name", PLATFORMS)
def test_what_a_customer_writes_is_answered_and_seen_on_the_wire(visit: Open, name: str) -> None:
    tester = visit(name)
    tester.say("How long does shipping take?")
    expect(tester.mine).to_contain_text(["How long does shipping take?"])
    expect(tester.theirs.last).to_contain_text("we look for it together")
    expect(tester.wire.first).to_contain_text(f"/webhooks/{name}")
    expect(tester.wire.first.locator(".status")).to_have_text("200")
    expect(tester.page.locator("#figure-ack")).to_contain_text("s")
    expect(tester.page.locator("#figure-breaches")).to_have_text("0")
    assert tester.platform.breaches == []


@pytest.mark.parametrize("name", ["wecom-aibot", "dingtalk"])
def test_an_answer_grows_before_the_customers_eyes(visit: Open, desk: Desk, name: str) -> None:
    tester = visit(name)
    growing = tester.page.locator("#messages .growing")
    desk.model.token_delay = 0.06
    try:
        tester.say("How long does shipping take?")
        expect(growing.locator(".cursor")).to_be_visible()
        early = len(growing.inner_text())
        expect(tester.theirs.last).to_contain_text("we look for it together")
    finally:
        desk.model.token_delay = QUICKLY
    expect(growing).to_have_count(0)
    expect(tester.theirs).to_have_count(1)
    assert 0 < early < len(tester.theirs.last.inner_text())


@pytest.mark.parametrize("name", CHOOSING)
def test_a_choice_is_tapped_and_the_bot_acts(visit: Open, name: str) -> None:
    tester = visit(name)
    tester.say("Please cancel order 1001")
    yes = tester.page.locator("#messages .option", has_text="Yes")
    expect(yes).to_be_visible()
    yes.click()
    expect(tester.theirs.last).to_contain_text("cancelled")
    if name != "whatsapp":
        expect(tester.page.locator("#messages .option.chosen")).to_have_text("Yes")
    assert tester.platform.breaches == []


@pytest.mark.parametrize(("name", "kind"), PICTURES.items())
def test_pictures_of_both_sides_stand_in_the_chat(visit: Open, name: str, kind: str) -> None:
    tester = visit(name)
    tester.send(kind)
    picture = tester.page.locator("#messages .mine img.picture")
    expect(picture).to_be_visible()
    assert picture.evaluate(WIDTH) > 100
    expect(tester.theirs.last).to_be_visible()
    if name != "dingtalk":  # takes no files where nobody of the organisation asked for one by its own API
        tester.say("Where is your shop?")
        picture = tester.page.locator("#messages .theirs img.picture")
        expect(picture).to_be_visible()
        assert picture.evaluate(WIDTH) > 100


@pytest.mark.parametrize(("name", "customer"), [*GROUPS.items(), ("dingtalk", GUEST)])
def test_a_group_shows_who_speaks_and_is_a_chat_of_its_own(visit: Open, name: str, customer: str) -> None:
    tester = visit(name)
    tester.choose(customer)
    expect(tester.page.locator("#peer")).to_have_text("After-sales group")
    tester.say("How long does shipping take?")
    expect(tester.theirs.last).to_contain_text("we look for it together")
    expect(tester.page.locator("#messages .theirs .sender").last).to_have_text("Example ShopBot")
    tester.page.locator(".customer").first.click()
    expect(tester.mine).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "kind", "seen"),
    [
        ("wecom", "enter_agent", "张伟 opened the app"),
        ("wecom-aibot", "enter_chat", "张伟 opened the chat"),
        ("wecom-kf", "enter_session", "张三 opened the chat"),
    ],
)
def test_opening_the_chat_is_told_and_welcomed(visit: Open, name: str, kind: str, seen: str) -> None:
    tester = visit(name)
    tester.send(kind)
    expect(tester.page.locator("#messages .deed").first).to_have_text(seen)
    expect(tester.theirs.last).to_contain_text("How can I help you?")


def test_the_menu_offers_whatever_a_platforms_customers_can_send(visit: Open, desk: Desk) -> None:
    tester = visit("whatsapp")
    for name in PLATFORMS:
        tester.page.locator(".platform").nth(PLATFORMS.index(name)).click()
        kinds = desk.sandbox.platforms[name].kinds
        if not kinds:
            expect(tester.page.locator("#attach")).to_be_hidden()
            continue
        tester.page.locator("#attach").click()
        offered = tester.page.locator("#menu [data-kind]")
        expect(offered).to_have_count(len(kinds))
        assert all(label.strip() and "_" not in label for label in offered.all_inner_texts())


def test_a_list_opens_from_below_and_its_rows_answer(visit: Open, desk: Desk) -> None:
    tester = visit("whatsapp")
    tester.say("Hello")
    expect(tester.theirs.last).to_be_visible()
    rows = [{"id": str(number), "title": f"Topic {number}", "description": "More"} for number in range(5)]
    body = {"type": "list", "body": {"text": "What is it about?"}}
    action = {"button": "Topics", "sections": [{"title": "All", "rows": rows}]}
    assert send(desk, {"type": "interactive", "interactive": {**body, "action": action}}) == 200
    tester.page.get_by_role("button", name="Topics").click()
    expect(tester.page.locator("#sheet")).to_be_visible()
    tester.page.keyboard.press("Escape")
    expect(tester.page.locator("#sheet")).to_be_hidden()
    tester.page.get_by_role("button", name="Topics").click()
    tester.page.get_by_role("button", name="Topic 3").click()
    expect(tester.mine.last).to_contain_text("Topic 3")
    expect(tester.mine.last.locator(".quoted")).to_contain_text("What is it about?")


def test_pictures_from_elsewhere_are_named_and_not_loaded(visit: Open, desk: Desk) -> None:
    tester = visit("whatsapp")
    tester.say("Hello")
    expect(tester.theirs.last).to_be_visible()
    assert send(desk, {"type": "image", "image": {"link": "https://cdn.example.com/plan.png"}}) == 200
    expect(tester.page.locator(".elsewhere")).to_contain_text("cdn.example.com")


def send(desk: Desk, body: Mapping[str, object]) -> int:
    """The bot's own call of WhatsApp; the status."""
    platform = desk.sandbox.platforms["whatsapp"]
    number, token = (getattr(platform, name) for name in ("phone_number_id", "access_token"))
    return requests.post(
        f"{platform.url}/v26.0/{number}/messages",
        json={"messaging_product": "whatsapp", "to": "14155550123", **body},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    ).status_code
