"""The published vectors: exact bytes in, events out; signatures, odd bodies and the URL check too."""

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from adapters.errors import Malformed, Unverified
from adapters.values import Control, ControlEvent, Event, Message, Request, StatusUpdate
from tests.adapters.whatsapp_kit import INDEX, VECTORS, WhatsAppKit, post

# Their items are noted (ControlEvent) or passed over, but never answered.
NEVER_ANSWERED = {"reaction", "system", "unsupported", "hologram"}


def body(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def named(case: dict[str, Any]) -> str:
    return str(case.get("file") or case.get("case") or case["query"])


def check_message(event: Event, expected: dict[str, Any], own: bool) -> None:
    silent = expected["type"] in NEVER_ANSWERED or "group_id" in expected or "error_code" in expected
    if silent or not own:
        assert isinstance(event, ControlEvent)
        assert event.detail.get("code", "") == str(expected.get("error_code", ""))
        if own and "group_id" not in expected:
            assert event.conversation is not None
            assert event.conversation.peer == expected["user_key"]
        return
    assert isinstance(event, Message)
    assert (event.id, event.kind, event.sender) == (expected["id"], expected["type"], expected["user_key"])
    assert (event.conversation.account, event.conversation.peer) == (
        expected["phone_number_id"],
        expected["user_key"],
    )
    assert event.route.get("to") == expected["wa_id"]
    assert event.sender_name == expected.get("name", event.sender_name)
    assert event.quoted == (expected.get("reply_to") or "")
    check_content(event, expected)


def check_content(event: Message, expected: dict[str, Any]) -> None:
    lines = event.text.split("\n")
    if "text" in expected:
        assert lines[0] == (expected["text"] or "")
    assert len(lines) == expected.get("cards", len(lines))
    assert len(lines) == 1 + expected.get("items", len(lines) - 1)
    for name, value in expected.get("flow", {}).items():
        assert (f"{name}: {value}" in lines) is (name != "flow_token")
    if "media_id" in expected:
        (media,) = event.media
        assert (media.id, media.mime, media.kind) == (expected["media_id"], expected["mime"], expected["type"])
        assert media.filename == expected.get("filename", "")


def check(event: Event, expected: dict[str, Any], own: bool) -> None:
    match expected["event"]:
        case "message":
            check_message(event, expected, own)
        case "status":
            assert isinstance(event, StatusUpdate)
            assert (event.platform_id, event.state) == (expected["id"], expected["status"])
            assert event.reply_key == expected.get("callback_data", event.reply_key)
            assert event.error.startswith(str(expected.get("error_code", "")))
        case "error":
            assert isinstance(event, ControlEvent)
            assert (event.what, event.detail["code"]) == ("platform_error", str(expected["code"]))
        case "account":
            assert isinstance(event, ControlEvent)
            assert event.what in (expected["field"], Control.ACCOUNT_BLOCKED, Control.ACCOUNT_RESTORED)
        case "ignored":
            assert isinstance(event, ControlEvent)
            assert event.what.startswith(expected["field"])


class TestVectors(WhatsAppKit):
    @pytest.mark.parametrize("vector", INDEX["vectors"], ids=named)
    def test_a_vector_gives_the_expected_events(self, vector: dict[str, Any]) -> None:
        channel = self.channel()
        request = post(body(vector["file"]), vector["signature"])
        channel.verify(request)
        events = channel.parse(request)
        assert len(events) == len(vector["expect"])
        for event, expected in zip(events, vector["expect"], strict=True):
            check(event, expected, expected.get("phone_number_id", channel.account) == channel.account)
        assert channel.answer(request, events).status == 200

    @pytest.mark.parametrize("vector", INDEX["vectors"], ids=named)
    def test_the_signature_of_a_reencoded_body_does_not_fit(self, vector: dict[str, Any]) -> None:
        with pytest.raises(Unverified):
            self.channel().verify(post(body(vector["file"]), vector["signature_of_reserialised"]))

    @pytest.mark.parametrize("case", INDEX["negative"], ids=named)
    def test_a_negative_case_is_refused(self, case: dict[str, Any]) -> None:
        request = post(body(case["file"]) + case.get("append", "").encode(), case["header"] or "")
        with pytest.raises(Unverified) as caught:
            self.channel().verify(request)
        assert caught.value.status in case["expect_status"]

    @pytest.mark.parametrize("case", INDEX["body_edge_cases"], ids=named)
    def test_an_edge_case_of_the_body_is_answered_as_said(self, case: dict[str, Any]) -> None:
        channel = self.channel()
        request = post(case["body"].encode(), case["signature"])
        channel.verify(request)
        try:
            status = channel.answer(request, channel.parse(request)).status
        except Malformed:
            status = 400
        assert status in case["expect_status"]

    @pytest.mark.parametrize("case", INDEX["verification_get"], ids=named)
    def test_the_url_check_is_answered_as_said(self, case: dict[str, Any]) -> None:
        channel = self.channel(verify_token=case["verify_token"])
        query = dict(parse_qsl(case["query"], keep_blank_values=True))
        request = Request(method="GET", path="/", query=query, headers={}, body=b"", received_at=self.now)
        expected = case["expect_status"]
        if "expect_body" not in case:
            with pytest.raises(Unverified) as caught:
                channel.verify(request)
            assert caught.value.status in (expected if isinstance(expected, list) else [expected])
            return
        channel.verify(request)
        answer = channel.answer(request, channel.parse(request))
        assert (answer.status, answer.body.decode()) == (expected, case["expect_body"])
        assert answer.content_type.startswith("text/plain")

    def test_the_same_object_in_three_encodings_gives_the_same_events(self) -> None:
        names = ("02_text_unicode_escapes.json", "02b_text_unicode_utf8.json", "02c_text_unicode_indented.json")
        channel = self.channel()
        first, *others = (channel.parse(post(body(name))) for name in names)
        assert others == [first, first]
        assert len({json.dumps(json.loads(body(name))) for name in names}) == 1
