"""How fast a number may write, how long a refusal is put up with, and what is counted."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.channel import Channel, Services
from adapters.throttle import MemoryThrottle
from adapters.values import Action, ConversationId, Delivered, Part, Refused, Reply, Unknown
from adapters.whatsapp.errors import RULES
from adapters.whatsapp.paces import PACES
from tests.adapters.whatsapp_kit import ANA, NUMBER, PHONE, WhatsAppKit, graph_error
from tests.fakes import Answer, RecordingServer

HALTING = """
0 190 3 10 200 299 131005 33 131030 131031 368 131037 131042 131045 133010 131048 131063 131064 134011 133000 133005
133006 133008 133009 133015 133016
"""
"""The sheet's T and A, but for those that it calls "G + A"."""


class RatesKit(WhatsAppKit):
    """One clock for the buckets and the channel, which stands still unless a test moves it."""

    def services(self, patience: float = 5) -> Services:
        self.time: datetime = self.now
        return replace(
            super().services(patience), throttle=MemoryThrottle(lambda: self.time), now=lambda: self.time
        )

    def reply(self, key: str = "k" * 32, peer: str = ANA, **fields: Any) -> Reply:  # type: ignore[override]
        conversation = ConversationId(channel="shop", account=NUMBER, peer=peer)
        part = Part(text="hi", **fields)
        return Reply(
            key=key, conversation=conversation, parts=(part,), route={"to": PHONE, "message_id": "wamid.1"}
        )


