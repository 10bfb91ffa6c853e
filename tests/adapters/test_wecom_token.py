"""WeCom's access token: shared, replaced once, never told (WeCom sheet §3.1 and §10)."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.tokens import MemoryTokenStore
from adapters.values import (
    Action,
    Delivered,
    Unknown,
)
from tests.adapters.wecom_app import app
from tests.adapters.wecom_fake import SEND, Platform, error, paths, refused, reply, sent
from tests.adapters.wecom_platform import ACCESS_TOKEN, KEY, SECRET, TOKEN, vector
from tests.fakes import Answer, RecordingServer, html_answer, json_answer


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def server(platform: Platform) -> Iterator[RecordingServer]:
    with RecordingServer(platform) as server:
        yield server


@pytest.mark.parametrize("code", [40001, 40014, 41001, 42001])
def test_row_7_a_rejected_token_is_fetched_anew_once_and_the_send_repeated_once(
    server: RecordingServer, platform: Platform, code: int
) -> None:
    platform.will(SEND, error(code))
    assert isinstance(app(api_base=server.url).send(reply("x"), 0), Delivered)
    assert paths(server) == ["gettoken", "message/send", "gettoken", "message/send"]
    assert [call.query.get("access_token", "-")[-2:] for call in server.calls] == ["-", "-1", "-", "-2"]


def test_row_7_a_token_that_is_always_rejected_makes_no_loop(server: RecordingServer, platform: Platform) -> None:
    platform.will(SEND, *[error(42001)] * 9)
    outcome = refused(app(api_base=server.url).send(reply("x"), 0))
    assert (outcome.code, outcome.permanent) == ("42001", False)
    assert paths(server) == ["gettoken", "message/send", "gettoken", "message/send"]


def test_row_7_fifty_sends_share_one_token_and_one_refresh(server: RecordingServer, platform: Platform) -> None:
    store = MemoryTokenStore()
    channels = [app(api_base=server.url, store=store) for _ in range(5)]
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda number: channels[number % 5].send(reply(f"x{number}"), 0), range(50)))
    assert paths(server).count("gettoken") == 1
    platform.revoked.add(f"{ACCESS_TOKEN}-1")
    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(lambda number: channels[number % 5].send(reply(f"y{number}"), 0), range(50)))
    assert paths(server).count("gettoken") == 2
    assert set(outcomes) == {Delivered(platform_id="MSGID1")}


def test_row_7_two_apps_of_one_company_have_a_token_each(server: RecordingServer) -> None:
    store = MemoryTokenStore()
    app(api_base=server.url, store=store).send(reply("x"), 0)
    app(api_base=server.url, store=store, agent_id=7, secret="another app's").send(reply("x"), 0)
    assert paths(server).count("gettoken") == 2


def test_a_bad_secret_is_not_asked_about_again_and_again(server: RecordingServer, platform: Platform) -> None:
    found = vector("api_gettoken_bad_secret")["response"]["json"]
    platform.will("/cgi-bin/gettoken", *[json_answer(found)] * 99)
    channel = app(api_base=server.url)
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda _: refused(channel.send(reply("x"), 0)), range(60)))
    assert {(outcome.action, outcome.code) for outcome in outcomes} == {(Action.ALERT, "40001")}
    assert paths(server) == ["gettoken"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(cut=True),
        html_answer(502),
        error(-1),
        error(45009),
        json_answer({"errcode": 0}),
        json_answer({"errcode": 0, "access_token": "x", "expires_in": "soon"}),
        json_answer({"errcode": 0, "access_token": "", "expires_in": 7200}),
        json_answer([]),
    ],
)
def test_without_a_token_nothing_was_sent(server: RecordingServer, platform: Platform, answer: Answer) -> None:
    platform.will("/cgi-bin/gettoken", answer)
    assert refused(app(api_base=server.url).send(reply("x"), 0)).action is Action.RETRY
    assert sent(server) == []


def test_row_21_a_timeout_is_no_failure_and_nothing_else_is_sent(
    server: RecordingServer, platform: Platform
) -> None:
    platform.will(SEND, Answer(cut=True))
    assert isinstance(app(api_base=server.url).send(reply("x"), 0), Unknown)
    assert len(sent(server)) == 1


def test_row_25_no_secret_is_in_a_log_or_an_outcome(
    server: RecordingServer, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    told = ""
    with caplog.at_level(logging.DEBUG):
        for channel in (app(api_base=server.url), app(api_base="http://127.0.0.1:9")):
            platform.will(SEND, Answer(cut=True), html_answer(404), error(40058, f"echo {SECRET}"))
            told += "".join(repr(channel.send(reply("x"), 0)) for _ in range(4))
            told += repr(channel.check())
        platform.will("/cgi-bin/gettoken", Answer(cut=True))
        told += repr(app(api_base=server.url).send(reply("x"), 0))
    told += caplog.text
    for private in (SECRET, TOKEN, KEY, ACCESS_TOKEN, "corpsecret", "access_token="):
        assert private not in told
