"""What customers and the platform send. Many of these were faults of other bots (sheet §8)."""

from typing import Any

import pytest

from adapters.values import Control, ControlEvent, DeliveryState, Media, Message, StatusUpdate
from tests.adapters.whatsapp_kit import ANA, PHONE, WhatsAppKit, envelope, item, text_item


def status(state: str = "delivered", **fields: Any) -> dict[str, Any]:
    return {"id": "wamid.out", "status": state, "timestamp": "1795132801", "recipient_id": PHONE} | fields


class TestContent(WhatsAppKit):
    def said(self, **fields: Any) -> Message:
        (event,) = self.events(envelope({"messages": [item(**fields)]}))
        assert isinstance(event, Message)
        return event

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"kind": "text", "text": {"body": " hi\n"}}, " hi\n"),
            ({"kind": "button", "button": {"payload": "YES_1", "text": "Yes"}}, "Yes"),
            ({"kind": "interactive", "interactive": {"type": "list_reply", "list_reply": {"title": "M"}}}, "M"),
            ({"kind": "location", "location": {"latitude": 1.5, "longitude": -2, "name": "Shop"}}, "Shop\n1.5, -2"),
            ({"kind": "location", "location": {"latitude": 0, "longitude": 0}}, "0, 0"),
            (
                {
                    "kind": "interactive",
                    "interactive": {"type": "product", "product": {"catalog_id": "C1", "product_retailer_id": "S"}},
                },
                "catalog_id: C1\nproduct_retailer_id: S",
            ),
            (
                {"kind": "contacts", "contacts": [{"name": {"formatted_name": "Bo"}, "phones": [{"phone": "+1"}]}]},
                "Bo: +1",
            ),
            (
                {"kind": "order", "order": {"product_items": [{"product_retailer_id": "S", "item_price": 2.5}]}},
                "1 × S (2.5)",
            ),
        ],
    )
    def test_each_type_is_read_as_text(self, fields: dict[str, Any], text: str) -> None:
        message = self.said(**fields)
        assert (message.text, message.kind) == (text, fields["kind"])

    @pytest.mark.parametrize("kind", ["image", "audio", "video", "document", "sticker"])
    def test_media_is_described(self, kind: str) -> None:
        given = {"id": "9", "mime_type": "a/b; codecs=opus", "sha256": "x=", "caption": "look", "filename": "../f"}
        message = self.said(kind=kind, **{kind: given})
        media = Media(kind=kind, id="9", mime="a/b", sha256="x=", caption="look", filename="../f")
        assert (message.text, message.media) == ("look", (media,))

    def test_a_reply_names_what_it_quotes(self) -> None:
        assert self.said(text={"body": "x"}, context={"from": "1", "id": "wamid.q"}).quoted == "wamid.q"

    def test_a_time_that_is_none_is_the_time_of_arrival(self) -> None:
        wrong: tuple[Any, ...] = ("soon", "", "9" * 30, None, [], {})
        for each in wrong:
            assert self.said(text={"body": "x"}, timestamp=each).sent_at == self.now

    @pytest.mark.parametrize(
        ("fields", "what"),
        [
            ({"kind": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}, "reaction"),
            ({"kind": "edit", "edit": {"original_message_id": "wamid.1"}}, "message_edit"),
            ({"kind": "revoke", "revoke": {"original_message_id": "wamid.1"}}, "message_revoke"),
            ({"kind": "unsupported", "errors": [{"code": 131051}]}, "unsupported_message"),
            ({"kind": "interactive"}, "unsupported_message"),
            ({"kind": "interactive", "interactive": {"type": "call_permission_reply"}}, "call_permission"),
            ({"kind": "request_welcome"}, "unsupported_message"),
            ({"kind": "text", "text": {"body": ""}}, "unsupported_message"),
            ({"kind": "text", "text": {"body": "x"}, "group_id": "g="}, "group_message"),
            ({"kind": "", "text": {"body": "x"}}, "unsupported_message"),
        ],
    )
    def test_what_is_no_question_is_noted_and_not_answered(self, fields: dict[str, Any], what: str) -> None:
        assert self.control(envelope({"messages": [item(**fields)]})).what == what

    def test_a_placeholder_for_a_message_that_could_not_be_passed_on_is_not_dropped(self) -> None:
        lost = item("unsupported", errors=[{"code": 131060}])
        event = self.control(envelope({"messages": [lost]}))
        assert event.detail["code"] == "131060"
        assert event.conversation is not None

    def test_a_removed_reaction_is_told_apart(self) -> None:
        for reaction in ({"message_id": "wamid.1"}, {"message_id": "wamid.1", "emoji": ""}):
            event = self.control(envelope({"messages": [item("reaction", reaction=reaction)]}))
            assert event.detail == {"target": "wamid.1", "removed": "true"}

    def test_a_changed_number_names_the_conversation_until_then(self) -> None:
        system = {"type": "user_changed_number", "wa_id": "447700900999", "body": "…"}
        change = {"id": "w", "from": PHONE, "timestamp": "1", "type": "system", "system": system}
        event = self.control(envelope({"messages": [change]}))
        assert event.what == Control.IDENTITY_CHANGED
        assert event.conversation is not None
        assert (event.conversation.peer, event.detail["previous"]) == ("447700900999", PHONE)

    def test_a_changed_user_id_names_the_conversation_until_then(self) -> None:
        system = {"type": "user_changed_user_id", "user_id": "GB.2", "previous_user_id": "GB.1", "wa_id": PHONE}
        event = self.control(envelope({"messages": [{"id": "w", "type": "system", "system": system}]}))
        assert event.conversation is not None
        assert (event.what, event.conversation.peer) == (Control.IDENTITY_CHANGED, "GB.2")
        assert event.detail == {"previous": "GB.1", "type": "user_changed_user_id"}


