"""The adapter and the simulated platform were written apart, from the same sheet: here each judges the other."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.channel import Services
from adapters.files import MemoryFiles
from adapters.http import PlatformHttp
from adapters.surface import Content
from adapters.tokens import MemoryTokenStore
from adapters.values import (
    Attachment,
    Choice,
    Control,
    ControlEvent,
    Delivered,
    Event,
    Message,
    Part,
    Refused,
    Reply,
    Request,
    StatusUpdate,
    reply_key,
)
from adapters.whatsapp import WhatsApp, WhatsAppSettings
from bot.sandbox.simulator.media import PNG
from bot.sandbox.whatsapp import WhatsAppPlatform
from bot.sandbox.whatsapp.incoming import FILES
from tests.fakes import Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

OPERATORS = MemoryFiles({"plan.png": PNG, "terms.pdf": b"%PDF-1.7 terms", "film.mp4": b"\x00\x00\x00\x20ftypisom"})


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[WhatsAppPlatform]:
    with WhatsAppPlatform(webhook_url=bot.url, strangers=False) as fake:
        yield fake


@pytest.fixture
def channel(platform: WhatsAppPlatform) -> Iterator[WhatsApp]:
    settings = WhatsAppSettings.model_validate(
        {
            "phone_number_id": platform.phone_number_id,
            "access_token": platform.access_token,
            "app_secret": platform.app_secret,
            "verify_token": platform.verify_token,
            "api_base": platform.url,
        }
    )
    with closing(PlatformHttp(total=timedelta(seconds=10))) as http:
        services = Services(http=http, tokens=MemoryTokenStore(), now=lambda: datetime.now(UTC), files=OPERATORS)
        yield WhatsApp("shop", settings, services)


def read(channel: WhatsApp, call: Call) -> list[Event]:
    request = Request(
        method=call.method,
        path=call.path,
        query=call.query,
        headers=call.headers,
        body=call.body,
        received_at=datetime.now(UTC),
    )
    channel.verify(request)
    return list(channel.parse(request))


def newest(channel: WhatsApp, bot: RecordingServer) -> Event:
    (event,) = read(channel, bot.calls[-1])
    return event


def wrote(channel: WhatsApp, bot: RecordingServer) -> Message:
    """What the customer wrote last; statuses come in between."""
    return [event for call in list(bot.calls) for event in read(channel, call) if isinstance(event, Message)][-1]


def answer(channel: WhatsApp, message: Message, *parts: Part) -> list[Any]:
    reply = Reply(key=reply_key(message), conversation=message.conversation, parts=parts, route=message.route)
    return [channel.send(reply, index) for index in range(len(parts))]


def test_the_url_check_passes(platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer) -> None:
    platform.verify()
    assert read(channel, bot.calls[-1]) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("location", "Alexanderplatz\nBerlin\n52.52, 13.405"),
        ("contacts", "Bea Example: +4915112345678"),
        ("button_reply", "Yes"),
        ("list_reply", "Order status"),
        ("nfm_reply", "city: Berlin"),
        ("button", "Track my parcel"),
        ("order", "Please\n2 × sku-7 (12.5 EUR)"),
        ("forwarded", "Have you seen this?"),
        ("referral", "I saw your ad\n(came from this ad: Autumn sale – Everything must go)"),
    ],
)
def test_what_a_customer_says_is_understood(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer, kind: str, text: str
) -> None:
    platform.write(kind)
    assert wrote(channel, bot).text == text


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("reaction", "reaction"),
        ("unsupported", "unsupported_message"),
        ("edit", "message_edit"),
        ("revoke", "message_revoke"),
        ("group", "group_message"),
        ("number_changed", Control.IDENTITY_CHANGED),
        ("unknown", "unsupported_message"),
    ],
)
def test_what_is_no_question_starts_no_turn(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer, kind: str, what: str
) -> None:
    platform.write(kind)
    event = newest(channel, bot)
    assert isinstance(event, ControlEvent)
    assert event.what == what


@pytest.mark.parametrize("kind", FILES)
def test_a_customers_file_is_fetched(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer, kind: str
) -> None:
    platform.write(kind)
    message = wrote(channel, bot)
    (media,) = message.media
    found = channel.fetch(media, message)
    assert found.content == FILES[kind][0]
    assert found.mime == FILES[kind][1].partition(";")[0]


def test_a_moved_customer_leads_to_the_conversation_until_then(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer
) -> None:
    platform.say("hello")
    before = wrote(channel, bot).conversation
    platform.write("number_changed")
    moved = newest(channel, bot)
    platform.say("it is me")
    after = wrote(channel, bot).conversation
    assert isinstance(moved, ControlEvent)
    assert (moved.conversation, moved.detail["previous"]) == (after, before.peer)
    assert after != before


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (Content(markdown="**Hello**"), "text"),
        (
            Content(markdown="Sure?", choices=(Choice(id="yes", title="Yes"), Choice(id="no", title="No"))),
            "interactive",
        ),
        (
            Content(markdown="?", choices=tuple(Choice(id=f"c{n}", title=f"Ware {n}") for n in range(10))),
            "interactive",
        ),
        (
            Content(markdown="Pay", choices=(Choice(id="p", title="Pay", description="https://shop.example/p"),)),
            "interactive",
        ),
        (Content(markdown="Where?", choices=(Choice(id="send_location", title="Send"),)), "interactive"),
        (Content(markdown="Plan", attachments=(Attachment(kind="image", file="plan.png"),)), "image"),
        (Content(markdown="", attachments=(Attachment(kind="video", file="film.mp4"),)), "video"),
        (Content(markdown="", attachments=(Attachment(kind="document", file="terms.pdf"),)), "document"),
        (
            Content(markdown="", attachments=(Attachment(kind="document", url="https://shop.example/t.pdf"),)),
            "document",
        ),
        (
            Content(
                markdown="Which?",
                choices=(Choice(id="a", title="A"),),
                attachments=(Attachment(kind="image", file="plan.png"),),
            ),
            "interactive",
        ),
    ],
)
def test_whatever_is_sent_is_taken_as_one_message(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer, content: Content, shown: str
) -> None:
    platform.say("hello")
    (part,) = channel.parts(content)
    (outcome,) = answer(channel, wrote(channel, bot), part)
    assert isinstance(outcome, Delivered), outcome
    (sent,) = platform.replies()
    assert part.text in sent.text
    assert sent.raw["type"] == shown
    assert platform.breaches == []


def test_a_tap_says_what_was_offered(platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer) -> None:
    platform.say("hello")
    part = Part(text="Sure?", choices=(Choice(id="yes", title="Yes, please"), Choice(id="no", title="No")))
    (sent,) = answer(channel, wrote(channel, bot), part)
    wait_until(lambda: len(bot.calls) >= 2)
    platform.tap(sent.platform_id, "yes")
    tapped = wrote(channel, bot)
    assert (tapped.text, tapped.quoted) == ("Yes, please", sent.platform_id)


def test_statuses_come_back_under_our_key_with_their_price(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer
) -> None:
    platform.say("hello")
    message = wrote(channel, bot)
    answer(channel, message, Part(text="hi"))

    def told() -> list[StatusUpdate]:
        return [each for call in list(bot.calls) for each in read(channel, call) if isinstance(each, StatusUpdate)]

    wait_until(lambda: len(told()) >= 2)
    assert {each.reply_key for each in told()} == {reply_key(message)}
    assert "free_customer_service" in {each.pricing for each in told()}


def test_a_takeover_is_understood_and_so_is_its_end(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer
) -> None:
    platform.say("hello")
    conversation = wrote(channel, bot).conversation
    expected = [Control.HUMAN_TOOK_OVER, Control.HUMAN_TOOK_OVER, Control.HUMAN_LEFT]
    events: list[Event] = []
    platform.echo("I am here")
    events.append(newest(channel, bot))
    for owner in ("ai_agent", "customer_service"):
        platform.hand_over("control_passed", owner)
        events.append(newest(channel, bot))
    told = [(each.what, each.conversation) for each in events if isinstance(each, ControlEvent)]
    assert told == [(what, conversation) for what in expected]
    platform.standby("psst")
    assert not any(isinstance(each, Message) for each in read(channel, bot.calls[-1]))


def test_the_configuration_is_found_to_work_and_its_faults_are_named(
    platform: WhatsAppPlatform, channel: WhatsApp
) -> None:
    assert all(finding.ok for finding in channel.check()), channel.check()
    platform.subscribed = False
    assert "subscribed_apps" in _missed(channel)
    platform.invalidated = True
    assert "permanent token" in _missed(channel)


def test_a_token_that_ended_stops_the_account(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer
) -> None:
    platform.say("hello")
    platform.invalidated = True
    (outcome,) = answer(channel, wrote(channel, bot), Part(text="hi"))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.account) == ("0", True)


def test_the_platform_finds_nothing_wrong_with_the_bot(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer
) -> None:
    platform.say("hello")
    message = wrote(channel, bot)
    channel.turn_started(message)
    answer(channel, message, *[Part(text=f"{each}") for each in range(50)])
    platform.write("image")
    image = wrote(channel, bot)
    channel.fetch(image.media[0], image)
    assert [each.text for each in platform.replies()][:45] == [f"{each}" for each in range(45)]
    assert len(platform.replies()) <= 46
    assert platform.breaches == []


def test_the_other_form_of_a_number_gets_through(
    platform: WhatsAppPlatform, channel: WhatsApp, bot: RecordingServer
) -> None:
    platform.say("hola", user="5215555550147")
    message = wrote(channel, bot)
    old = replace(message, route={"to": "525555550147", "message_id": message.id})
    (outcome,) = answer(channel, old, Part(text="hola"))
    assert isinstance(outcome, Delivered)


def _missed(channel: WhatsApp) -> str:
    return "\n".join(finding.next_step for finding in channel.check() if not finding.ok)
