"""What WeCom's answers come to, and what `check` says of them (WeCom sheet §3.2 and §3.5)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.http import HttpAnswer
from adapters.values import (
    Action,
    Delivered,
    Refused,
    Unknown,
)
from adapters.wecom.api import judged
from adapters.wecom.codes import GETTOKEN_RULES, RULES
from tests.adapters.wecom_app import app
from tests.adapters.wecom_fake import SEND, Platform, error, paths, refused, reply
from tests.adapters.wecom_platform import AGENT, NOW, vector, vectors
from tests.fakes import Answer, RecordingServer, html_answer, json_answer


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def server(platform: Platform) -> Iterator[RecordingServer]:
    with RecordingServer(platform) as server:
        yield server


def test_a_code_comes_to_what_the_table_says(server: RecordingServer, platform: Platform) -> None:
    channel = app(api_base=server.url)
    for code, rule in RULES.items():
        platform.will(SEND, error(code), error(code))
        outcome = refused(channel.send(reply("x"), 0))
        assert outcome.action is (Action.ALERT if code == 40001 else rule.action)
        assert outcome.code == str(code)
        assert outcome.retry_after == rule.wait
        assert outcome.account is (rule.account or code == 40001)
        assert rule.meaning in outcome.reason or code == 40001


@pytest.mark.parametrize("code", sorted(GETTOKEN_RULES))
def test_a_code_of_gettoken_comes_to_what_its_own_table_says(
    server: RecordingServer, platform: Platform, code: int
) -> None:
    platform.will("/cgi-bin/gettoken", error(code))
    outcome = refused(app(api_base=server.url).send(reply("x"), 0))
    assert (outcome.action, outcome.code) == (Action.ALERT, str(code))
    assert GETTOKEN_RULES[code].next_step in outcome.reason
    assert paths(server) == ["gettoken"]


@pytest.mark.parametrize(
    ("letter", "codes"),
    [
        (Action.RETRY, [-1, 45009, 45033, 95007, 846601, 846602, 846609]),
        (Action.TOKEN, [40001, 40014, 41001, 42001]),
        (Action.SPLIT, [45002]),
        (Action.WINDOW, [95001, 95002, 95013, 95018]),
        (Action.REROUTE, [95014, 846605, 846608]),
        (
            Action.ALERT,
            [
                *(40013, 40056, 40057, 40091, 48002, 48004, 48006, 50001, 50003, 60011, 60020, 93000, 93004),
                *(95000, 95003, 95011, 95017, 301002),
            ],
        ),
        (
            Action.GIVE_UP,
            [
                *(40003, 40004, 40005, 40006, 40007, 40008, 40031, 40032, 40033, 40035, 40050, 40058, 40063),
                *(40096, 41006, 41011, 41050, *range(42014, 42021), 43004, 44001, 44004, 45001, 45007, 45008),
                *(50002, 60021, 60111, 81012, 81013, 82001, 82002, 82003, *range(86001, 86225), 90207, 830002),
                *(95021, 853006),
            ],
        ),
    ],
)
def test_every_code_of_the_sheet_has_its_letter(letter: Action, codes: list[int]) -> None:
    assert {code: RULES[code].action for code in codes} == dict.fromkeys(codes, letter)


def test_an_untrusted_address_is_shown(server: RecordingServer, platform: Platform) -> None:
    found = vector("api_send_60020")["response"]
    platform.will(SEND, json_answer(found["json"], status=found["status"]))
    outcome = refused(app(api_base=server.url).send(reply("x"), 0))
    assert outcome.action is Action.ALERT
    assert "203.0.113.9" in outcome.reason
    assert "企业可信IP" in outcome.reason


@pytest.mark.parametrize(
    ("errmsg", "shown"),
    [
        ("from ip: 198.51.100.7", "198.51.100.7"),
        ("not allow, from ip: 2001:db8::7, more info", "2001:db8::7"),
        ("from ip: 203.0.113.9.", "203.0.113.9"),
        ("from ip: 999.1.1.1, more", ""),
        ("from ip: canary secret", ""),
        ("no address at all", ""),
    ],
)
def test_only_an_address_is_taken_from_the_platforms_words(
    server: RecordingServer, platform: Platform, errmsg: str, shown: str
) -> None:
    platform.will(SEND, error(60020, errmsg))
    reason = refused(app(api_base=server.url).send(reply("x"), 0)).reason
    assert (f"(WeCom sees {shown})" in reason) == bool(shown)
    assert ("WeCom sees" in reason) == bool(shown)
    assert "canary" not in reason


def test_an_unreached_member_is_a_refusal_though_the_code_is_zero(
    server: RecordingServer, platform: Platform
) -> None:
    found = vector("api_send_partial")["response"]["json"]
    platform.will(SEND, json_answer(found), json_answer(found), error(0, unlicenseduser="a|zhangsan"))
    channel = app(api_base=server.url)
    outcome = refused(channel.send(reply("x", to="Ghost"), 0))
    assert (outcome.code, outcome.action) == ("invaliduser", Action.GIVE_UP)
    assert channel.send(reply("x"), 0) == Delivered(platform_id="MSGID1")
    assert refused(channel.send(reply("x"), 0)).action is Action.ALERT


@pytest.mark.parametrize(
    ("named", "to"), [("ZHANGSAN", "zhangsan"), ("zhangsan", "ZhangSan"), ("a|STRASSE", "straße")]
)
def test_row_24_ids_are_compared_without_case(
    server: RecordingServer, platform: Platform, named: str, to: str
) -> None:
    platform.will(SEND, error(0, invaliduser=named))
    assert refused(app(api_base=server.url).send(reply("x", to=to), 0)).code == "invaliduser"


@pytest.mark.parametrize("code", [None, True, "", "x", [], {}, 1.5, 10**12])
def test_an_answer_without_a_readable_code_is_unknown(
    server: RecordingServer, platform: Platform, code: object
) -> None:
    platform.will(SEND, error(code))
    assert isinstance(app(api_base=server.url).send(reply("x"), 0), Unknown)


def test_a_code_in_a_string_is_a_code(server: RecordingServer, platform: Platform) -> None:
    platform.will(SEND, error("81013"))
    assert refused(app(api_base=server.url).send(reply("x"), 0)).code == "81013"


def test_a_server_error_counts_by_its_code_only_if_the_table_has_it(
    server: RecordingServer, platform: Platform
) -> None:
    body = {"errcode": -1, "errmsg": "system busy"}
    platform.will(SEND, json_answer(body, status=500), json_answer({**body, "errcode": 424242}, status=500))
    channel = app(api_base=server.url)
    assert refused(channel.send(reply("x"), 0)).action is Action.RETRY
    assert isinstance(channel.send(reply("x"), 0), Unknown)


@pytest.mark.parametrize("status", [301, 302, 400, 403, 404, 407])
def test_a_proxys_refusal_points_at_the_address(server: RecordingServer, platform: Platform, status: int) -> None:
    platform.will(SEND, html_answer(status))
    outcome = refused(app(api_base=server.url).send(reply("x"), 0))
    assert outcome.action is Action.ALERT
    assert "api_base" in outcome.reason


def findings(server: RecordingServer, **overrides: Any) -> dict[str, str]:
    """What does not hold, and its next step."""
    found = app(api_base=server.url, **overrides).check()
    return {finding.what: finding.next_step for finding in found if not finding.ok}


def test_row_5_check_looks_at_the_callback_the_token_the_app_and_the_address(server: RecordingServer) -> None:
    assert findings(server) == {}
    assert paths(server) == ["gettoken", "agent/get", "getcallbackip"]


def test_row_10_check_shows_the_address_to_be_trusted(server: RecordingServer, platform: Platform) -> None:
    told = error(60020, "not allow to access from your ip, from ip: 198.51.100.7, more")
    platform.will("/cgi-bin/getcallbackip", told)
    assert "198.51.100.7" in findings(server)["trusted IP"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [(error(301002), "same app"), (error(40056), "agent_id"), (error(0, close=1), "enable it")],
)
def test_check_says_what_is_wrong_with_the_app(
    server: RecordingServer, platform: Platform, answer: Answer, says: str
) -> None:
    platform.will("/cgi-bin/agent/get", answer)
    assert says in findings(server)[f"agent id {AGENT}"]


@pytest.mark.parametrize(("code", "says"), [(40001, "secret"), (40013, "corp_id")])
def test_check_says_which_credential_is_wrong(
    server: RecordingServer, platform: Platform, code: int, says: str
) -> None:
    platform.will("/cgi-bin/gettoken", error(code))
    assert says in findings(server)["access token"]
    assert paths(server) == ["gettoken"]


def test_check_says_that_nobody_would_be_welcomed(server: RecordingServer, platform: Platform) -> None:
    platform.answers["/cgi-bin/agent/get"] = [error(0, close=0, isreportenter=0)] * 2
    assert findings(server) == {}
    assert "上报进入应用事件" in findings(server, welcome="hi")["event enter_agent"]


@pytest.mark.parametrize("code", [40013, 40056, 40091, 48002, 48004, 48006, 50003, 60020, 301002, 95000, 95017])
def test_what_stops_the_whole_account_says_so(server: RecordingServer, platform: Platform, code: int) -> None:
    platform.will(SEND, error(code))
    outcome = refused(app(api_base=server.url).send(reply("x"), 0))
    assert (outcome.account, outcome.action) == (True, Action.ALERT)


@pytest.mark.parametrize("code", [40003, 45002, 45009, 60011, 81013, 86003, 95001, 95018])
def test_what_stops_one_message_stops_no_other(server: RecordingServer, platform: Platform, code: int) -> None:
    platform.will(SEND, error(code))
    assert not refused(app(api_base=server.url).send(reply("x"), 0)).account


FIXTURES = [name for name in vectors("api-fixture") if "response" in vector(name)]


@pytest.mark.parametrize("name", FIXTURES)
def test_every_published_answer_is_judged_by_its_code(name: str) -> None:
    found = vector(name)["response"]
    body = found["json"]
    answer = HttpAnswer(found["status"], {}, json.dumps(body).encode())
    result = judged(answer, {**RULES, **GETTOKEN_RULES} if "gettoken" in name else RULES, NOW)
    if body["errcode"] == 0:
        assert result == body
    else:
        assert isinstance(result, Refused)
        assert result.code == str(body["errcode"])
        assert "undocumented" not in result.reason


def test_a_robot_that_says_too_much_waits_a_minute() -> None:
    body = vector("webhook_45009")["response"]["json"]
    result = judged(HttpAnswer(200, {}, json.dumps(body).encode()), RULES, NOW)
    assert isinstance(result, Refused)
    assert (result.action, result.retry_after) == (Action.RETRY, timedelta(seconds=60))