class TestBuckets(RatesKit):
    def test_a_customer_gets_45_at_once_and_then_one_every_six_seconds(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        outcomes = []
        for _ in range(46):
            outcomes.append(channel.send(self.reply(), 0))
            self.time += timedelta(milliseconds=20)  # slower than the number's own rate
        assert all(isinstance(each, Delivered) for each in outcomes[:45])
        refused = outcomes[45]
        assert isinstance(refused, Refused)
        assert refused.action is Action.RETRY
        assert refused.retry_after is not None
        assert timedelta(seconds=5) < refused.retry_after <= timedelta(seconds=6)
        assert len(server.calls) == 45
        assert isinstance(channel.send(self.reply(peer="GB.other"), 0), Delivered)
        self.time += refused.retry_after
        assert isinstance(channel.send(self.reply(), 0), Delivered)

    @pytest.mark.parametrize("rate", [20, 80])
    def test_a_number_sends_no_faster_than_its_throughput(self, server: RecordingServer, rate: int) -> None:
        channel = self.channel(server.url, throughput=rate)
        outcomes = [channel.send(self.reply(peer=f"GB.{each}"), 0) for each in range(rate + 1)]
        assert [type(each) for each in outcomes] == [Delivered] * rate + [Refused]
        refused = outcomes[-1]
        assert isinstance(refused, Refused)
        assert refused.retry_after == timedelta(seconds=1) / rate
        assert not refused.account

    def test_a_number_that_was_too_fast_goes_at_half_its_rate_for_a_minute(self, server: RecordingServer) -> None:
        channel = self.channel(server.url, throughput=20)
        server.faults.append(graph_error(130429))
        assert isinstance(channel.send(self.reply(), 0), Refused)
        self.time += timedelta(seconds=5)
        assert self.burst(channel) == 10
        self.time += timedelta(minutes=1)
        assert self.burst(channel) == 20

    def burst(self, channel: Channel[Any]) -> int:
        """How many of thirty messages go out at once."""
        sent = [channel.send(self.reply(peer=f"GB.{each}"), 0) for each in range(30)]
        return len([each for each in sent if isinstance(each, Delivered)])

    def test_what_is_refused_for_its_size_takes_nothing_from_the_rates(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        for _ in range(60):
            channel.send(replace(self.reply(), parts=(Part(text="x" * 5000),)), 0)
        assert isinstance(channel.send(self.reply(), 0), Delivered)

    def test_a_reaction_counts_too(self, server: RecordingServer) -> None:
        channel = self.channel(server.url, throughput=1, seen_reaction="👀")
        channel.turn_started(self.message(channel, self.text_webhook(message_id="7")))
        read, reaction = server.calls
        assert read.json["status"] == "read"
        assert reaction.json == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": f"+{PHONE}",
            "type": "reaction",
            "reaction": {"message_id": "wamid.7", "emoji": "👀"},
        }
        channel.turn_started(self.message(channel, self.text_webhook(message_id="8")))
        assert len(server.calls) == 3


class TestPatience(RatesKit):
    def waits(self, server: RecordingServer, code: int, tries: int, *, status: int = 400) -> list[float | None]:
        """The seconds that each refusal asks for, None where the message is given up."""
        channel = self.channel(server.url)
        found: list[float | None] = []
        for _ in range(tries):
            self.time += timedelta(minutes=1)
            server.faults.append(graph_error(code, status=status))
            outcome = channel.send(self.reply(), 0)
            assert isinstance(outcome, Refused)
            assert outcome.code == str(code)
            given_up = outcome.action is not Action.RETRY
            found.append(None if given_up or outcome.retry_after is None else outcome.retry_after.total_seconds())
        return found

    @pytest.mark.parametrize(
        ("code", "waits"),
        [
            (131056, [1, 4, 16, 64, 64, 64]),
            (130429, [1, 2, 4, 4]),
            (2, [2, 4, 8, 16, 32, 60, 60, 60, 60, None]),
            (131016, [2, 4, 8, 16, 32, 60, 60, 60, 60, None]),
            (133004, [2, 4, 8]),
            (131000, [2, 10, 60, None]),
            (1, [5, None]),
            (131053, [5, None]),
            (131057, [60, 60]),
            (80007, [60, 120, 240, 300, 300]),
            (4, [300, 300, None]),
            (132069, [3600]),
        ],
    )
    def test_each_code_is_waited_for_as_the_platform_asks(
        self, server: RecordingServer, code: int, waits: list[float | None]
    ) -> None:
        assert self.waits(server, code, len(waits)) == waits

    def test_an_unknown_fault_is_tried_three_times_more(self, server: RecordingServer) -> None:
        assert self.waits(server, 987654, 4, status=500) == [2, 10, 60, None]

    def test_every_code_that_is_tried_again_has_its_pace(self) -> None:
        assert {code for code, rule in RULES.items() if rule.action is Action.RETRY} == set(PACES) - {"429"}

    def test_another_fault_of_the_same_message_begins_anew(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        for code, wait in ((131056, 1), (131056, 4), (1, 5), (131000, 2)):
            self.time += timedelta(minutes=1)
            server.faults.append(graph_error(code))
            outcome = channel.send(self.reply(), 0)
            assert isinstance(outcome, Refused)
            assert (outcome.action, outcome.retry_after) == (Action.RETRY, timedelta(seconds=wait))

    def test_another_message_begins_anew(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        for key in ("a" * 32, "b" * 32):
            server.faults.append(graph_error(131056))
            outcome = channel.send(self.reply(key), 0)
            assert isinstance(outcome, Refused)
            assert outcome.retry_after == timedelta(seconds=1)

    def test_an_unknown_end_ends_the_count(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.extend([graph_error(131056), Answer(cut=True), graph_error(131056)])
        outcomes = [channel.send(self.reply(), 0) for _ in range(3)]
        assert isinstance(outcomes[1], Unknown)
        last = outcomes[2]
        assert isinstance(last, Refused)
        assert last.retry_after == timedelta(seconds=1)


class TestAccount(RatesKit):
    @pytest.mark.parametrize(
        "code",
        HALTING.split(),
    )
    def test_what_an_operator_must_mend_stops_the_number(self, server: RecordingServer, code: str) -> None:
        server.faults.append(graph_error(int(code)))
        outcome = self.channel(server.url).send(self.reply(), 0)
        assert isinstance(outcome, Refused)
        assert outcome.account

    @pytest.mark.parametrize(
        "code", [1, 2, 100, 130429, 131056, 131026, 131047, 130497, 132001, 132015, 131009, 131050, 987654]
    )
    def test_what_concerns_one_message_leaves_the_others_alone(self, server: RecordingServer, code: int) -> None:
        server.faults.append(graph_error(code))
        outcome = self.channel(server.url).send(self.reply(), 0)
        assert isinstance(outcome, Refused)
        assert not outcome.account


class TestMeter(RatesKit):
    def test_what_goes_out_is_counted_by_month(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(graph_error(131026))
        channel.send(self.reply(), 0)
        channel.send(self.reply(), 0)
        channel.send(self.reply(template="reminder_1"), 0)
        totals = channel.services.meter.read("shop", month="2026-11")
        assert totals == {"messages": 2, "templates": 1}

    def test_a_months_limit_of_billed_messages_is_told_by_the_check(self, server: RecordingServer) -> None:
        channel = self.channel(server.url, monthly_billed=2)
        channel.services.meter.add("shop", "billed_free_customer_service", month="2026-11", count=900)
        channel.services.meter.add("shop", "billed_regular", month="2026-11")
        assert all(finding.ok for finding in channel.check())
        channel.services.meter.add("shop", "billed_regular", month="2026-11")
        [missed] = [finding for finding in channel.check() if not finding.ok]
        assert missed.what == "2 messages billed this month"
        assert "monthly_billed" in missed.next_step