class TestPeople(WhatsAppKit):
    def one(self, body: dict[str, Any]) -> Message:
        (event,) = self.events(body)
        assert isinstance(event, Message)
        return event

    def test_a_customer_without_a_phone_number_is_answered_by_user_id(self) -> None:
        said = text_item()
        del said["from"]
        message = self.one(envelope({"contacts": [{"user_id": ANA}], "messages": [said]}))
        assert message.conversation.peer == ANA
        assert message.route == {"recipient": ANA, "message_id": "wamid.A="}

    def test_a_customer_without_a_user_id_is_keyed_by_phone_number(self) -> None:
        said = text_item()
        del said["from_user_id"]
        assert self.one(envelope({"messages": [said]})).conversation.peer == PHONE

    def test_a_message_that_names_nobody_is_that_of_the_only_contact(self) -> None:
        said = text_item()
        del said["from"], said["from_user_id"]
        assert self.one(envelope({"contacts": [{"user_id": ANA}], "messages": [said]})).conversation.peer == ANA
        (event,) = self.events(envelope({"contacts": [{"user_id": ANA}, {"user_id": "GB.2"}], "messages": [said]}))
        assert isinstance(event, ControlEvent)

    def test_a_user_id_that_only_the_contacts_hold_is_found_by_phone_number(self) -> None:
        said = text_item()
        del said["from_user_id"]
        people = [{"wa_id": "1", "user_id": "GB.other"}, {"wa_id": PHONE, "user_id": ANA}]
        assert self.one(envelope({"contacts": people, "messages": [said]})).conversation.peer == ANA

    @pytest.mark.parametrize("user_id", ["GB.ENT.aZ09", "MX.AbCdEf", "GB." + "9" * 128])
    def test_a_user_id_is_opaque_and_never_cleaned(self, user_id: str) -> None:
        assert self.one(envelope({"messages": [text_item(from_user_id=user_id)]})).sender == user_id

    def test_a_contact_without_a_profile_is_no_crash(self) -> None:
        lists: tuple[Any, ...] = ([{"wa_id": PHONE}], [{}], [None], None, [{"wa_id": PHONE, "profile": None}])
        for people in lists:
            assert self.one(envelope({"contacts": people, "messages": [text_item()]})).sender_name == ""

    def test_a_message_from_nobody_is_noted(self) -> None:
        said = {"id": "wamid.1", "type": "text", "text": {"body": "x"}}
        assert self.control(envelope({"messages": [said]})).what == "unreadable_item"

    @pytest.mark.parametrize("wrong", [{"id": ""}, {"id": "x" * 600}, {"from_user_id": "G" * 600}, {"id": None}])
    def test_an_id_that_can_be_none_is_noted(self, wrong: dict[str, Any]) -> None:
        assert self.control(envelope({"messages": [text_item(**wrong)]})).what == "unreadable_item"


class TestBatches(WhatsAppKit):
    def test_every_item_of_every_change_of_every_entry_is_read(self) -> None:
        body = envelope(
            {"messages": [text_item("1", message_id="a"), text_item("2", message_id="b")]},
            {"messages": [text_item("3", message_id="c")], "statuses": [status()]},
        )
        body["entry"] = body["entry"] * 2
        assert len(self.events(body)) == 8

    def test_one_bad_item_does_not_stop_the_others(self) -> None:
        bad: list[Any] = [None, 7, [], {}, {"type": "text"}, text_item(id=[]), {"type": "image", "image": 3}]
        events = self.events(envelope({"messages": [*bad, text_item("good")]}, {"statuses": [None, {}, status()]}))
        assert [event.text for event in events if isinstance(event, Message)] == ["good"]
        assert len([event for event in events if isinstance(event, StatusUpdate)]) == 1

    def test_a_bad_entry_or_change_does_not_stop_the_others(self) -> None:
        body = envelope({"messages": [text_item("good")]})
        body["entry"] = [
            None,
            {"changes": 3},
            {"changes": [None, {"field": "messages", "value": []}]},
            *body["entry"],
        ]
        assert [event.text for event in self.events(body) if isinstance(event, Message)] == ["good"]

    def test_a_thousand_updates_in_one_post_are_read(self) -> None:
        items = [text_item(str(each), message_id=f"wamid.{each}") for each in range(1000)]
        assert len({e.key for e in self.events(envelope({"messages": items})) if isinstance(e, Message)}) == 1000

    def test_the_same_message_has_one_key_whatever_it_comes_with(self) -> None:
        (alone,) = self.events(envelope({"messages": [text_item()]}))
        beside = self.events(envelope({"statuses": [status()], "messages": [text_item()], "contacts": [{}]}))
        assert isinstance(alone, Message)
        assert alone.key in [event.key for event in beside if isinstance(event, Message)]

    def test_another_number_of_the_same_app_is_noted_and_answered_with_200(self) -> None:
        body = envelope({"messages": [text_item()]})
        body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "999"
        event = self.control(body)
        assert (event.what, event.detail["phone_number_id"]) == ("unknown_account", "999")

    def test_an_unknown_field_is_noted_with_its_name(self) -> None:
        event = self.control(envelope({}, field="holograms"))
        assert (event.what, event.detail) == ("unhandled_field", {"field": "holograms"})


