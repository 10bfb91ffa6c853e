"""The contract of the way in: what every channel does with what the internet sends it."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.channel import Channel
from adapters.errors import Malformed, Unverified
from adapters.values import ControlEvent, Message, Request, StatusUpdate
from tests.contracts.channel_kit import ChannelKit, fuzz

SECRET_WORDS = "my pin is 4471"
ABUSES = [
    *(
        b"",
        b" ",
        b"null",
        b"true",
        b"7",
        b'"x"',
        b"[]",
        b"{}",
        b"[{}]",
        b"not json",
        b"\xff\xfe\x00",
        b"{",
        b'{"a":',
    ),
    *(b'{"a": NaN}', b'{"a": Infinity}', b'{"a": "\\ud800"}', b'{"a": 1e999}', b'{"a": %s}' % (b"9" * 5000)),
    *(b"[" * 100_000, b'{"a":' * 50_000, b"<xml>", b"<xml></xml>", b"\0" * 64, b'{"a": "\\u0000"}'),
    b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Content>&b;</Content></xml>',
]
headers = st.dictionaries(st.sampled_from(["x-hub-signature-256", "timestamp", "sign", "x-signature"]), st.text())
queries = st.dictionaries(
    st.sampled_from(["msg_signature", "timestamp", "nonce", "echostr", "hub.mode"]), st.text()
)
methods = st.sampled_from(["GET", "POST", "PUT", "HEAD", ""])


def judged(channel: Channel[Any], request: Request) -> str:
    """What becomes of *request*; any exception but the two documented ones passes through and fails the test."""
    try:
        channel.verify(request)
    except Unverified:
        return "unverified"
    try:
        events = channel.parse(request)
    except Malformed:
        return "malformed"
    assert all(isinstance(event, Message | StatusUpdate | ControlEvent) for event in events)
    assert channel.answer(request, events).status in (200, 400, 403)
    return "parsed"


class InboundContract(ChannelKit):
    """Inherited by the test class of every channel."""

    def test_a_signed_text_is_one_message(self) -> None:
        message = self.message(self.channel(), self.text_webhook("你好 👩‍👩‍👧 <b>&amp;</b>", message_id="m-7"))
        assert message.text == "你好 👩‍👩‍👧 <b>&amp;</b>"
        assert message.kind == "text"
        assert message.media == ()

    def test_a_message_knows_its_conversation(self) -> None:
        channel = self.channel()
        message = self.message(channel, self.text_webhook())
        assert (message.conversation.channel, message.conversation.account) == (channel.name, channel.account)
        assert message.sender
        assert message.conversation.peer

    def test_a_message_is_dated_in_aware_time(self) -> None:
        sent_at = self.message(self.channel(), self.text_webhook()).sent_at
        assert sent_at.utcoffset() is not None
        assert abs(sent_at - self.now) < timedelta(days=400)

    def test_a_route_is_flat_text(self) -> None:
        route = self.message(self.channel(), self.text_webhook()).route
        assert all(isinstance(each, str) for pair in route.items() for each in pair)

    def test_a_redelivery_has_the_same_key(self) -> None:
        channel = self.channel()
        first = self.text_webhook()
        assert self.message(channel, self.redelivered(first)).key == self.message(channel, first).key

    def test_another_message_has_another_key(self) -> None:
        channel = self.channel()
        keys = {self.message(channel, self.text_webhook(message_id=each)).key for each in ("m-1", "m-2", "m-3")}
        assert len(keys) == 3

    def test_each_customer_has_a_conversation_of_their_own(self) -> None:
        channel = self.channel()
        ids = {self.message(channel, self.text_webhook(user=each)).conversation.key for each in ("u-1", "u-2")}
        assert len(ids) == 2

    def test_parsing_twice_gives_the_same_events(self) -> None:
        channel, request = self.channel(), self.text_webhook()
        assert channel.parse(request) == channel.parse(request)

    def test_an_accepted_message_is_answered_with_200(self) -> None:
        channel, request = self.channel(), self.text_webhook()
        assert channel.answer(request, channel.parse(request)).status == 200

    def test_the_previous_secret_still_opens_while_it_is_rotated(self) -> None:
        assert self.message(self.channel(**self.rotated), self.text_webhook("old")).text == "old"

    def test_a_retired_secret_opens_nothing(self) -> None:
        with pytest.raises(Unverified):
            self.channel(**self.retired).verify(self.text_webhook())

    def test_no_forged_request_is_verified(self) -> None:
        channel = self.channel()
        forged = list(self.forged())
        assert len(forged) >= 5
        for request in forged:
            with pytest.raises(Unverified):
                channel.verify(request)

    def test_a_bare_request_is_not_verified(self) -> None:
        body = b"{}" if self.proof_is_in_body else self.text_webhook().body
        bare = replace(self.text_webhook(), headers={}, query={}, body=body)
        with pytest.raises(Unverified):
            self.channel().verify(bare)

    def test_a_changed_body_is_not_verified(self) -> None:
        request = self.text_webhook()
        for place in range(0, len(request.body), max(1, len(request.body) // 40)):
            changed = bytearray(request.body)
            changed[place] ^= 1
            outcome = judged(self.channel(), replace(request, body=bytes(changed)))
            assert outcome == "unverified" or not self.body_is_signed

    def test_a_truncated_body_is_never_a_crash(self) -> None:
        channel, request = self.channel(), self.text_webhook()
        for end in range(len(request.body)):
            outcome = judged(channel, replace(request, body=request.body[:end]))
            assert outcome == "unverified" or not self.body_is_signed

    def test_a_signed_but_truncated_payload_is_never_a_crash(self) -> None:
        channel, payload = self.channel(), self.payload()
        assert judged(channel, self.signed(payload)) == "parsed"
        outcomes = {judged(channel, self.signed(payload[:end])) for end in range(len(payload))}
        assert ("unverified" if self.proof_is_in_body else "malformed") in outcomes

    @pytest.mark.parametrize("payload", ABUSES, ids=[f"{each[:20]!r}" for each in ABUSES])
    def test_an_abusive_payload_is_never_a_crash(self, payload: bytes) -> None:
        judged(self.channel(), self.signed(payload))

    def test_wrong_types_at_any_path_are_never_a_crash(self) -> None:
        channel = self.channel()
        mutated = list(self.mutated())
        assert len(mutated) >= 30
        for payload in mutated:
            judged(channel, self.signed(payload))

    @fuzz
    @given(methods, headers, queries, st.binary(max_size=200))
    def test_verify_raises_only_unverified(
        self, method: str, given_headers: dict[str, str], query: dict[str, str], body: bytes
    ) -> None:
        request = replace(self.text_webhook(), method=method, headers=given_headers, query=query, body=body)
        assert judged(self.channel(), request) == "unverified"

    @fuzz
    @given(st.binary(max_size=300))
    def test_any_signed_bytes_are_judged_without_a_crash(self, payload: bytes) -> None:
        judged(self.channel(), self.signed(payload))

    def test_no_error_tells_a_secret_or_the_customers_words(self, caplog: pytest.LogCaptureFixture) -> None:
        channel = self.channel()
        request = self.text_webhook(SECRET_WORDS)
        bad = [*self.forged(), replace(request, body=request.body[:-3]), self.signed(SECRET_WORDS.encode())]
        told = ""
        with caplog.at_level(logging.DEBUG):
            for each in bad:
                try:
                    channel.verify(each)
                    channel.parse(each)
                except (Unverified, Malformed) as error:
                    told += f"{error!s} {error!r} {error.__cause__!r}"
        assert told
        for private in (*self.private, SECRET_WORDS):
            assert private not in told + caplog.text

    def test_the_settings_show_no_secret(self) -> None:
        shown = repr(self.channel().settings) + str(self.channel().settings)
        assert not [private for private in self.private if private in shown]

    def test_an_unknown_setting_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="extra"):
            self.channel(no_such_setting="x")

    def test_one_channel_serves_many_threads(self) -> None:
        channel = self.channel()
        requests = [self.text_webhook(f"t{each}", message_id=f"m-{each}") for each in range(60)]
        with ThreadPoolExecutor(8) as pool:
            messages = list(pool.map(lambda request: self.message(channel, request), requests))
        assert [message.text for message in messages] == [f"t{each}" for each in range(60)]
