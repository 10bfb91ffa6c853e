"""The fake WhatsApp verifies a bot as the Cloud API does."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from bot.sandbox.whatsapp import WhatsAppPlatform
from tests.fakes import Answer, Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

USER = "14155550123"


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[WhatsAppPlatform]:
    with WhatsAppPlatform(webhook_url=f"{bot.url}/webhooks/shop", strangers=False) as fake:
        yield fake


def send(platform: WhatsAppPlatform, words: str = "Hello", /, **changes: Any) -> requests.Response:
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": f"+{USER}",
        "type": "text",
        "text": {"body": words},
        **changes,
    }
    return post(platform, {name: value for name, value in body.items() if value is not None})


def post(platform: WhatsAppPlatform, body: Any, token: str = "", path: str = "") -> requests.Response:
    return requests.post(
        f"{platform.url}{path or f'/v26.0/{platform.phone_number_id}/messages'}",
        json=body,
        headers={"Authorization": f"Bearer {token or platform.access_token}"},
        timeout=10,
    )


def code(answer: requests.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error"]["code"]


def value(call: Call) -> Any:
    return call.json["entry"][0]["changes"][0]["value"]


def statuses(bot: RecordingServer) -> list[Any]:
    return [value(call)["statuses"][0] for call in list(bot.calls) if "statuses" in value(call)]


def test_a_webhook_is_signed_over_its_escaped_bytes(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    delivery = platform.say("Où est / mon colis? 100% <gratuit> @moi 你好")

    [call] = bot.calls
    expected = hmac.new(platform.app_secret.encode(), call.body, hashlib.sha256).hexdigest()
    assert call.headers["x-hub-signature-256"] == f"sha256={expected}"
    for escaped in (b"O\\u00f9", b"\\/", b"\\u0040", b"\\u0025", b"\\u003C", b"\\u4f60"):
        assert escaped in call.body
    assert value(call)["messages"][0]["text"]["body"] == "Où est / mon colis? 100% <gratuit> @moi 你好"
    assert value(call)["messages"][0]["id"] == delivery.message_id
    assert (delivery.status, call.path) == (200, "/webhooks/shop")


def test_a_customer_has_a_phone_number_and_a_user_id(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.say("Hi", user=USER, name="Ana")

    [message], [contact] = value(bot.calls[0])["messages"], value(bot.calls[0])["contacts"]
    assert message["from"] == contact["wa_id"] == USER
    assert message["from_user_id"] == contact["user_id"]
    assert contact["user_id"].startswith("US.")


def test_a_hidden_phone_number_is_left_out(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.say("Hi", user="US.abc123")

    [message], [contact] = value(bot.calls[0])["messages"], value(bot.calls[0])["contacts"]
    assert message["from_user_id"] == contact["user_id"] == "US.abc123"
    assert "from" not in message
    assert "wa_id" not in contact


def test_a_redelivery_is_the_same_message(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    delivery = platform.say("Hi")
    platform.redeliver(delivery.message_id)

    assert bot.calls[0].body == bot.calls[1].body


def test_a_reply_is_shown_with_its_key(platform: WhatsAppPlatform) -> None:
    platform.say("Hi")
    answer = send(platform, "Hello Ana", biz_opaque_callback_data="key.0")

    [reply] = platform.replies(USER)
    assert (reply.text, reply.key, reply.to) == ("Hello Ana", "key.0", USER)
    assert answer.json()["messages"][0]["id"] == reply.platform_id
    assert answer.json()["contacts"][0]["wa_id"] == USER


def test_a_reply_may_go_to_the_user_id(platform: WhatsAppPlatform) -> None:
    platform.say("Hi", user="US.abc123")

    assert send(platform, "Hello", to=None, recipient="US.abc123").status_code == 200
    assert [reply.to for reply in platform.replies()] == ["US.abc123"]


def test_statuses_follow_in_order_with_the_key_and_the_price(
    platform: WhatsAppPlatform, bot: RecordingServer
) -> None:
    platform.reads = True
    platform.say("Hi")
    send(platform, biz_opaque_callback_data="key.0")
    wait_until(lambda: len(statuses(bot)) == 3)

    assert [status["status"] for status in statuses(bot)] == ["sent", "delivered", "read"]
    assert {status["biz_opaque_callback_data"] for status in statuses(bot)} == {"key.0"}
    assert {status["id"] for status in statuses(bot)} == {platform.replies()[0].platform_id}
    assert statuses(bot)[0]["pricing"]["type"] == "free_customer_service"
    assert "pricing" not in statuses(bot)[2]


def test_statuses_can_be_switched_off(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.statuses = False
    platform.say("Hi")
    send(platform)
    platform.stop()

    assert statuses(bot) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text": {"body": "x" * 4097}}, (400, 131009)),
        ({"text": {"body": ""}}, (400, 131008)),
        ({"text": "Hello"}, (400, 131008)),
        ({"to": None}, (400, 131008)),
        ({"to": "somebody"}, (400, 131009)),
        ({"to": "+4420790000"}, (400, 131026)),
        ({"type": "image"}, (400, 131051)),
        ({"biz_opaque_callback_data": "x" * 513}, (400, 131009)),
        ({"messaging_product": "sms"}, (400, 100)),
    ],
)
def test_a_wrong_message_is_refused(
    platform: WhatsAppPlatform, changes: dict[str, Any], expected: tuple[int, int]
) -> None:
    platform.say("Hi")

    assert code(send(platform, **changes)) == expected
    assert platform.replies() == []
    assert platform.calls[-1].reason


def test_the_longest_text_is_accepted(platform: WhatsAppPlatform) -> None:
    platform.say("Hi")

    assert send(platform, "x" * 4096).status_code == 200


def test_a_wrong_token_is_190(platform: WhatsAppPlatform) -> None:
    assert code(post(platform, {}, token="stolen")) == (401, 190)


def test_a_revoked_token_is_190_until_a_new_one_is_set(platform: WhatsAppPlatform) -> None:
    platform.say("Hi")
    platform.forget_tokens()
    assert code(send(platform)) == (401, 190)

    platform.set_access_token("fresh")
    assert send(platform).status_code == 200


def test_another_number_is_33_and_an_old_version_2500(platform: WhatsAppPlatform) -> None:
    assert code(post(platform, {}, path="/v26.0/999/messages")) == (400, 33)
    old = post(platform, {}, path=f"/v20.0/{platform.phone_number_id}/messages")
    assert code(old) == (400, 2500)


def template(words: object = "Your order is here", **changes: object) -> dict[str, Any]:
    """A template send's own members; one that is None is left out."""
    parts = {
        "name": "reminder_1",
        "language": {"code": "en_US"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": words}]}],
        **changes,
    }
    return {"type": "template", "text": None, "template": {k: v for k, v in parts.items() if v is not None}}


def test_a_template_reaches_who_has_been_silent_for_days(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.say("Hi", user=USER)
    platform.clock.advance(timedelta(days=3))
    assert code(send(platform)) == (400, 131047)
    answer = send(platform, **template(), biz_opaque_callback_data="key-1")
    assert answer.status_code == 200
    [shown] = platform.replies()
    assert (shown.text, shown.key) == ("Your order is here", "key-1")
    wait_until(lambda: [each["status"] for each in statuses(bot)] == ["sent", "delivered"])


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (template(name=None), (400, 131008)),
        (template(language={}), (400, 131008)),
        (template(name="Reminder-1"), (404, 132001)),
        (template(language={"code": "en-US"}), (404, 132001)),
        (template(components=[]), (400, 132000)),
        (template(components=[{"type": "body", "parameters": []}]), (400, 132000)),
        (template(components=[{"type": "body", "parameters": [{"type": "text", "text": "x"}] * 2}]), (400, 132000)),
        (template(components=None), (400, 132012)),
        (template(components=[{"type": "body"}]), (400, 132012)),
        (template(components=[{"type": "header", "parameters": []}]), (400, 132012)),
        (template(components=[{"type": "body", "parameters": [{"type": "image"}]}]), (400, 132012)),
        (template(components=["body"]), (400, 132012)),
        (template(" "), (400, 132012)),
        (template("x" * 1025), (400, 132005)),
        (template("two\nlines"), (400, 132018)),
        (template("a\ttab"), (400, 132018)),
        (template("five     spaces"), (400, 132018)),
        ({"type": "template", "text": None}, (400, 131008)),
        ({"type": "image", "text": None}, (400, 131051)),
    ],
)
def test_a_template_is_checked(
    platform: WhatsAppPlatform, wrong: dict[str, Any], expected: tuple[int, int]
) -> None:
    platform.say("Hi", user=USER)
    assert code(send(platform, **wrong)) == expected
    assert platform.replies() == []


