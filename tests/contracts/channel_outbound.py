"""The contract of the way out: what every channel makes of an answer, and of what a platform says to it."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from adapters.values import Action, Delivered, Refused, Unknown
from tests.contracts.channel_kit import NOWHERE, ChannelKit, fuzz
from tests.fakes import Answer, RecordingServer, html_answer

LONG = " ".join(f"第{n}句，很长的一句话👨‍👩‍👧‍👦！Sentence {n} e\u0301 is here. 🇨🇳" for n in range(900))
WORDS = "the customer's words 4471"


def graphemes(text: str) -> list[str]:
    return [each for each in regex.findall(r"\X", text) if not each.isspace()]


class OutboundContract(ChannelKit):
    """Inherited by the test class of every channel that sends over HTTP."""

    # ---- composing ----

    def test_a_short_answer_is_one_part(self) -> None:
        assert len(self.channel().compose("Yes, until **six**.")) == 1

    def test_a_long_answer_is_cut_in_order_between_graphemes(self) -> None:
        channel = self.channel()
        parts = channel.compose(LONG)
        assert len(parts) > 1
        assert [each for part in parts for each in graphemes(part)] == graphemes(LONG)

    def test_each_part_is_within_the_limit(self) -> None:
        channel = self.channel()
        for text in (
            LONG,
            "字" * 50_000,
            "x" * 50_000,
            "👨‍👩‍👧‍👦" * 9_000,
            "e" + "\u0301" * 30_000,
            "**a** " * 9_000,
        ):
            sizes = [channel.limit.measure(part) for part in channel.compose(text)]
            assert 0 < min(sizes) <= max(sizes) <= channel.limit.size

    @fuzz
    @given(st.text(alphabet="ab中 \n*_`~#->1.[]()|<&😀\u200d\ud800", max_size=200))
    def test_composing_never_raises_nor_makes_an_empty_part(self, text: str) -> None:
        assert all(part.strip() for part in self.channel().compose(text))

    # ---- what a send comes to ----

    def test_an_accepted_part_is_delivered_as_it_was_written(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        text = "Done ✓ 你好 “quoted” \\ / 😀\nline two"
        assert isinstance(channel.send(self.reply(channel, text), 0), Delivered)
        (call,) = self.sends(server)
        assert self.sent_text(call) == text

    def test_each_part_is_sent_by_its_index(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        reply = self.reply(channel, "one", "two", "three")
        for index in (0, 1, 2):
            assert isinstance(channel.send(reply, index), Delivered)
        assert [self.sent_text(call) for call in self.sends(server)] == ["one", "two", "three"]

    def test_the_same_part_sent_again_is_byte_identical(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        reply = self.reply(channel, "same")
        channel.send(reply, 0)
        channel.send(reply, 0, again=True)
        self.channel(server.url).send(reply, 0, again=True)
        assert len({(call.method, call.path, call.body) for call in self.sends(server)}) == 1

    def test_a_read_timeout_is_unknown(self, server: RecordingServer) -> None:
        channel = self.channel(server.url, patience=0.4)
        server.faults.append(Answer(delay=5))
        begun = time.monotonic()
        assert isinstance(channel.send(self.reply(channel, "x"), 0), Unknown)
        assert time.monotonic() - begun < 4

    def test_a_connection_cut_after_the_request_is_unknown(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(Answer(cut=True))
        assert isinstance(channel.send(self.reply(channel, "x"), 0), Unknown)

    def test_a_refused_connection_is_a_temporary_refusal(self) -> None:
        channel = self.channel(NOWHERE)
        outcome = channel.send(self.reply(channel, "x"), 0)
        assert isinstance(outcome, Refused)
        assert outcome.action is Action.RETRY
        assert outcome.reason

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_an_edges_error_page_is_unknown(self, server: RecordingServer, status: int) -> None:
        channel = self.channel(server.url)
        server.faults.append(html_answer(status))
        assert isinstance(channel.send(self.reply(channel, "x"), 0), Unknown)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b'"ok"', b"{", b"\xff\xfe", b'{"a":' * 9999])
    def test_an_unreadable_success_is_unknown(self, server: RecordingServer, body: bytes) -> None:
        channel = self.channel(server.url)
        server.faults.append(Answer(body=body))
        assert isinstance(channel.send(self.reply(channel, "x"), 0), Unknown)

    def test_retry_after_is_obeyed(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(html_answer(429, headers={"Retry-After": "17"}))
        outcome = channel.send(self.reply(channel, "x"), 0)
        assert isinstance(outcome, Refused)
        assert (outcome.action, outcome.retry_after) == (Action.RETRY, timedelta(seconds=17))

    def test_a_redirect_is_not_followed(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(Answer(status=302, headers={"Location": f"{server.url}/elsewhere"}))
        assert not isinstance(channel.send(self.reply(channel, "x"), 0), Delivered)
        assert "/elsewhere" not in [call.path for call in server.calls]

    def test_every_documented_code_is_known(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        reply = self.reply(channel, "x")
        for code in self.documented_codes:
            server.faults.clear()
            server.faults.extend([self.refusal(code)] * 3)
            outcome = channel.send(reply, 0)
            assert isinstance(outcome, Refused), f"{code}: {outcome}"
            assert outcome.code == code
            assert code in outcome.reason
            assert len(outcome.reason) > len(code) + 10, f"{code} has no next step"

    def test_a_temporary_code_asks_for_another_try(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(self.refusal(self.temporary_code))
        outcome = channel.send(self.reply(channel, "x"), 0)
        assert isinstance(outcome, Refused)
        assert outcome.action is Action.RETRY
        assert not outcome.permanent

    def test_a_final_code_is_not_tried_again(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(self.refusal(self.permanent_code))
        outcome = channel.send(self.reply(channel, "x"), 0)
        assert isinstance(outcome, Refused)
        assert outcome.permanent

    def test_an_undocumented_code_is_refused_for_good(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.extend([self.refusal("987654")] * 3)
        outcome = channel.send(self.reply(channel, "x"), 0)
        assert isinstance(outcome, Refused)
        assert outcome.permanent

    def test_no_outcome_tells_a_secret_or_the_customers_words(
        self, server: RecordingServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        channel = self.channel(server.url, patience=0.4)
        reply = self.reply(channel, WORDS)
        echoed = Answer(status=400, body=WORDS.encode())
        told = ""
        with caplog.at_level(logging.INFO):
            for fault in (echoed, html_answer(500), Answer(cut=True), Answer(delay=5), self.refusal("987654")):
                server.faults.append(fault)
                told += repr(channel.send(reply, 0))
                server.faults.clear()
            told += repr(self.channel(NOWHERE).send(reply, 0))
        assert not [private for private in (*self.private, WORDS) if private in told + caplog.text]

    def test_many_threads_send_at_once(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        texts = [f"text {each}" for each in range(40)]
        reply = self.reply(channel, *texts)
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda index: channel.send(reply, index), range(len(texts))))
        assert all(isinstance(outcome, Delivered) for outcome in outcomes)
        assert sorted(self.sent_text(call) for call in self.sends(server)) == sorted(texts)

    # ---- the operator ----

    def test_a_working_configuration_is_found_to_work(self, server: RecordingServer) -> None:
        findings = self.channel(server.url).check()
        assert findings
        assert all(finding.ok for finding in findings), findings

    def test_a_platform_that_is_down_is_a_finding_with_the_next_step(self) -> None:
        findings = self.channel(NOWHERE).check()
        assert not all(finding.ok for finding in findings)
        assert all(finding.ok or finding.next_step for finding in findings)
        assert not [private for private in self.private if private in repr(findings)]
