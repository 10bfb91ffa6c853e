"""What is the same on every platform: answers that no table knows, and calls that came to no answer."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.rules import Rule, alert, halt, honest, retry, uncoded
from adapters.values import Action, Refused, Unknown

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 204, 408, 500, 502, 503, 504, 599])
def test_what_may_have_been_heard_is_unknown(status: int) -> None:
    assert isinstance(uncoded(HttpAnswer(status, {}, b""), NOW), Unknown)


@pytest.mark.parametrize("status", [301, 302, 400, 403, 404, 413])
def test_another_server_than_the_platforms_calls_for_the_operator(status: int) -> None:
    outcome = uncoded(HttpAnswer(status, {}, b"<html>words</html>"), NOW)
    assert isinstance(outcome, Refused)
    assert outcome.action is Action.ALERT
    assert "words" not in outcome.reason


def test_too_many_calls_are_tried_again_when_the_server_says() -> None:
    outcome = uncoded(HttpAnswer(429, {"retry-after": "17"}, b""), NOW)
    assert isinstance(outcome, Refused)
    assert (outcome.action, outcome.retry_after) == (Action.RETRY, timedelta(seconds=17))


def test_a_call_that_was_not_heard_is_tried_again_and_one_that_may_have_been_is_unknown() -> None:
    def unheard() -> str:
        raise NotSent("ConnectTimeout")

    def unanswered() -> str:
        raise MaybeSent("ReadTimeout")

    refused = honest("Shop", unheard)
    assert isinstance(refused, Refused)
    assert refused.action is Action.RETRY
    assert isinstance(honest("Shop", unanswered), Unknown)
    assert honest("Shop", lambda: "heard") == "heard"


def test_a_refusal_names_code_meaning_and_next_step_and_a_wait() -> None:
    assert alert("closed", "open it").refused("7").reason == "7: closed; open it"
    assert Rule(action=Action.SPLIT, meaning="too long").refused("8").reason == "8: too long"
    wait = timedelta(seconds=1)
    assert retry("busy", wait).refused("9").retry_after == wait
    assert retry("busy", wait).refused("9", timedelta(seconds=5)).retry_after == timedelta(seconds=5)


def test_a_code_that_stops_the_whole_account_says_so() -> None:
    assert halt("locked", "unlock it").refused("7").account
    assert not alert("closed", "open it").refused("7").account
