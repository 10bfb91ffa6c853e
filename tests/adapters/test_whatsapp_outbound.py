"""What we send to the Graph API, and what we make of its answers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.http import MaybeSent, NotSent
from adapters.values import Action, ConversationId, Delivered, Part, Promise, Refused, Reply, Unknown
from adapters.whatsapp import WhatsApp
from adapters.whatsapp.numbers import other_form
from tests.adapters.whatsapp_kit import ANA, NUMBER, PHONE, TOKEN, WABA, WhatsAppKit, graph_error, number_answer
from tests.contracts.channel_kit import NOWHERE
from tests.fakes import Answer, Call, RecordingServer, html_answer, json_answer

KEY = "0123456789abcdef" * 2


def reply(**route: str) -> Reply:
    conversation = ConversationId(channel="shop", account=NUMBER, peer=ANA)
    return Reply(key=KEY, conversation=conversation, parts=(Part(text="Sí 你好"), Part(text="two")), route=route)


def templated(text: str, *further: Part) -> Reply:
    first = Part(text=text, template="reminder_1")
    return replace(reply(to=PHONE, message_id="wamid.1"), parts=(first, *further))


class TestRequests(WhatsAppKit):
    def sent(self, server: RecordingServer, given: Reply, index: int = 0, **settings: Any) -> Call:
        assert isinstance(self.channel(server.url, **settings).send(given, index), Delivered)
        return server.calls[-1]

    def test_a_text_goes_to_the_phone_number(self, server: RecordingServer) -> None:
        call = self.sent(server, reply(to=PHONE, recipient=ANA, message_id="wamid.1"))
        assert (call.method, call.path) == ("POST", f"/v26.0/{NUMBER}/messages")
        assert call.headers["authorization"] == f"Bearer {TOKEN}"
        assert call.headers["content-type"] == "application/json"
        assert call.json == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": f"+{PHONE}",
            "type": "text",
            "text": {"body": "Sí 你好"},
            "biz_opaque_callback_data": KEY,
        }

    def test_chinese_is_sent_as_utf8_and_not_escaped(self, server: RecordingServer) -> None:
        assert "你好".encode() in self.sent(server, reply(to=PHONE)).body

    def test_a_customer_without_a_phone_number_is_reached_by_user_id(self, server: RecordingServer) -> None:
        body = self.sent(server, reply(recipient=ANA)).json
        assert body["recipient"] == ANA
        assert "to" not in body

    def test_each_part_carries_its_own_key(self, server: RecordingServer) -> None:
        assert self.sent(server, reply(to=PHONE), 1).json["biz_opaque_callback_data"] == f"{KEY}.1"

    def test_a_reply_quotes_the_message_only_if_it_is_set(self, server: RecordingServer) -> None:
        given = reply(to=PHONE, message_id="wamid.1")
        assert "context" not in self.sent(server, given).json
        assert self.sent(server, given, reply_context=True).json["context"] == {"message_id": "wamid.1"}

    def test_a_part_with_a_template_fills_its_one_variable(self, server: RecordingServer) -> None:
        given = templated("Hi!\n\nYour order\t4471     is\u2028here 你好 ")
        call = self.sent(server, given, reply_context=True, reminder_template_language="zh_CN")
        assert call.json == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": f"+{PHONE}",
            "type": "template",
            "template": {
                "name": "reminder_1",
                "language": {"code": "zh_CN"},
                "components": [
                    {
                        "type": "body",
                        "parameters": [{"type": "text", "text": "Hi! Your order 4471 is here 你好"}],
                    }
                ],
            },
            "biz_opaque_callback_data": KEY,
        }

    def test_only_the_part_that_names_a_template_is_one(self, server: RecordingServer) -> None:
        given = templated("one", Part(text="two"))
        assert [self.sent(server, given, index).json["type"] for index in (0, 1)] == ["template", "text"]

    def test_the_template_for_reminders_is_a_setting(self) -> None:
        assert self.channel().reminder_template == ""
        assert self.channel(reminder_template="reminder_1").reminder_template == "reminder_1"

    def test_the_api_version_is_a_setting(self, server: RecordingServer) -> None:
        assert self.sent(server, reply(to=PHONE), api_version="v27.0").path.startswith("/v27.0/")

    def test_the_delivery_is_known_by_its_wamid(self, server: RecordingServer) -> None:
        assert self.channel(server.url).send(reply(to=PHONE), 0) == Delivered(platform_id="wamid.sent")

    def test_an_error_of_null_is_none(self, server: RecordingServer) -> None:
        server.faults.append(json_answer({"error": None, "messages": [{"id": "wamid.1"}]}))
        assert self.channel(server.url).send(reply(to=PHONE), 0) == Delivered(platform_id="wamid.1")

    def test_reading_a_webhook_calls_nobody(self, server: RecordingServer) -> None:
        self.message(self.channel(server.url), self.text_webhook())
        assert server.calls == []


class TestOutcomes(WhatsAppKit):
    def come_to(self, server: RecordingServer, *answers: Answer, to: str = PHONE) -> Any:
        server.faults.extend(answers)
        return self.channel(server.url).send(reply(to=to, recipient=ANA), 0)

    def test_an_unknown_end_can_be_observed(self) -> None:
        assert WhatsApp.promise is Promise.OBSERVABLE

    @pytest.mark.parametrize(
        ("code", "action"),
        [
            (0, Action.TOKEN),
            (190, Action.TOKEN),
            (10, Action.ALERT),
            (250, Action.ALERT),
            (131005, Action.ALERT),
            (2, Action.RETRY),
            (130429, Action.RETRY),
            (131056, Action.RETRY),
            (131000, Action.RETRY),
            (100, Action.GIVE_UP),
            (131026, Action.GIVE_UP),
            (131031, Action.ALERT),
            (131042, Action.ALERT),
            (131047, Action.WINDOW),
            (132000, Action.GIVE_UP),
            (132001, Action.ALERT),
            (132012, Action.GIVE_UP),
            (132015, Action.ALERT),
            (132018, Action.GIVE_UP),
        ],
    )
    def test_the_code_decides(self, server: RecordingServer, code: int, action: Action) -> None:
        for status in (400, 401, 403, 429, 500, 503, 200):
            outcome = self.come_to(server, graph_error(code, status=status))
            assert isinstance(outcome, Refused)
            assert (outcome.code, outcome.action) == (str(code), action)

    def test_a_code_may_come_as_text(self, server: RecordingServer) -> None:
        outcome = self.come_to(server, json_answer({"error": {"code": "131056"}}, status=400))
        assert isinstance(outcome, Refused)
        assert outcome.action is Action.RETRY

    def test_the_burst_to_one_customer_waits_for_the_pair_rate(self, server: RecordingServer) -> None:
        outcome = self.come_to(server, graph_error(131056))
        assert isinstance(outcome, Refused)
        assert outcome.retry_after == timedelta(seconds=1)

    def test_the_platforms_own_wait_goes_before_ours(self, server: RecordingServer) -> None:
        outcome = self.come_to(server, graph_error(131056, headers={"Retry-After": "40"}))
        assert isinstance(outcome, Refused)
        assert outcome.retry_after == timedelta(seconds=40)

    def test_a_refusal_carries_the_trace_that_metas_support_asks_for(self, server: RecordingServer) -> None:
        outcome = self.come_to(server, graph_error(131031))
        assert isinstance(outcome, Refused)
        assert "fbtrace_id AbC-123" in outcome.reason

    def test_an_undocumented_code_of_a_broken_server_is_tried_again(self, server: RecordingServer) -> None:
        outcome = self.come_to(server, graph_error(987654, status=500))
        assert isinstance(outcome, Refused)
        assert outcome.action is Action.RETRY

    @pytest.mark.parametrize("error", [None, "x", [], {}, {"code": None}, {"code": [1]}, {"code": True}])
    def test_an_error_without_a_readable_code_is_judged_by_its_status(
        self, server: RecordingServer, error: object
    ) -> None:
        assert isinstance(self.come_to(server, json_answer({"error": error}, status=500)), Unknown)
        outcome = self.come_to(server, json_answer({"error": error}, status=404))
        assert isinstance(outcome, Refused)
        assert outcome.action is Action.ALERT

    def test_a_wrong_address_tells_the_operator_so(self, server: RecordingServer) -> None:
        outcome = self.come_to(server, html_answer(404))
        assert isinstance(outcome, Refused)
        assert outcome.action is Action.ALERT
        assert "api_base" in outcome.reason


class TestNumbers(WhatsAppKit):
    @pytest.mark.parametrize(
        ("given", "other"),
        [
            ("5215555550147", "525555550147"),
            ("525555550147", "5215555550147"),
            ("5491123456789", "541123456789"),
            ("541123456789", "5491123456789"),
            ("5511987654321", "551187654321"),
            ("551187654321", "5511987654321"),
            ("447700900123", None),
            ("", None),
            ("52155555501", None),
            ("GB.1", None),
        ],
    )
    def test_three_countries_have_a_second_form(self, given: str, other: str | None) -> None:
        assert other_form(given) == other

    @pytest.mark.parametrize("code", [131026, 131030])
    def test_the_other_form_is_tried_once(self, server: RecordingServer, code: int) -> None:
        server.faults.append(graph_error(code))
        outcome = self.channel(server.url).send(reply(to="5215555550147"), 0)
        assert isinstance(outcome, Delivered)
        assert [call.json["to"] for call in server.calls] == ["+5215555550147", "+525555550147"]

    def test_both_forms_unknown_is_the_first_refusal(self, server: RecordingServer) -> None:
        server.faults.extend([graph_error(131026), graph_error(131030)])
        outcome = self.channel(server.url).send(reply(to="5215555550147"), 0)
        assert isinstance(outcome, Refused)
        assert (outcome.code, len(server.calls)) == ("131026", 2)

    def test_no_other_fault_tries_the_other_form(self, server: RecordingServer) -> None:
        for fault in (graph_error(131047), html_answer(500), Answer(cut=True)):
            server.faults.append(fault)
            self.channel(server.url).send(reply(to="5215555550147"), 0)
        assert len(server.calls) == 3

    def test_an_unknown_end_of_the_second_try_is_not_hidden(self, server: RecordingServer) -> None:
        server.faults.extend([graph_error(131026), Answer(cut=True)])
        assert isinstance(self.channel(server.url).send(reply(to="5215555550147"), 0), Unknown)


class TestTyping(WhatsAppKit):
    def test_a_started_turn_marks_read_and_shows_typing_in_one_call(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        channel.turn_started(self.message(channel, self.text_webhook(message_id="7")))
        (call,) = server.calls
        assert call.json == {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": "wamid.7",
            "typing_indicator": {"type": "text"},
        }

    @pytest.mark.parametrize(("repeats", "calls"), [(False, 0), (True, 1)])
    def test_typing_is_shown_again_only_if_the_operator_says_so(
        self, server: RecordingServer, repeats: bool, calls: int
    ) -> None:
        channel = self.channel(server.url, repeat_typing=repeats)
        channel.still_writing(self.message(channel, self.text_webhook(message_id="7")))
        assert len(server.calls) == calls

    def test_a_failure_is_only_what_the_caller_counts(self) -> None:
        channel = self.channel(NOWHERE)
        with pytest.raises(NotSent):
            channel.turn_started(self.message(channel, self.text_webhook()))

    def test_a_refusal_is_only_what_the_caller_counts(self, server: RecordingServer) -> None:
        channel = self.channel(server.url, access_token="expired")
        with pytest.raises(MaybeSent):
            channel.turn_started(self.message(channel, self.text_webhook()))
        assert len(server.calls) == 1


class TestCheck(WhatsAppKit):
    def steps(self, answer: Answer, subscribed: Answer | None = None, **settings: Any) -> str:
        """The next steps that are told when the number's answer is *answer*."""
        apps = subscribed or json_answer({"data": [{}]})
        with RecordingServer(lambda call: apps if call.path.endswith("subscribed_apps") else answer) as server:
            findings = self.channel(server.url, **settings).check()
        assert all(bool(finding.next_step) is not finding.ok for finding in findings)
        return "\n".join(finding.next_step for finding in findings if not finding.ok)

    @pytest.mark.parametrize(
        ("code", "step"),
        [
            (190, "permanent token"),
            (0, "permanent token"),
            (10, "whatsapp_business_messaging"),
            (200, "whatsapp_business_messaging"),
            (33, "phone_number_id"),
            (100, "phone_number_id"),
            (2500, "api_version"),
            (4, "rate limits"),
            (987654, "error codes"),
        ],
    )
    def test_each_fault_names_the_next_step(self, code: int, step: str) -> None:
        assert step in self.steps(graph_error(code))

    def test_an_answer_that_is_not_metas_names_the_address(self) -> None:
        assert "api_base" in self.steps(html_answer(404))
        assert "api_base" in self.steps(Answer(body=b"[]"))

    def test_a_blocked_number_is_found(self) -> None:
        assert "health status" in self.steps(json_answer(number_answer("BLOCKED")))

    def test_an_app_that_is_not_subscribed_is_found(self) -> None:
        steps = self.steps(json_answer(number_answer()), json_answer({"data": []}))
        assert f"POST /{WABA}/subscribed_apps" in steps

    def test_a_token_that_may_not_see_the_subscription_is_told(self) -> None:
        assert "whatsapp_business_management" in self.steps(json_answer(number_answer()), graph_error(200))

    def test_a_missing_verify_token_is_told(self) -> None:
        assert "verify_token" in self.steps(json_answer(number_answer()), verify_token="")

    def test_the_token_is_never_part_of_a_finding(self, server: RecordingServer) -> None:
        findings = [*self.channel(server.url).check(), *self.channel(NOWHERE).check()]
        assert TOKEN not in repr(findings)


