"""What can be tapped, and how an answer becomes one message within the platform's limits."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.surface import Content
from adapters.text import utf16_units
from adapters.values import (
    Action,
    Attachment,
    Choice,
    ConversationId,
    Delivered,
    Message,
    Part,
    Refused,
    Reply,
)
from tests.adapters.whatsapp_kit import ANA, NUMBER, PHONE, WhatsAppKit, envelope, item
from tests.fakes import RecordingServer

LINK = Choice(id="pay", title="Pay now", description="https://shop.example/pay?order=4471")
PICTURE = Attachment(kind="image", url="https://shop.example/a.jpg")


def choices(count: int, length: int = 1) -> tuple[Choice, ...]:
    return tuple(Choice(id=f"c{each}", title=f"{each}".rjust(length, "x")) for each in range(count))


class ChoicesKit(WhatsAppKit):
    def outcome(self, server: RecordingServer, part: Part, **settings: Any) -> Any:
        conversation = ConversationId(channel="shop", account=NUMBER, peer=ANA)
        reply = Reply(
            key="k" * 32, conversation=conversation, parts=(part,), route={"to": PHONE, "message_id": "wamid.1"}
        )
        return self.channel(server.url, **settings).send(reply, 0)

    def sent(self, server: RecordingServer, part: Part, **settings: Any) -> Mapping[str, Any]:
        assert isinstance(self.outcome(server, part, **settings), Delivered)
        body: Mapping[str, Any] = server.calls[-1].json
        assert (body["to"], body["type"]) == (f"+{PHONE}", "interactive")
        shown: Mapping[str, Any] = body["interactive"]
        return shown

    def refused(self, server: RecordingServer, part: Part) -> Refused:
        outcome = self.outcome(server, part)
        assert isinstance(outcome, Refused)
        assert server.calls == []
        return outcome


class TestTaps(ChoicesKit):
    def test_up_to_three_choices_are_buttons(self, server: RecordingServer) -> None:
        part = Part(text="*Sure?*", choices=(Choice(id="yes", title="Yes"), Choice(id="no", title="No")))
        assert self.sent(server, part) == {
            "type": "button",
            "body": {"text": "*Sure?*"},
            "action": {
                "buttons": [
                    {"type": "reply", "reply": {"id": "yes", "title": "Yes"}},
                    {"type": "reply", "reply": {"id": "no", "title": "No"}},
                ]
            },
        }

    def test_up_to_ten_choices_are_a_list(self, server: RecordingServer) -> None:
        described = Choice(id="d", title="Size M", description="in\nstock " + "x" * 90)
        shown = self.sent(server, Part(text="Which?", choices=(described, *choices(9))), list_button="选择")
        assert (shown["type"], shown["action"]["button"]) == ("list", "选择")
        [section] = shown["action"]["sections"]
        assert len(section["rows"]) == 10
        assert section["rows"][0]["title"] == "Size M"
        assert section["rows"][0]["description"].startswith("in stock xxx")
        assert utf16_units(section["rows"][0]["description"]) == 72
        assert "description" not in section["rows"][1]

    def test_a_text_that_is_too_long_for_buttons_stands_above_a_list(self, server: RecordingServer) -> None:
        assert self.sent(server, Part(text="x" * 1025, choices=choices(2)))["type"] == "list"

    def test_a_single_link_is_a_button_that_opens_it(self, server: RecordingServer) -> None:
        assert self.sent(server, Part(text="Your order is ready.", choices=(LINK,))) == {
            "type": "cta_url",
            "body": {"text": "Your order is ready."},
            "action": {
                "name": "cta_url",
                "parameters": {"display_text": "Pay now", "url": "https://shop.example/pay?order=4471"},
            },
        }

    def test_a_place_is_asked_for_by_the_platforms_own_button(self, server: RecordingServer) -> None:
        part = Part(text="Where are you?", choices=(Choice(id="send_location", title="Send"),))
        assert self.sent(server, part) == {
            "type": "location_request_message",
            "body": {"text": "Where are you?"},
            "action": {"name": "send_location"},
        }

    @pytest.mark.parametrize(("count", "size"), [(3, 20), (10, 24)])
    def test_titles_are_clipped_and_stay_different(self, server: RecordingServer, count: int, size: int) -> None:
        alike = tuple(Choice(id=f"c{each}", title="A very long title 👨‍👩‍👧‍👦 indeed") for each in range(count))
        shown = self.sent(server, Part(text="?", choices=alike))["action"]
        rows = shown.get("buttons") or shown["sections"][0]["rows"]
        titles = [row["reply"]["title"] if "reply" in row else row["title"] for row in rows]
        assert len(set(titles)) == count
        assert max(map(utf16_units, titles)) <= size

    def test_a_quoted_reply_may_have_buttons_too(self, server: RecordingServer) -> None:
        self.sent(server, Part(text="?", choices=choices(1)), reply_context=True)
        assert server.calls[-1].json["context"] == {"message_id": "wamid.1"}

    @pytest.mark.parametrize(
        ("part", "action"),
        [
            (Part(text="?", choices=choices(11)), Action.GIVE_UP),
            (Part(text=" ", choices=choices(2)), Action.GIVE_UP),
            (Part(text="x" * 4097, choices=choices(2)), Action.SPLIT),
            (Part(text="😀" * 2049, choices=choices(4)), Action.SPLIT),
            (Part(text="x" * 1025, choices=(LINK,)), Action.SPLIT),
            (Part(text="?", choices=(Choice(id="", title="x"),)), Action.GIVE_UP),
            (Part(text="?", choices=(Choice(id="i" * 257, title="x"),)), Action.GIVE_UP),
            (Part(text="?", choices=(Choice(id="i", title="x"), Choice(id="i", title="y"))), Action.GIVE_UP),
            (Part(text="?", choices=choices(4), attachment=PICTURE), Action.GIVE_UP),
            (Part(text="x" * 4097), Action.SPLIT),
            (Part(text="\n"), Action.GIVE_UP),
            (Part(text="hi", attachment=Attachment(kind="audio", url="https://shop.example/a")), Action.GIVE_UP),
            (Part(text="", attachment=Attachment(kind="sticker", url="https://shop.example/a")), Action.GIVE_UP),
        ],
    )
    def test_what_the_platform_would_refuse_is_refused_before_it_leaves(
        self, server: RecordingServer, part: Part, action: Action
    ) -> None:
        refused = self.refused(server, part)
        assert refused.action is action
        assert refused.reason
        assert not refused.account

    @pytest.mark.parametrize("kind", ["button_reply", "list_reply"])
    def test_a_tap_comes_back_as_what_it_says(self, kind: str) -> None:
        reply = {"type": kind, kind: {"id": "yes", "title": "Yes", "description": "d"}}
        (event,) = self.events(envelope({"messages": [item("interactive", interactive=reply)]}))
        assert isinstance(event, Message)
        assert (event.text, event.kind, event.route["choice"]) == ("Yes", "interactive", "yes")

    def test_a_link_preview_is_a_setting(self, server: RecordingServer) -> None:
        self.outcome(server, Part(text="see https://shop.example"), link_preview=True)
        assert server.calls[-1].json["text"] == {"body": "see https://shop.example", "preview_url": True}


class TestOneMessage(ChoicesKit):
    """Each message may cost money, and two quick ones can arrive in the wrong order."""

    def parts(self, content: Content, **settings: Any) -> tuple[Part, ...]:
        return self.channel(**settings).parts(content)

    def test_a_long_answer_is_shortened_to_one_message(self) -> None:
        (part,) = self.parts(Content(markdown="A sentence, said again. " * 400))
        assert 4000 < utf16_units(part.text) <= 4096
        assert part.text.endswith("…")

    def test_a_long_answer_is_split_where_that_is_wanted(self) -> None:
        parts = self.parts(Content(markdown="A sentence, said again. " * 400), split_long_answers=True)
        assert len(parts) == 3

    def test_a_text_with_buttons_is_one_message_whatever_its_length(self) -> None:
        for length in (10, 1024, 1025, 4096, 9000):
            (part,) = self.parts(Content(markdown="x" * length, choices=choices(2)))
            assert len(part.choices) == 2

    def test_a_picture_and_buttons_are_one_message(self) -> None:
        (part,) = self.parts(Content(markdown="Which?", choices=choices(2), attachments=(PICTURE,)))
        assert (part.attachment, len(part.choices)) == (PICTURE, 2)

    def test_a_picture_and_a_list_are_two(self) -> None:
        file, asked = self.parts(Content(markdown="Which?", choices=choices(5), attachments=(PICTURE,)))
        assert (file.attachment, asked.attachment) == (PICTURE, None)

    def test_a_sound_is_never_above_buttons(self) -> None:
        sound = Attachment(kind="audio", url="https://shop.example/a.mp3")
        assert len(self.parts(Content(markdown="Which?", choices=choices(2), attachments=(sound,)))) == 2

    def test_a_picture_and_a_short_text_are_one_message(self) -> None:
        assert self.parts(Content(markdown="Our **menu**", attachments=(PICTURE,))) == (
            Part(text="Our *menu*", attachment=PICTURE),
        )

    def test_more_choices_than_a_list_holds_are_numbered_in_the_text(self) -> None:
        (part,) = self.parts(Content(markdown="Which?", choices=choices(11)))
        assert part.choices == ()
        assert "11. 10" in part.text

    def test_a_link_keeps_its_address(self) -> None:
        assert self.parts(Content(markdown="Ready.", choices=(LINK,))) == (Part(text="Ready.", choices=(LINK,)),)
        (part,) = self.parts(Content(markdown="x" * 2000, choices=(LINK,)))
        assert part.choices == ()
        assert part.text.endswith("Pay now: https://shop.example/pay?order=4471")
