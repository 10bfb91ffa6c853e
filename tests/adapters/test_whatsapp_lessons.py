"""Faults of other bots (sheet §8), each with the rule that keeps it out of this one. Where the rule belongs to the
engine (acknowledging after the store, one turn at a time), the engine's tests hold it."""

import hmac
import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.errors import MediaLost, Unverified
from adapters.values import (
    Action,
    Control,
    ControlEvent,
    ConversationId,
    Delivered,
    DeliveryState,
    Media,
    Message,
    Part,
    Promise,
    Refused,
    Reply,
    StatusUpdate,
    Unknown,
)
from adapters.whatsapp import WhatsApp
from tests.adapters.whatsapp_kit import (
    ANA,
    NUMBER,
    PHONE,
    SECRET,
    VERIFY,
    WABA,
    WhatsAppKit,
    envelope,
    graph_error,
    item,
    number_answer,
    post,
    signature,
    text_item,
)
from tests.fakes import Answer, Call, RecordingServer, json_answer

BLOCKED = {"health_status": {"can_send_message": "BLOCKED", "entities": [{"errors": [{"error_code": 141006}]}]}}


def status(state: str, **fields: Any) -> dict[str, Any]:
    return {"id": "wamid.out", "status": state, "timestamp": "1795132801", "recipient_id": PHONE} | fields


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


class TestTheWebhook(WhatsAppKit):
    def test_a_webhook_is_read_without_a_call_to_anybody(self, server: RecordingServer) -> None:
        """The model's answer inside the webhook made Meta deliver again, and the bot answer again."""
        channel = self.channel(server.url)
        self.message(channel, self.text_webhook())
        assert server.calls == []

    def test_each_message_has_a_key_of_its_own_and_not_each_update(self) -> None:
        """A hash of the whole update let a message through a second time, in other company."""
        (alone,) = self.events(envelope({"messages": [text_item(message_id="wamid.A=")]}))
        batch = self.events(
            envelope({"messages": [text_item(message_id="wamid.B="), text_item(message_id="wamid.A=")]})
        )
        assert isinstance(alone, Message)
        assert [each.key == alone.key for each in batch if isinstance(each, Message)] == [False, True]

    def test_keys_are_kept_longer_than_meta_retries(self) -> None:
        assert WhatsApp.dedupe_horizon.days == 8

    @pytest.mark.parametrize("state", [*DeliveryState])
    def test_a_status_is_never_answered(self, state: str) -> None:
        """Bots answered their own receipts, or died of `messages[0]`."""
        (event,) = self.events(envelope({"contacts": [{"wa_id": PHONE}], "statuses": [status(state)]}))
        assert isinstance(event, StatusUpdate)

    def test_all_of_a_batch_is_read_and_one_bad_item_stops_no_other(self) -> None:
        """A `return` inside the loop lost everything after the first."""
        body = envelope(
            {"messages": [text_item("1", message_id="a"), {"type": "text"}, text_item("2", message_id="b")]},
            {"statuses": [status("read")], "messages": [text_item("3", message_id="c")]},
        )
        body["entry"] *= 2
        events = self.events(body)
        assert [each.text for each in events if isinstance(each, Message)] == ["1", "2", "3"] * 2
        assert len([each for each in events if isinstance(each, StatusUpdate)]) == 2

    def test_statuses_are_handed_on_in_any_order_with_their_rank(self) -> None:
        """A late `sent` turned `read` back. The store goes by the rank; nothing here sorts or drops."""
        told = self.events(envelope({"statuses": [status("read"), status("sent"), status("played")]}))
        assert [each.state for each in told if isinstance(each, StatusUpdate)] == ["read", "sent", "played"]

    def test_the_signature_is_that_of_the_bytes_as_received(self) -> None:
        channel = self.channel()
        body = rb'{"object":"whatsapp_business_account","entry":[],"x":"\u00e9 \/ \u0040 \u0025 \u003C"}'
        channel.verify(post(body))
        with pytest.raises(Unverified):
            channel.verify(post(body, signature(encoded(json.loads(body)))))

    def test_the_old_sha1_header_opens_nothing(self) -> None:
        request = self.text_webhook()
        sha1 = hmac.new(SECRET.encode(), request.body, "sha1").hexdigest()
        with pytest.raises(Unverified):
            self.channel().verify(replace(request, headers={"x-hub-signature": f"sha1={sha1}"}))
        with pytest.raises(Unverified):
            self.channel().verify(post(request.body, f"sha1={sha1}"))

    @pytest.mark.parametrize("wrong", [VERIFY, "", "test-app-secre"])
    def test_the_app_secret_signs_and_nothing_else(self, wrong: str) -> None:
        """The verify token was taken for the secret."""
        request = self.text_webhook()
        with pytest.raises(Unverified):
            self.channel().verify(post(request.body, signature(request.body, wrong)))
        self.channel().verify(post(request.body, signature(request.body, SECRET)))

    @pytest.mark.parametrize(
        "body",
        [
            envelope({}, field="holograms"),
            {"object": "page", "entry": [{"id": "1", "messaging": []}]},
            envelope({"messages": [item("hologram", hologram={})]}),
            {"object": "whatsapp_business_account"},
        ],
    )
    def test_what_is_unknown_is_answered_with_200(self, body: dict[str, Any]) -> None:
        """A 4xx brings it back for seven days."""
        channel, request = self.channel(), post(encoded(body))
        channel.verify(request)
        assert channel.answer(request, channel.parse(request)).status == 200

    def test_an_unknown_number_of_the_same_app_is_answered_with_200(self) -> None:
        channel = self.channel(phone_number_id="other")
        request = self.text_webhook()
        channel.verify(request)
        (event,) = channel.parse(request)
        assert isinstance(event, ControlEvent)
        assert (event.what, channel.answer(request, [event]).status) == ("unknown_account", 200)