class TestSettings(WhatsAppKit):
    @pytest.mark.parametrize(
        "wrong",
        [
            {"phone_number_id": ""},
            {"phone_number_id": "1/../2"},
            {"access_token": ""},
            {"access_token": "EAA token"},
            {"access_token": "EAA\nX-Injected: 1"},
            {"access_token": "在此填写"},
            {"app_secret": ""},
            {"api_version": "26.0"},
            {"api_version": "v26.0/x"},
            {"api_base": "graph.facebook.com"},
            {"api_base": "https://h?x="},
            {"platform": "wecom"},
            {"reminder_template": "Reminder"},
            {"reminder_template": "reminder-1"},
            {"reminder_template": "x" * 513},
            {"reminder_template": "x\n"},
            {"reminder_template_language": ""},
            {"reminder_template_language": "en-US"},
        ],
    )
    def test_a_wrong_setting_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            self.channel(**wrong)

    def test_meta_is_the_default(self) -> None:
        settings = WhatsApp.settings_type(**self.settings)
        assert settings.model_dump()["api_base"] == "https://graph.facebook.com"

    def test_the_previous_verify_token_opens_too(self) -> None:
        channel = self.channel(verify_token="new", verify_token_previous="vt-1")
        query = {"hub.mode": "subscribe", "hub.challenge": "7", "hub.verify_token": "vt-1"}
        request = replace(self.text_webhook(), method="GET", query=query, headers={}, body=b"")
        channel.verify(request)
        assert channel.answer(request, ()).body == b"7"
