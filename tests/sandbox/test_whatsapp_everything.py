"""The fake WhatsApp beyond text: media, buttons and lists, batches, people who change, statuses that misbehave."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from bot.sandbox.simulator.media import PNG
from bot.sandbox.whatsapp import WhatsAppPlatform
from bot.sandbox.whatsapp.incoming import KINDS
from tests.fakes import Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

USER = "14155550123"


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[WhatsAppPlatform]:
    with WhatsAppPlatform(webhook_url=bot.url, strangers=False) as fake:
        yield fake


def headers(platform: WhatsAppPlatform) -> dict[str, str]:
    return {"Authorization": f"Bearer {platform.access_token}"}


def send(platform: WhatsAppPlatform, kind: str, content: Any, **more: Any) -> requests.Response:
    body = {"messaging_product": "whatsapp", "to": f"+{USER}", "type": kind, kind: content, **more}
    url = f"{platform.url}/v26.0/{platform.phone_number_id}/messages"
    return requests.post(url, json=body, headers=headers(platform), timeout=10)


def code(answer: requests.Response) -> int:
    return int(answer.json()["error"]["code"])


def value(call: Call) -> Any:
    return call.json["entry"][0]["changes"][0]["value"]


def message(call: Call) -> Any:
    return value(call)["messages"][0]


def upload(platform: WhatsAppPlatform, content: bytes = PNG, mime: str = "image/png") -> requests.Response:
    return requests.post(
        f"{platform.url}/v26.0/{platform.phone_number_id}/media",
        data={"messaging_product": "whatsapp", "type": mime},
        files={"file": ("plan.png", content, mime)},
        headers=headers(platform),
        timeout=10,
    )


# ---- media


def test_a_picture_is_fetched_in_two_steps_with_the_token(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.write("image", caption="broken?")
    image = message(bot.calls[0])["image"]
    assert image["caption"] == "broken?"
    assert base64.b64decode(image["sha256"]) == hashlib.sha256(PNG).digest()

    found = requests.get(f"{platform.url}/v26.0/{image['id']}", headers=headers(platform), timeout=10).json()
    assert (found["id"], found["sha256"]) == (image["id"], hashlib.sha256(PNG).hexdigest())
    got = requests.get(found["url"], headers=headers(platform), timeout=10)
    assert (got.content, got.headers["Content-Type"]) == (PNG, "image/png")


def test_a_download_without_the_token_is_a_red_line(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.write("image")
    id_ = message(bot.calls[0])["image"]["id"]
    url = requests.get(f"{platform.url}/v26.0/{id_}", headers=headers(platform), timeout=10).json()["url"]
    assert requests.get(url, timeout=10).status_code == 401
    assert [breach.rule for breach in platform.breaches] == ["download_without_token"]


def test_a_download_address_dies_after_five_minutes_and_a_new_one_works(
    platform: WhatsAppPlatform, bot: RecordingServer
) -> None:
    platform.write("image")
    id_ = message(bot.calls[0])["image"]["id"]
    first = requests.get(f"{platform.url}/v26.0/{id_}", headers=headers(platform), timeout=10).json()["url"]
    platform.clock.advance(timedelta(minutes=5))
    assert requests.get(first, headers=headers(platform), timeout=10).status_code == 404
    again = requests.get(f"{platform.url}/v26.0/{id_}", headers=headers(platform), timeout=10).json()["url"]
    assert requests.get(again, headers=headers(platform), timeout=10).content == PNG


def test_media_of_a_webhook_is_gone_after_a_week(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.write("image")
    id_ = message(bot.calls[0])["image"]["id"]
    platform.clock.advance(timedelta(days=7, seconds=1))
    assert code(requests.get(f"{platform.url}/v26.0/{id_}", headers=headers(platform), timeout=10)) == 100


def test_an_uploaded_picture_can_be_sent_and_is_shown(platform: WhatsAppPlatform) -> None:
    platform.say("Hi")
    id_ = upload(platform).json()["id"]
    assert send(platform, "image", {"id": id_, "caption": "The plan"}).status_code == 200
    [shown] = platform.replies()
    assert (shown.text, shown.media, shown.media_kind) == ("The plan", id_, "image")
    file = platform.shelf.get(id_)
    assert file is not None
    assert (file.content, file.name) == (PNG, "plan.png")


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("image", {}, 131008),
        ("image", {"id": "1", "link": "https://x.example/a.png"}, 131008),
        ("image", {"link": "ftp://x.example/a.png"}, 131009),
        ("image", {"id": "123456"}, 131009),
        ("image", {"link": "https://x.example/a.png", "caption": "x" * 1025}, 131009),
        ("audio", {"link": "https://x.example/a.ogg", "caption": "no"}, 131009),
    ],
)
def test_wrong_media_is_refused(platform: WhatsAppPlatform, kind: str, content: Any, expected: int) -> None:
    platform.say("Hi")
    assert code(send(platform, kind, content)) == expected
    assert platform.breaches


def test_an_upload_that_is_too_large_or_empty_is_refused(platform: WhatsAppPlatform) -> None:
    assert code(upload(platform, b"x" * 5_000_001)) == 131009
    assert code(upload(platform, b"")) == 131008


# ---- buttons, lists and the rest of what is shown


def buttons(*titles: str, body: str = "Really?") -> dict[str, Any]:
    shown = [{"type": "reply", "reply": {"id": f"id-{title}", "title": title}} for title in titles]
    return {"type": "button", "body": {"text": body}, "action": {"buttons": shown}}


def rows(*titles: str, sections: int = 1) -> dict[str, Any]:
    each = [{"id": f"id-{title}", "title": title} for title in titles]
    named = [{"title": f"s{number}", "rows": each if number == 0 else []} for number in range(sections)]
    return {"type": "list", "body": {"text": "Which?"}, "action": {"button": "Choose", "sections": named}}


def test_a_button_is_tapped_and_the_bot_is_told_its_id_and_title(
    platform: WhatsAppPlatform, bot: RecordingServer
) -> None:
    platform.say("Cancel my order")
    send(platform, "interactive", buttons("Yes", "No"))
    [shown] = platform.replies()
    assert [choice.title for choice in shown.choices] == ["Yes", "No"]
    platform.tap(shown.platform_id, "id-Yes")
    told = next(message(call) for call in bot.calls if b"interactive" in call.body)
    assert told["interactive"] == {"type": "button_reply", "button_reply": {"id": "id-Yes", "title": "Yes"}}
    assert told["context"]["id"] == shown.platform_id


def test_a_row_of_a_list_is_tapped(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.say("Hi")
    send(platform, "interactive", rows("one", "two", "three", "four"))
    [shown] = platform.replies()
    platform.tap(shown.platform_id, "id-three")
    told = next(message(call) for call in bot.calls if b"interactive" in call.body)
    assert told["interactive"]["list_reply"]["title"] == "three"


@pytest.mark.parametrize(
    "wrong",
    [
        buttons("1", "2", "3", "4"),
        buttons(),
        buttons("x" * 21),
        buttons("same", "same"),
        buttons("Yes", body="x" * 1025),
        rows(*map(str, range(11))),
        rows("x" * 25),
        rows("one", sections=11),
        {"type": "list", "body": {"text": "?"}, "action": {"sections": [{"rows": [{"id": "1", "title": "1"}]}]}},
        {
            "type": "cta_url",
            "body": {"text": "?"},
            "action": {"parameters": {"display_text": "x" * 21, "url": "u"}},
        },
        {"type": "poll"},
    ],
)
def test_an_interactive_message_over_a_limit_is_a_red_line(
    platform: WhatsAppPlatform, wrong: dict[str, Any]
) -> None:
    platform.say("Hi")
    assert code(send(platform, "interactive", wrong)) in (131008, 131009)
    assert platform.replies() == []
    assert len(platform.breaches) == 1


def test_a_location_is_asked_for_and_comes_as_a_location(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.say("Hi")
    asked = {"type": "location_request_message", "body": {"text": "Where?"}, "action": {"name": "send_location"}}
    send(platform, "interactive", asked)
    [shown] = platform.replies()
    platform.tap(shown.platform_id, "send_location")
    assert any(b'"location"' in call.body and b'"context"' in call.body for call in bot.calls)


def test_a_reaction_is_a_sign_and_no_message(platform: WhatsAppPlatform) -> None:
    said = platform.say("Hi")
    assert send(platform, "reaction", {"message_id": said.message_id, "emoji": "👍"}).status_code == 200
    assert platform.replies() == []


# ---- what customers send


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_reaches_the_bot_signed_and_typed(
    platform: WhatsAppPlatform, bot: RecordingServer, kind: str
) -> None:
    assert platform.write(kind).status == 200
    assert message(bot.calls[-1])["type"]
    assert bot.calls[-1].headers["x-hub-signature-256"].startswith("sha256=")


def test_a_customer_who_changes_the_number_is_the_same_customer(
    platform: WhatsAppPlatform, bot: RecordingServer
) -> None:
    platform.say("Hi", user=USER)
    old = message(bot.calls[0])["from_user_id"]
    platform.write("number_changed", user=USER, new="14155550199")
    system = message(bot.calls[1])["system"]
    assert (system["previous_user_id"], system["wa_id"]) == (old, "14155550199")
    assert "contacts" not in value(bot.calls[1])
    platform.say("It is me", user=USER)
    assert message(bot.calls[2])["from"] == "14155550199"


def test_a_mexican_number_is_reached_in_either_form_and_named_in_its_own(platform: WhatsAppPlatform) -> None:
    platform.say("Hola", user="5215512345678")
    answer = send(platform, "text", {"body": "Hola"}, to="+525512345678").json()
    assert answer["contacts"][0]["wa_id"] == "5215512345678"


@pytest.mark.parametrize("shape", ["messages", "changes", "entries"])
def test_several_messages_share_one_webhook(platform: WhatsAppPlatform, bot: RecordingServer, shape: str) -> None:
    platform.batch, platform.batch_shape = 3, shape
    assert platform.say("one").error == "waits for its batch"
    platform.say("two")
    assert platform.say("three").status == 200
    [call] = bot.calls
    changes = [change for entry in call.json["entry"] for change in entry["changes"]]
    told = [each["text"]["body"] for change in changes for each in change["value"]["messages"]]
    assert told == ["one", "two", "three"]


def test_a_standby_copy_is_nested_where_no_message_is_expected(
    platform: WhatsAppPlatform, bot: RecordingServer
) -> None:
    platform.standby("I asked the other one")
    assert "messages" not in value(bot.calls[0])
    assert value(bot.calls[0])["standby"]["messages"][0]["text"]["body"] == "I asked the other one"


def test_a_colleague_answers_and_the_bot_hears_the_echo(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.echo("I take over")
    assert bot.calls[0].json["entry"][0]["changes"][0]["field"] == "smb_message_echoes"


# ---- statuses, tokens and windows that misbehave


def test_sent_can_come_before_the_answer_to_the_send(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.habits.early = True
    platform.say("Hi")
    send(platform, "text", {"body": "Hello"})
    assert any(b'"status":"sent"' in call.body for call in bot.calls)


def test_a_message_can_fail_after_it_was_accepted(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.habits.fails = 131026
    platform.say("Hi")
    assert send(platform, "text", {"body": "Hello"}).status_code == 200
    wait_until(lambda: any(b'"failed"' in call.body and b"131026" in call.body for call in bot.calls))


def test_a_closed_window_can_be_told_late(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.late_window = True
    platform.say("Hi")
    platform.clock.advance(timedelta(hours=25))
    assert send(platform, "text", {"body": "Hello"}).status_code == 200
    wait_until(lambda: any(b"131047" in call.body for call in bot.calls))
    assert platform.replies() == []


def test_replies_cost_after_the_first_thousand(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.say("Hi")
    platform._pricing._delivered = 999
    send(platform, "text", {"body": "free"})
    send(platform, "text", {"body": "billed"})
    wait_until(lambda: sum(b'"pricing"' in call.body for call in bot.calls) == 4)
    kinds = [value(call)["statuses"][0]["pricing"]["type"] for call in bot.calls if b'"pricing"' in call.body]
    assert sorted(kinds) == ["free_customer_service"] * 2 + ["regular"] * 2


def test_an_invalidated_token_is_code_0(platform: WhatsAppPlatform) -> None:
    platform.say("Hi")
    platform.invalidated = True
    answer = send(platform, "text", {"body": "Hello"})
    assert (answer.status_code, code(answer)) == (401, 0)


def test_a_test_number_reaches_only_those_on_its_list(platform: WhatsAppPlatform) -> None:
    platform.say("Hi")
    platform.test_number = True
    assert code(send(platform, "text", {"body": "Hello"})) == 131030
    platform.allowed.add(USER)
    assert send(platform, "text", {"body": "Hello"}).status_code == 200


def test_the_number_s_throughput_is_limited(platform: WhatsAppPlatform) -> None:
    platform.limits = platform.statuses = True
    platform.statuses = False
    platform._throughput._left, platform._throughput._seen = 0.0, platform.clock.now()
    platform.say("Hi")
    assert code(send(platform, "text", {"body": "Hello"})) == 130429
    platform.clock.advance(timedelta(seconds=1))
    assert send(platform, "text", {"body": "Hello"}).status_code == 200


def test_the_app_can_be_unsubscribed_and_subscribed(platform: WhatsAppPlatform) -> None:
    url = f"{platform.url}/v26.0/{platform.waba_id}/subscribed_apps"
    assert requests.delete(url, headers=headers(platform), timeout=10).json() == {"success": True}
    assert requests.get(url, headers=headers(platform), timeout=10).json() == {"data": []}
    requests.post(url, headers=headers(platform), timeout=10)
    assert requests.get(url, headers=headers(platform), timeout=10).json()["data"]
