"""The AI bot passes the contract of a channel, by what it says when its stream is over."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

from adapters.values import Action, Delivered, Refused
from tests.adapters.aibot_kit import AiBotKit
from tests.contracts.channel import ChannelContract
from tests.fakes import RecordingServer

SHEET = """
-1 40001 40008 40014 40035 40058 40063 41001 42001 44004 45002 45009 45033 48002 48004 48006 50001 50003
60020 846601 846602 846605 846608 846609 853006
"""
"""The codes of the sheet's §3.5 that are not of an app's members, media or groups, nor of customer service."""


class TestAiBotByUrl(AiBotKit, ChannelContract):
    documented_codes: ClassVar[list[str]] = SHEET.split()

    def test_each_part_is_sent_by_its_index(self, server: RecordingServer) -> None:
        """A response_url takes one call: the first part brings all that fits in, and the others find it done."""
        channel = self.channel(server.url)
        reply = self.reply(channel, "one", "two", "three")
        for index in (0, 1, 2):
            assert isinstance(channel.send(reply, index), Delivered)
        assert [self.sent_text(call) for call in self.sends(server)] == ["one\n\ntwo\n\nthree"]

    def test_what_does_not_fit_into_the_one_call_is_refused_with_a_reason(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        reply = self.reply(channel, "字" * 6000, "later" * 1000)
        assert isinstance(channel.send(reply, 0), Delivered)
        outcome = channel.send(reply, 1)
        assert isinstance(outcome, Refused)
        assert outcome.action is Action.GIVE_UP
        assert len(self.sends(server)) == 1

    def test_many_threads_send_at_once(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        texts = [f"text {each}" for each in range(40)]
        replies = [self.reply(channel, text) for text in texts]
        routes = [
            {**each.route, "response_url": f"{each.route['response_url']}-{n}"} for n, each in enumerate(replies)
        ]
        with ThreadPoolExecutor(8) as pool:
            pairs = zip(replies, routes, strict=True)
            outcomes = list(pool.map(lambda pair: channel.send(replace(pair[0], route=pair[1]), 0), pairs))
        assert all(isinstance(outcome, Delivered) for outcome in outcomes)
        assert sorted(self.sent_text(call) for call in self.sends(server)) == sorted(texts)