class TestWhatCustomersSend(WhatsAppKit):
    def test_a_failed_status_is_told_with_its_code_and_the_next_step(self) -> None:
        """It was ignored, and operators took the message for delivered."""
        failed = status("failed", errors=[{"code": 131026, "title": "Message undeliverable"}])
        (event,) = self.events(envelope({"statuses": [failed]}))
        assert isinstance(event, StatusUpdate)
        assert event.state is DeliveryState.FAILED
        assert event.error.startswith("131026: ")
        assert "another way" in event.error

    @pytest.mark.parametrize("people", [[{"wa_id": PHONE}], [{"profile": None}], [{}], None, []])
    def test_a_contact_without_a_profile_is_no_crash(self, people: Any) -> None:
        (event,) = self.events(envelope({"contacts": people, "messages": [text_item()]}))
        assert isinstance(event, Message)
        assert event.sender_name == ""

    def test_a_message_that_could_not_be_passed_on_is_shown(self) -> None:
        """131060 placeholders were dropped, and with them the customers of an advertisement."""
        event = self.control(envelope({"messages": [item("unsupported", errors=[{"code": 131060}])]}))
        assert (event.what, event.detail["code"]) == ("unsupported_message", "131060")
        assert event.conversation is not None
        assert event.conversation.peer == ANA

    def test_a_user_id_is_opaque_and_never_cleaned_to_digits(self) -> None:
        (event,) = self.events(envelope({"messages": [text_item(from_user_id="GB.ENT.4a8B7")]}))
        assert isinstance(event, Message)
        assert event.conversation.peer == "GB.ENT.4a8B7"

    def test_a_message_without_a_phone_number_is_answered(self) -> None:
        """A KeyError on `from`."""
        said = text_item()
        del said["from"]
        (event,) = self.events(envelope({"messages": [said]}))
        assert isinstance(event, Message)
        assert event.route["recipient"] == ANA

    def test_standby_copies_are_found_where_they_are_and_never_answered(self) -> None:
        """They were missed below `value.messages`; or answered, which seizes the conversation."""
        copies = {"messages": [text_item()], "statuses": [status("read")]}
        events = self.events(envelope({"standby": copies}, field="standby"))
        assert len(events) == 2
        assert all(isinstance(each, ControlEvent) for each in events)

    def test_what_staff_write_on_the_phone_silences_the_bot(self) -> None:
        echo = {"id": "w", "from": "15550100200", "to": PHONE, "to_user_id": ANA, "type": "text"}
        event = self.control(envelope({"message_echoes": [echo]}, field="smb_message_echoes"))
        assert event.what == Control.HUMAN_TOOK_OVER
        assert event.conversation is not None
        assert event.conversation.peer == ANA

    def test_a_handover_to_a_human_silences_the_bot(self) -> None:
        taken = {"type": "control_taken", "control_taken": {"new_owner_role": "escalation"}}
        value = {"sender": {"phone_number": PHONE}, **taken}
        assert self.control(envelope(value, field="messaging_handovers")).what == Control.HUMAN_TOOK_OVER