def test_the_window_closes_after_a_day_of_the_platform_clock(platform: WhatsAppPlatform) -> None:
    platform.say("Hi")
    platform.clock.advance(timedelta(hours=24, seconds=1))
    assert code(send(platform)) == (400, 131047)

    platform.say("Still there?")
    assert send(platform).status_code == 200


def test_a_burst_to_one_customer_meets_the_pair_limit(platform: WhatsAppPlatform) -> None:
    platform.limits, platform.statuses = True, False
    platform.say("Hi")
    answers = [send(platform).status_code for _ in range(46)]

    assert answers == [200] * 45 + [400]
    platform.clock.advance(timedelta(seconds=7))
    assert send(platform).status_code == 200


def test_a_read_receipt_marks_the_message_and_shows_typing(platform: WhatsAppPlatform) -> None:
    delivery = platform.say("Hi")
    answer = post(
        platform,
        {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": delivery.message_id,
            "typing_indicator": {"type": "text"},
        },
    )

    assert answer.json() == {"success": True}
    assert platform.calls[-1].endpoint == "read"
    signs = [entry.what for _, entry in platform.journal.after(0) if type(entry).__name__ == "Sign"]  # type: ignore[union-attr]
    assert signs == ["read", "typing"]


def test_a_read_receipt_for_an_unknown_message_is_refused(platform: WhatsAppPlatform) -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.none"}

    assert code(post(platform, body)) == (400, 131009)


