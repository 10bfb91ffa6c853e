"""What DingTalk bills and blocks: counted, shown, obeyed (DingTalk sheet §2.6, §2.7)."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.dingtalk.wire import LOOK_EVERY
from adapters.values import Action, Delivered, Refused
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk, saying
from tests.fakes import Answer, Call, RecordingServer, json_answer

PUNISHED = json_answer({"status": 1111, "wait": 5, "source": "x5", "punish": "deny"})
DENIED = "Forbidden.AccessDenied."
CARDS: dict[str, Any] = {"card_template_id": "t-1.schema", "card_key": "content"}


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk.open() as desk:
        yield desk


def counted(desk: Desk, month: str = "2026-11") -> dict[str, int]:
    return dict(desk.meter.read("shop", month=month))


def quotas(desk: Desk) -> list[tuple[str, bool]]:
    return [(finding.what, finding.ok) for finding in desk.robot.check() if "2026" in finding.what]


def test_a_webhook_message_counts_with_the_one_it_answers_and_a_token_counts_nothing(desk: Desk) -> None:
    desk.send(desk.with_session())
    assert counted(desk) == {"webhook_messages": 2}
    desk.send(kit.body())
    assert counted(desk) == {"webhook_messages": 2, "api_calls": 1}


def test_a_call_that_a_rate_limit_refused_is_not_counted_but_a_lost_one_is(desk: Desk) -> None:
    desk.server.faults.append(kit.api_error(f"{DENIED}QpsLimitForAppkeyAndApi", status=403))
    desk.send(kit.body())
    assert not any(counted(desk).values())
    desk.server.faults.append(Answer(cut=True))
    desk.send(kit.body())
    assert counted(desk) == {"api_calls": 1}


def test_a_month_is_chinas(desk: Desk) -> None:
    desk.clock = datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC)
    desk.send(kit.body())
    desk.clock += timedelta(seconds=1)
    desk.send(kit.body())
    assert (counted(desk, "2026-11"), counted(desk, "2026-12")) == ({"api_calls": 1}, {"api_calls": 1})


def test_the_check_shows_what_is_used_and_what_is_spent() -> None:
    with Desk.open(monthly_api_calls=2, monthly_webhook_messages=0) as desk:
        assert quotas(desk) == [
            ("1 api calls in 2026-11, of 2", True),
            ("0 webhook messages in 2026-11, no limit", True),
        ]
        assert quotas(desk)[0] == ("2 api calls in 2026-11, of 2", False)
        spent = next(finding for finding in desk.robot.check() if not finding.ok)
        assert spent.next_step


def test_the_budget_of_cards_is_shown_where_there_are_cards() -> None:
    with Desk.open(**CARDS) as desk:
        assert quotas(desk)[2] == ("0 card calls in 2026-11, of 2000", True)


@pytest.mark.parametrize(
    "code",
    [
        "invalidClientIdOrSecret",
        f"{DENIED}AccessTokenPermissionDenied",
        f"{DENIED}IpNotInWhiteList",
        f"{DENIED}ApiCountLimitForOrg",
    ],
)
def test_what_stops_everybody_stops_the_account(desk: Desk, code: str) -> None:
    desk.server.faults.append(kit.api_error(code, status=403))
    refused = desk.refused(kit.body())
    assert (refused.action, refused.account) == (Action.ALERT, True)


@pytest.mark.parametrize(
    "code", ["staffId.notExisted", "group.disbanded", f"{DENIED}QpsLimitForApi", "contain.notAllowed.x"]
)
def test_what_stops_one_message_does_not(desk: Desk, code: str) -> None:
    desk.server.faults.append(kit.api_error(code))
    assert not desk.refused(kit.body()).account


def test_a_spent_webhook_quota_changes_the_way_and_a_spent_api_quota_stops_the_account(desk: Desk) -> None:
    desk.server.faults.append(kit.old_error(90030))
    assert isinstance(desk.send(desk.with_session()), Delivered)
    assert desk.ways() == [kit.SESSION, kit.ONE_TO_ONE]
    desk.server.faults.extend([kit.old_error(90030), kit.api_error(f"{DENIED}ApiCountLimitForOrg", status=403)])
    assert desk.refused(desk.with_session()).account
    desk.server.faults.append(kit.old_error(90020))
    assert desk.refused(desk.with_session()).account


def test_a_punished_address_rests_in_every_process() -> None:
    with Desk.open(saying(PUNISHED)) as desk:
        other = desk.another()
        assert isinstance(desk.send(desk.with_session()), Refused)
        calls = len(desk.server.calls)
        time.sleep(LOOK_EVERY)
        refused = other.send(desk.reply(desk.with_session(), "x"), 0)
        assert isinstance(refused, Refused)
        assert (refused.action, refused.code, refused.account) == (Action.RETRY, "1111", True)
        assert refused.retry_after == timedelta(minutes=5)
        assert not all(finding.ok for finding in other.check())
        assert len(desk.server.calls) == calls


def test_the_rest_ends_after_five_minutes_and_may_begin_again() -> None:
    answers = [PUNISHED]

    def platform(call: Call) -> Answer:
        return answers.pop() if answers else kit.platform(call)

    with Desk.open(RecordingServer(platform)) as desk:
        for _ in range(2):
            assert isinstance(desk.send(desk.with_session()), Refused)
            desk.clock += timedelta(minutes=5)
            assert isinstance(desk.send(desk.with_session()), Delivered)
            answers.append(PUNISHED)


# ---- the check of what is optional ----


def check(answer: Answer, path: str) -> dict[str, str]:
    """The next steps of what fails where *path* is answered so."""

    def platform(call: Call) -> Answer:
        return answer if call.path == path else kit.platform(call)

    settings = {**CARDS, "choice_template_id": "c-1", "card_route_key": "k", "card_secret": "s"}
    with Desk.open(RecordingServer(platform), **settings, token="t", aes_key="1" * 43) as desk:
        found = desk.robot.check()
    assert {finding.what for finding in found} >= {
        "card template",
        "card streaming",
        "choice template",
        "event keys",
    }
    return {finding.what: finding.next_step for finding in found if not finding.ok}


def missing(scope: str) -> Answer:
    detail = {"requiredScopes": [scope]}
    return kit.api_error(f"{DENIED}AccessTokenPermissionDenied", status=403, accessdenieddetail=detail)


def test_a_working_configuration_has_nothing_to_do() -> None:
    assert check(json_answer({}), "/nowhere") == {}
    assert check(kit.api_error("param.cardAlreadyExist"), "/v1.0/card/instances") == {}
    assert check(kit.api_error("param.outTrackIdInvalid"), kit.STREAMING) == {}


def test_a_missing_permission_for_cards_is_named() -> None:
    assert "Card.Instance.Write" in check(missing("Card.Instance.Write"), "/v1.0/card/instances")["card template"]
    assert "Card.Streaming.Write" in check(missing("Card.Streaming.Write"), kit.STREAMING)["card streaming"]


@pytest.mark.parametrize("code", ["param.templateNotExist", "param.templateUnpublished"])
def test_a_template_that_does_not_work_is_named(code: str) -> None:
    steps = check(kit.api_error(code), "/v1.0/card/instances")
    assert set(steps) == {"card template", "choice template"}
    assert "card_template_id" in steps["card template"]