class TestStatuses(WhatsAppKit):
    def told(self, given: dict[str, Any]) -> StatusUpdate:
        (event,) = self.events(envelope({"statuses": [given]}))
        assert isinstance(event, StatusUpdate)
        return event

    @pytest.mark.parametrize("state", ["sent", "delivered", "read", "played", "failed"])
    def test_a_status_is_never_taken_for_a_message(self, state: str) -> None:
        update = self.told(status(state, biz_opaque_callback_data="k" * 32))
        assert (update.state, update.reply_key, update.platform_id) == (DeliveryState(state), "k" * 32, "wamid.out")

    def test_a_failed_status_tells_why_and_what_to_do(self) -> None:
        update = self.told(status("failed", errors=[{"code": 131047, "title": "Re-engagement message"}]))
        assert update.state is DeliveryState.FAILED
        assert update.error.startswith("131047: more than 24 hours")
        assert "template" in update.error

    def test_statuses_keep_the_order_they_came_in(self) -> None:
        events = self.events(envelope({"statuses": [status("read"), status("delivered"), status("sent")]}))
        assert [event.state for event in events if isinstance(event, StatusUpdate)] == ["read", "delivered", "sent"]

    def test_an_unknown_status_is_noted(self) -> None:
        assert self.control(envelope({"statuses": [status("warmed_up")]})).what == "unhandled_status"

    def test_a_fault_of_the_number_is_noted_with_its_code(self) -> None:
        event = self.control(envelope({"errors": [{"code": 130429, "title": "Rate limit hit"}]}))
        assert (event.what, event.detail["code"]) == ("platform_error", "130429")


class TestThreads(WhatsAppKit):
    """Threads that another sender owns: an answer would seize them."""

    def test_copies_for_a_standby_app_are_never_messages(self) -> None:
        copies = {
            "messages": [text_item()],
            "statuses": [status()],
            "message_echoes": [{"id": "w", "message": {"to": PHONE}}],
        }
        events = self.events(envelope({"standby": copies}, field="standby"))
        assert [event.what for event in events if isinstance(event, ControlEvent)] == [
            "standby_message",
            "standby_status",
            "standby_echo",
        ]
        assert len(events) == 3

    @pytest.mark.parametrize("kind", ["control_passed", "control_taken"])
    @pytest.mark.parametrize(
        ("owner", "what"),
        [
            ("ai_agent", Control.HUMAN_TOOK_OVER),
            ("escalation", Control.HUMAN_TOOK_OVER),
            ("customer_service", Control.HUMAN_LEFT),
        ],
    )
    def test_a_handover_silences_the_bot_or_lets_it_speak(self, kind: str, owner: str, what: str) -> None:
        value = {"sender": {"phone_number": "+" + PHONE}, "type": kind, kind: {"new_owner_role": owner}}
        event = self.control(envelope(value, field="messaging_handovers"))
        assert (event.what, event.detail) == (what, {"new_owner": owner, "type": kind})
        assert event.conversation is not None
        assert event.conversation.peer == PHONE

    def test_a_handover_may_lack_everything(self) -> None:
        assert self.control(envelope({}, field="messaging_handovers")).what == "control_changed"

    def test_what_a_colleague_wrote_on_the_phone_is_a_takeover_and_no_message(self) -> None:
        echo = {
            "id": "w",
            "from": "15550100200",
            "to": PHONE,
            "timestamp": "1",
            "type": "text",
            "text": {"body": "x"},
        }
        event = self.control(envelope({"message_echoes": [echo]}, field="smb_message_echoes"))
        assert event.what == Control.HUMAN_TOOK_OVER
        assert event.conversation is not None
        assert event.conversation.peer == PHONE

    def test_a_stopped_subscription_to_marketing_is_noted(self) -> None:
        wish = {"wa_id": PHONE, "user_id": ANA, "category": "marketing_messages", "value": "stop"}
        event = self.control(envelope({"user_preferences": [wish]}, field="user_preferences"))
        assert (event.what, event.detail) == (
            "marketing_preference",
            {"value": "stop", "category": "marketing_messages"},
        )