def test_the_url_check_wants_the_challenge_and_nothing_else() -> None:
    def careless(call: Call) -> Answer:
        return Answer(body=b'"' + call.query["hub.challenge"].encode() + b'"')

    def right(call: Call) -> Answer:
        assert call.query["hub.verify_token"] == "sandbox-verify-token"
        return Answer(body=call.query["hub.challenge"].encode())

    for answer, error in ((careless, "challenge"), (right, "")):
        with recording_bot(answer) as bot, WhatsAppPlatform(webhook_url=bot.url) as platform:
            assert platform.verify().error == error


def test_a_check_of_the_configuration_finds_number_and_subscription(platform: WhatsAppPlatform) -> None:
    headers = {"Authorization": f"Bearer {platform.access_token}"}
    number = requests.get(f"{platform.url}/v26.0/{platform.phone_number_id}", headers=headers, timeout=10)
    apps = requests.get(f"{platform.url}/v26.0/{platform.waba_id}/subscribed_apps", headers=headers, timeout=10)

    assert number.json()["id"] == platform.phone_number_id
    assert json.loads(apps.text)["data"]


def test_a_webhook_that_is_not_answered_200_comes_again_until_it_is(
    platform: WhatsAppPlatform, bot: RecordingServer
) -> None:
    platform.redelivers, platform.speed = True, 100.0
    bot.faults.extend([Answer(status=503), Answer(status=204), Answer(cut=True)])
    delivery = platform.say("Hi")
    wait_until(lambda: len(bot.calls) == 4)

    assert delivery.status == 503
    assert len({call.body for call in bot.calls}) == 1