class TestSending(WhatsAppKit):
    def reply(self, to: str = PHONE, text: str = "hi") -> Reply:  # type: ignore[override]
        conversation = ConversationId(channel="shop", account=NUMBER, peer=to)
        return Reply(key="k" * 32, conversation=conversation, parts=(Part(text=text),), route={"to": to})

    @pytest.mark.parametrize(
        ("given", "other"),
        [
            ("5215555550147", "525555550147"),
            ("5491123456789", "541123456789"),
            ("551187654321", "5511987654321"),
        ],
    )
    def test_a_number_with_two_forms_is_tried_in_the_other_once_and_remembered(
        self, server: RecordingServer, given: str, other: str
    ) -> None:
        server.faults.append(graph_error(131030))
        channel = self.channel(server.url)
        assert isinstance(channel.send(self.reply(given), 0), Delivered)
        assert isinstance(channel.send(self.reply(given), 0), Delivered)
        assert [call.json["to"] for call in server.calls] == [f"+{given}", f"+{other}", f"+{other}"]

    def test_the_form_that_the_platform_answers_with_is_used_from_then_on(self, server: RecordingServer) -> None:
        sent = {"contacts": [{"input": "+525555550147", "wa_id": "5215555550147"}], "messages": [{"id": "w"}]}
        server.faults.append(json_answer(sent))
        channel = self.channel(server.url)
        for _ in range(2):
            assert isinstance(channel.send(self.reply("525555550147"), 0), Delivered)
        assert [call.json["to"] for call in server.calls] == ["+525555550147", "+5215555550147"]

    @pytest.mark.parametrize("wa_id", ["447700900999", "", 7, "GB.1"])
    def test_a_number_of_somebody_else_is_not_believed(self, server: RecordingServer, wa_id: Any) -> None:
        server.faults.append(json_answer({"contacts": [{"wa_id": wa_id}], "messages": [{"id": "w"}]}))
        channel = self.channel(server.url)
        for _ in range(2):
            channel.send(self.reply("525555550147"), 0)
        assert {call.json["to"] for call in server.calls} == {"+525555550147"}

    def test_a_form_that_stopped_working_is_given_up_again(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        for _ in range(2):
            server.faults.append(graph_error(131026))
            assert isinstance(channel.send(self.reply("525555550147"), 0), Delivered)
        channel.send(self.reply("525555550147"), 0)
        tried = [call.json["to"] for call in server.calls]
        assert tried == [f"+{each}" for each in ("525555550147", *["5215555550147"] * 2, *["525555550147"] * 2)]

    def test_customers_are_told_apart_by_user_id_and_not_by_the_number_as_typed(self) -> None:
        peers = set()
        for number in ("5511987654321", "551187654321"):
            (event,) = self.events(envelope({"messages": [{**text_item(), "from": number}]}))
            assert isinstance(event, Message)
            peers.add(event.conversation.peer)
        assert peers == {ANA}

    def test_a_send_that_may_have_arrived_is_not_repeated_blindly(self, server: RecordingServer) -> None:
        """A retry after a timeout wrote twice. The status that carries our key decides."""
        server.faults.append(Answer(cut=True))
        assert isinstance(self.channel(server.url).send(self.reply(), 0), Unknown)
        assert len(server.calls) == 1
        assert server.calls[0].json["biz_opaque_callback_data"] == "k" * 32
        assert WhatsApp.promise is Promise.OBSERVABLE
        (update,) = self.events(envelope({"statuses": [status("sent", biz_opaque_callback_data="k" * 32)]}))
        assert isinstance(update, StatusUpdate)
        assert update.reply_key == "k" * 32

    def test_a_burst_to_one_customer_is_held_back_for_that_customer_alone(self, server: RecordingServer) -> None:
        server.faults.extend([graph_error(131056)] * 2)
        channel = self.channel(server.url)
        waits = [channel.send(self.reply(), 0) for _ in range(2)]
        assert [
            each.retry_after.total_seconds() for each in waits if isinstance(each, Refused) and each.retry_after
        ] == [
            1,
            4,
        ]
        assert isinstance(channel.send(self.reply("447700900999"), 0), Delivered)

    def test_nothing_is_tried_again_inside_one_send(self, server: RecordingServer) -> None:
        for code in (131000, 2, 190, 131047):
            server.faults.append(graph_error(code))
            assert isinstance(self.channel(server.url).send(self.reply(), 0), Refused)
        assert len(server.calls) == 4

    def test_a_closed_window_is_no_plain_retry(self, server: RecordingServer) -> None:
        server.faults.append(graph_error(131047))
        outcome = self.channel(server.url).send(self.reply(), 0)
        assert isinstance(outcome, Refused)
        assert (outcome.action, outcome.permanent) == (Action.WINDOW, True)


class TestMedia(WhatsAppKit):
    def fetched(self, second: Answer) -> bytes:
        def platform(call: Call) -> Answer:
            return second if call.path == "/file" else json_answer({"url": f"{server.url}/file", "id": "7"})

        with RecordingServer(platform) as server:
            channel = self.channel(server.url)
            message = self.message(channel, self.text_webhook())
            return channel.fetch(Media(kind="image", id="7", mime="image/jpeg"), message).content

    def test_the_json_of_the_first_step_is_never_saved_as_the_file(self) -> None:
        with pytest.raises(MediaLost):
            self.fetched(json_answer({"url": "https://lookaside.fbsbx.com/x", "mime_type": "image/jpeg"}))

    def test_the_bytes_of_the_second_step_are_the_file(self) -> None:
        assert self.fetched(Answer(body=b"\xff\xd8\xff\xe0pixels")) == b"\xff\xd8\xff\xe0pixels"


class TestTheConfiguration(WhatsAppKit):
    def failing(self, answers: dict[str, Answer], **settings: Any) -> str:
        def platform(call: Call) -> Answer:
            return answers.get(call.path.rpartition("/")[2], json_answer(number_answer()))

        with RecordingServer(platform) as server:
            findings = self.channel(server.url, **settings).check()
        return "\n".join(f"{each.what}: {each.next_step}" for each in findings if not each.ok)

    def test_a_token_of_the_dashboard_is_noticed_before_it_ends(self) -> None:
        """It lives a day, and stopped a shop on its second."""
        tomorrow = int(self.now.timestamp()) + 86_400
        told = {"is_valid": True, "expires_at": tomorrow, "scopes": ["whatsapp_business_messaging"], "app_id": "7"}
        steps = self.failing({"debug_token": json_answer({"data": told}), "subscribed_apps": _apps("7")})
        assert steps.startswith("token kind: the token ends on 2026-11-21 12:00 UTC: put a system user's permanent")

    def test_an_app_that_is_not_subscribed_is_noticed(self) -> None:
        """The dashboard's tests arrive, and no customer's message does."""
        told = {"is_valid": True, "expires_at": 0, "scopes": ["whatsapp_business_messaging"], "app_id": "7"}
        for apps in (_apps(), _apps("8")):
            steps = self.failing(
                {"debug_token": json_answer({"data": told}), "subscribed_apps": apps}, waba_id="99"
            )
            assert steps == "webhook subscription: subscribe the app: POST /99/subscribed_apps with this token"

    def test_a_token_without_the_permission_is_noticed(self) -> None:
        told = {"is_valid": True, "expires_at": 0, "scopes": ["email"], "app_id": "7"}
        steps = self.failing({"debug_token": json_answer({"data": told}), "subscribed_apps": _apps("7")})
        assert "whatsapp_business_messaging" in steps

    def test_an_app_secret_of_another_app_is_noticed(self) -> None:
        """No webhook would be verified, and the dashboard says nothing."""
        wrong = json_answer({"error": {"code": 100, "message": "Invalid appsecret_proof provided"}}, status=400)

        def platform(call: Call) -> Answer:
            if call.path.endswith("subscribed_apps"):
                return _apps("7")
            return wrong if "appsecret_proof" in call.query else json_answer(number_answer())

        with RecordingServer(platform) as server:
            [missed] = [each for each in self.channel(server.url).check() if not each.ok]
        assert "app_secret" in missed.next_step

    @pytest.mark.parametrize(
        ("fields", "settings", "step"),
        [
            ({"quality_rating": "RED"}, {}, "quality"),
            ({"throughput": {"level": "STANDARD"}}, {"throughput": 1000}, "throughput to 80"),
            (BLOCKED, {}, "141006"),
        ],
    )
    def test_the_state_of_the_number_is_told(
        self, fields: dict[str, Any], settings: dict[str, Any], step: str
    ) -> None:
        answer = json_answer(number_answer() | fields)
        assert step in self.failing({NUMBER: answer, "subscribed_apps": _apps("7")}, **settings)

    @pytest.mark.parametrize(
        ("listed", "step"),
        [
            ([], "missing"),
            ([{"name": "reminder_1", "language": "en", "status": "PAUSED"}], "paused"),
            ([{"name": "reminder_1", "language": "de", "status": "APPROVED"}], "missing"),
            ([{"name": "reminder_1", "language": "en", "status": "APPROVED"}], ""),
        ],
    )
    def test_a_template_that_is_not_approved_is_noticed(self, listed: list[dict[str, str]], step: str) -> None:
        answers = {"subscribed_apps": _apps("7"), "message_templates": json_answer({"data": listed})}
        steps = self.failing(answers, reminder_template="reminder_1")
        assert step in steps
        assert bool(steps) is bool(step)

    def test_the_account_is_known_from_the_number_or_from_the_settings(self) -> None:
        assert f"/{WABA}/" in self.failing({"subscribed_apps": _apps()})
        assert "/99/" in self.failing({"subscribed_apps": _apps()}, waba_id="99")


def _apps(*ids: str) -> Answer:
    return json_answer({"data": [{"whatsapp_business_api_data": {"id": each}} for each in ids]})
