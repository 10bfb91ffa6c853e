"""News that no customer wrote: of the account, of who owns a conversation, of a customer's new number or id."""

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.aliases import Aliases, MemoryAliases
from adapters.channel import Channel
from adapters.values import Control, ControlEvent, Request, StatusUpdate
from adapters.whatsapp import WhatsApp
from tests.adapters.whatsapp_kit import ANA, NUMBER, PHONE, WABA, WhatsAppKit, envelope, item, post, text_item
from tests.contracts.channel_kit import NOWHERE
from tests.fakes import RecordingServer

NEW = "GB.55667788990011223344"
CODE_OF_LOCK = 131031


def news(field: str, time: int = 1795132800, waba: str = WABA, **value: Any) -> dict[str, Any]:
    changes = [{"field": field, "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": waba, "time": time, "changes": changes}]}


def encoded(body: Any) -> Request:
    return post(json.dumps(body).encode())


class TestAccountUpdates(WhatsAppKit):
    @pytest.mark.parametrize(
        ("value", "what"),
        [
            ({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}, Control.ACCOUNT_BLOCKED),
            ({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}, Control.ACCOUNT_RESTORED),
            (
                {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "SCHEDULE_FOR_DISABLE"}},
                "account_update",
            ),
            ({"event": "ACCOUNT_DELETED"}, Control.ACCOUNT_BLOCKED),
            ({"event": "ACCOUNT_OFFBOARDED"}, Control.ACCOUNT_BLOCKED),
            ({"event": "ACCOUNT_RECONNECTED"}, Control.ACCOUNT_RESTORED),
            ({"event": "PARTNER_REMOVED"}, Control.ACCOUNT_BLOCKED),
            ({"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SPAM"}}, "account_update"),
            ({"event": "VOLUME_BASED_PRICING_TIER_UPDATE"}, "account_update"),
            ({}, "account_update"),
        ],
    )
    def test_sending_stops_and_goes_on_with_the_account(self, value: dict[str, Any], what: str) -> None:
        event = self.control(news("account_update", **value))
        assert event.what == what
        assert event.detail.get("event", "") == value.get("event", "")
        assert bool(event.detail.get("reason")) is (what == Control.ACCOUNT_BLOCKED)

    @pytest.mark.parametrize(
        ("restriction", "what"),
        [
            ("RESTRICTED_CUSTOMER_INITIATED_MESSAGING", Control.ACCOUNT_BLOCKED),
            ("RESTRICTED_BIZ_INITIATED_MESSAGING", "account_update"),
            ("RESTRICTED_ADD_PHONE_NUMBER_ACTION", "account_update"),
        ],
    )
    def test_only_a_restriction_of_answers_stops_answers(self, restriction: str, what: str) -> None:
        told = [{"restriction_type": restriction, "expiration": 1795219200}]
        event = self.control(news("account_update", event="ACCOUNT_RESTRICTION", restriction_info=told))
        assert event.what == what

    def test_news_bear_the_time_of_their_entry(self) -> None:
        event = self.control(news("account_alerts", time=1795132800, alert_type="X"))
        assert (int(event.at.timestamp()), event.detail) == (1795132800, {"alert": "X"})

    def test_a_paused_template_is_named(self) -> None:
        event = self.control(
            news(
                "message_template_status_update",
                event="PAUSED",
                message_template_id=1400000000000001,
                message_template_name="reminder_1",
                message_template_language="en",
                reason=None,
                other_info={"title": "FIRST_PAUSE"},
            )
        )
        assert event.detail == {
            "event": "PAUSED",
            "template": "reminder_1",
            "language": "en",
            "title": "FIRST_PAUSE",
        }

    def test_an_upgrade_of_the_number_is_told(self) -> None:
        event = self.control(
            news(
                "phone_number_quality_update",
                event="THROUGHPUT_UPGRADE",
                max_daily_conversations_per_business="TIER_UNLIMITED",
                display_phone_number="+1 555-010-0200",
            )
        )
        assert event.detail == {"event": "THROUGHPUT_UPGRADE", "limit": "TIER_UNLIMITED"}

    def test_another_accounts_news_are_not_ours_where_ours_is_known(self) -> None:
        blocked = news("account_update", waba="999", event="ACCOUNT_DELETED")
        (event,) = self.events(blocked, waba_id=WABA)
        assert isinstance(event, ControlEvent)
        assert event.what == "unknown_account"
        (event,) = self.events(news("account_update", event="ACCOUNT_DELETED"), waba_id=WABA)
        assert isinstance(event, ControlEvent)
        assert event.what == Control.ACCOUNT_BLOCKED

    @pytest.mark.parametrize("field", ["calls", "flows", "history", "smb_app_state_sync", "group_lifecycle_update"])
    def test_fields_that_a_bot_does_not_need_are_noted_only(self, field: str) -> None:
        said = envelope(
            {"messages": [text_item()], "history": [{"threads": [{"messages": [text_item()]}]}]}, field=field
        )
        assert self.control(said).what == "unhandled_field"


class TestFailures(WhatsAppKit):
    def test_a_failure_that_meets_every_message_stops_the_number_though_it_comes_late(self) -> None:
        failed = {"id": "wamid.out", "status": "failed", "timestamp": "1", "errors": [{"code": 131042}]}
        told, blocked = self.events(envelope({"statuses": [failed]}))
        assert isinstance(told, StatusUpdate)
        assert isinstance(blocked, ControlEvent)
        assert (blocked.what, blocked.detail["code"]) == (Control.ACCOUNT_BLOCKED, "131042")
        assert blocked.detail["reason"] == told.error

    def test_so_does_a_fault_of_the_account_that_comes_alone(self) -> None:
        assert self.control(envelope({"errors": [{"code": CODE_OF_LOCK}]})).what == Control.ACCOUNT_BLOCKED


class TestPricing(WhatsAppKit):
    @pytest.mark.parametrize(
        ("pricing", "word"),
        [
            ({"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}, "regular"),
            ({"billable": False, "type": "free_customer_service"}, "free_customer_service"),
            ({"billable": True, "pricing_model": "CBP", "category": "service"}, "regular"),
            ({"billable": False, "pricing_model": "CBP"}, "free"),
            ({"type": "free-entry-point"}, "free_entry_point"),
            ({"type": "Nothing of ours; really"}, ""),
            ({}, ""),
            (None, ""),
        ],
    )
    def test_a_status_tells_how_the_message_is_billed(self, pricing: Any, word: str) -> None:
        status = {"id": "wamid.out", "status": "sent", "timestamp": "1", "pricing": pricing}
        (update,) = self.events(envelope({"statuses": [status]}))
        assert isinstance(update, StatusUpdate)
        assert update.pricing == word


class TestIdentities(WhatsAppKit):
    def moved(self, kind: str, body: str = "", **fields: Any) -> ControlEvent:
        system = {"type": kind, "body": body, **{k: v for k, v in fields.items() if k != "from_user_id"}}
        sender = {"from_user_id": fields["from_user_id"]} if "from_user_id" in fields else {}
        said = {"id": "wamid.s", "from": PHONE, "timestamp": "1", "type": "system", "system": system, **sender}
        return self.control(envelope({"messages": [said]}))

    def test_an_old_user_id_that_only_the_text_holds_is_read_from_its_end(self) -> None:
        body = f"User Ana changed from GB.999 to {NEW} changed from {ANA} to {NEW}"
        event = self.moved("user_changed_user_id", body, user_id=NEW, wa_id=PHONE)
        assert event.what == Control.IDENTITY_CHANGED
        assert event.conversation is not None
        assert (event.conversation.peer, event.detail["previous"]) == (NEW, ANA)

    @pytest.mark.parametrize(
        "body",
        [f"User changed from {ANA} to GB.other", f"User {ANA} changed", f"changed from {ANA} to {NEW}. Bye", ""],
    )
    def test_a_text_that_does_not_name_the_new_user_id_last_is_not_believed(self, body: str) -> None:
        assert self.moved("user_changed_user_id", body, user_id=NEW, wa_id=PHONE).detail["previous"] == PHONE

    def test_the_platforms_own_word_goes_before_the_text(self) -> None:
        event = self.moved(
            "user_changed_user_id", f"x changed from GB.9 to {NEW}", user_id=NEW, previous_user_id=ANA
        )
        assert event.detail["previous"] == ANA

    def test_a_changed_number_leads_from_the_old_user_id_to_the_new_one(self) -> None:
        event = self.moved("user_changed_number", wa_id="447700900999", user_id=NEW, from_user_id=ANA)
        assert event.conversation is not None
        assert (event.conversation.peer, event.detail["previous"]) == (NEW, ANA)

    def test_a_changed_number_finds_the_user_id_that_was_seen_with_it(self) -> None:
        channel = self.channel()
        channel.parse(self.signed(self.payload()))
        system = {"type": "user_changed_number", "wa_id": "447700900999", "user_id": NEW}
        said = {"id": "wamid.s", "from": PHONE, "timestamp": "1", "type": "system", "system": system}
        (event,) = channel.parse(encoded(envelope({"messages": [said]})))
        assert isinstance(event, ControlEvent)
        assert event.detail["previous"] == ANA

    @pytest.mark.parametrize("body", ["", "La usuaria Ana cambió de identidad"])
    def test_a_user_id_that_changed_under_the_same_number_needs_no_readable_text(self, body: str) -> None:
        """The number means the old user id until the change has been read; who told it again changes nothing."""
        channel = self.channel()
        channel.parse(self.signed(self.payload()))
        system = {"type": "user_changed_user_id", "body": body, "wa_id": PHONE, "user_id": NEW}
        said = {"id": "wamid.s", "from": PHONE, "timestamp": "1", "type": "system", "system": system}
        (event,) = channel.parse(encoded(envelope({"messages": [said]})))
        assert isinstance(event, ControlEvent)
        assert (event.what, event.detail["previous"]) == (Control.IDENTITY_CHANGED, ANA)
        echo = {"from": "1", "to": PHONE, "id": "wamid.e", "timestamp": "1", "type": "text"}
        (event,) = channel.parse(encoded(envelope({"message_echoes": [echo]}, field="smb_message_echoes")))
        assert isinstance(event, ControlEvent)
        assert event.conversation is not None
        assert event.conversation.peer == NEW

    def test_a_change_that_could_not_be_kept_means_the_same_when_it_comes_again(self) -> None:
        channel = self.channel(NOWHERE)
        channel.send(self.reply(channel, "hi"), 0)  # now all processes know the number's user id
        system = {"type": "user_changed_user_id", "wa_id": PHONE, "user_id": NEW}
        said = {"id": "wamid.s", "from": PHONE, "timestamp": "1", "type": "system", "system": system}
        first, again = (channel.parse(encoded(envelope({"messages": [said]}))) for _ in range(2))
        assert first == again
        assert isinstance(again[0], ControlEvent)
        assert again[0].detail["previous"] == "GB.u1"

    def test_a_change_without_anything_before_is_noted_only(self) -> None:
        system = {"type": "user_changed_user_id", "user_id": NEW}
        event = self.control(envelope({"messages": [{"id": "w", "type": "system", "system": system}]}))
        assert event.what == "user_changed_user_id"

    def test_a_new_security_code_is_noted_and_moves_nothing(self) -> None:
        assert self.moved("customer_identity_changed").what == "customer_identity_changed"


class TestOwners(WhatsAppKit):
    def handover(self, **settings: Any) -> ControlEvent:
        inner = {"previous_owner_role": "customer_service", "previous_owner_app_id": "1"}
        value = {
            "sender": {"phone_number": f"+{PHONE}"},
            "recipient": {"phone_number_id": settings.pop("number", NUMBER)},
            "type": "control_passed",
            "control_passed": inner | settings.pop("inner", {}),
        }
        changes = [{"field": "messaging_handovers", "value": value}]
        (event,) = self.events(
            {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": changes}]}, **settings
        )
        assert isinstance(event, ControlEvent)
        return event

    def test_a_thread_that_we_gave_away_to_nobody_named_is_not_ours_any_more(self) -> None:
        assert self.handover().what == Control.HUMAN_TOOK_OVER

    def test_our_roles_are_a_setting(self) -> None:
        given = {"new_owner_role": "ai_agent"}
        assert self.handover(inner=given).what == Control.HUMAN_TOOK_OVER
        assert self.handover(inner=given, thread_roles=("ai_agent",)).what == Control.HUMAN_LEFT

    def test_another_numbers_handover_is_none_of_ours(self) -> None:
        assert self.handover(number="999").what == "unknown_account"

    @pytest.mark.parametrize("field", ["smb_message_echoes", "message_echoes"])
    @pytest.mark.parametrize(
        "echo",
        [
            {"to": PHONE, "to_user_id": ANA},
            {"message": {"to": PHONE, "to_user_id": ANA, "type": "text"}},
            {"to": PHONE, "contact": True},
        ],
    )
    def test_what_staff_wrote_silences_the_bot_in_that_customers_conversation(
        self, field: str, echo: dict[str, Any]
    ) -> None:
        people = [{"wa_id": PHONE, "user_id": ANA}] if "contact" in echo else []
        said = {"id": "w", "from": "15550100200", "timestamp": "1", "type": "text", "text": {"body": "x"}, **echo}
        event = self.control(envelope({"message_echoes": [said], "contacts": people}, field=field))
        assert event.what == Control.HUMAN_TOOK_OVER
        assert event.conversation is not None
        assert event.conversation.peer == ANA
        assert "x" not in event.detail.values()

    def test_an_echo_that_names_a_number_only_finds_the_conversation_of_its_user_id(self) -> None:
        channel = self.channel()
        channel.parse(self.signed(self.payload()))
        echo = {"id": "w", "to": PHONE, "timestamp": "1", "type": "text"}
        body = envelope({"message_echoes": [echo]}, field="smb_message_echoes")
        (event,) = channel.parse(encoded(body))
        assert isinstance(event, ControlEvent)
        assert event.conversation is not None
        assert event.conversation.peer == ANA

    def test_so_it_does_in_a_process_that_never_saw_the_customer(self, server: RecordingServer) -> None:
        """A worker, which answered, tells all."""
        shared = MemoryAliases()
        worker, web = (self.sharing(shared, url) for url in (server.url, NOWHERE))
        worker.turn_started(self.message(self.channel(), self.signed(self.payload())))
        echo = {"id": "w", "to": f"+{PHONE}", "timestamp": "1", "type": "text"}
        (event,) = web.parse(encoded(envelope({"message_echoes": [echo]}, field="smb_message_echoes")))
        assert isinstance(event, ControlEvent)
        assert event.conversation is not None
        assert event.conversation.peer == ANA

    def sharing(self, aliases: Aliases, url: str) -> Channel[Any]:
        channel = self.channel(url)
        return WhatsApp(channel.name, channel.settings, replace(channel.services, aliases=aliases))

    def test_the_echo_of_a_program_is_no_human(self) -> None:
        echo = {"id": "w", "to": PHONE, "biz_opaque_callback_data": "k" * 32}
        event = self.control(envelope({"message_echoes": [echo]}, field="message_echoes"))
        assert event.what == "program_message"

    def test_a_standby_copy_and_the_real_message_do_not_swallow_each_other(self) -> None:
        copy = self.events(envelope({"standby": {"messages": [text_item()]}}, field="standby"))
        real = self.events(envelope({"messages": [text_item()]}))
        assert [type(event).__name__ for event in (*copy, *real)] == ["ControlEvent", "Message"]


class TestContext(WhatsAppKit):
    def said(self, **fields: Any) -> Any:
        (event,) = self.events(envelope({"messages": [item("text", text={"body": "Still there?"}, **fields)]}))
        return event

    def test_an_advertisement_that_led_here_is_told_below_the_customers_words(self) -> None:
        referral = {
            "source_type": "ad",
            "source_id": "7",
            "headline": "Red bicycle",
            "body": "Only today",
            "ctwa_clid": "c-1",
        }
        message = self.said(referral=referral)
        assert message.text == "Still there?\n(came from this ad: Red bicycle – Only today)"
        assert (message.route["referral"], message.route["referral_id"], message.route["ctwa_clid"]) == (
            "ad",
            "7",
            "c-1",
        )

    def test_an_advertisement_in_a_status_lacks_most_of_it(self) -> None:
        message = self.said(referral={"source_type": "ad"})
        assert message.text.startswith("Still there?\n")
        assert "ctwa_clid" not in message.route

    def test_a_product_that_was_asked_about_is_named(self) -> None:
        product = {"catalog_id": "1", "product_retailer_id": "SKU-9"}
        assert self.said(context={"referred_product": product}).text == "Still there?\n(about the product SKU-9)"

    def test_a_forwarded_message_quotes_nothing(self) -> None:
        assert self.said(context={"frequently_forwarded": True}).quoted == ""
