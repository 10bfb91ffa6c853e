"""Tools that are one HTTP call, against a real server: what is sent, what is read, and what is never done."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from inference.tools.http import LARGEST_ANSWER, HttpCall, ToolHttp
from inference.tools.tool import Arguments, Occasion, ToolFailed
from inference.values import Customer
from tests.fakes import Answer, RecordingServer, json_answer
from tests.inference.tool_kit import ANA, NOW


@pytest.fixture
def service() -> Iterator[RecordingServer]:
    with RecordingServer(
        lambda _: json_answer({"order": {"state": "sent", "items": [{"name": "kettle"}]}})
    ) as fake:
        yield fake


def act(call: HttpCall, arguments: Arguments, customer: Customer = ANA, seconds: float = 5) -> object:
    occasion = Occasion(
        customer=customer, conversation="c", now=NOW, key="key-1", deadline=timedelta(seconds=seconds)
    )
    return ToolHttp().act(call, arguments, occasion)


def failure(call: HttpCall, arguments: Arguments | None = None, seconds: float = 5) -> ToolFailed:
    with pytest.raises(ToolFailed) as caught:
        act(call, arguments or {}, seconds=seconds)
    return caught.value


def test_the_call_carries_arguments_identity_and_secrets_each_in_its_place(service: RecordingServer) -> None:
    call = HttpCall(
        url=service.url + "/orders/{number}?by={customer.channel}",
        method="POST",
        headers={"Authorization": SecretStr("Bearer {s3cret}"), "X-Customer": SecretStr("{customer.user}")},
        query={"lang": "{lang}", "all": "yes"},
        json={
            "n": "{count}",
            "text": "{lang} and {count}",
            "who": ["{customer.user}"],
            "fixed": 1,
            "none": "{none}",
        },
        result="order.state",
    )
    assert act(call, {"number": "a/b c", "lang": "中文", "count": 3, "none": None}) == "sent"
    (seen,) = service.calls
    assert (seen.method, seen.path) == ("POST", "/orders/a%2Fb%20c")
    assert seen.query == {"by": "shop", "lang": "中文", "all": "yes"}
    assert seen.headers["authorization"] == "Bearer {s3cret}"
    assert seen.headers["x-customer"] == "ana"
    assert seen.headers["idempotency-key"] == "key-1"
    assert seen.json == {"n": 3, "text": "中文 and 3", "who": ["ana"], "fixed": 1, "none": None}


def test_a_lookup_carries_no_idempotency_key_and_no_body(service: RecordingServer) -> None:
    act(HttpCall(url=service.url + "/orders"), {})
    assert "idempotency-key" not in service.calls[0].headers
    assert service.calls[0].body == b""


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ("", {"order": {"state": "sent", "items": [{"name": "kettle"}]}}),
        ("order.items.0.name", "kettle"),
        ("order.items.1.name", None),
        ("order.state.deeper", None),
        ({"state": "order.state", "missing": "x.y"}, {"state": "sent", "missing": None}),
    ],
)
def test_the_answer_is_found_by_dotted_paths(service: RecordingServer, result: Any, found: object) -> None:
    assert act(HttpCall(url=service.url + "/", result=result), {}) == found


def test_a_text_and_an_empty_answer_are_answers_too(service: RecordingServer) -> None:
    service._platform = lambda _: Answer(body="已发货".encode())
    assert act(HttpCall(url=service.url + "/"), {}) == "已发货"
    service._platform = lambda _: Answer(status=204)
    assert act(HttpCall(url=service.url + "/"), {}) == "done"


HOSTILE_VALUES = (
    "../admin", "..%2fadmin", "x/../../admin", "a?b=c", "a#b", "a&b=c", "\\..\\x", "%2e%2e", "\r\nX-Admin: 1",
    "@evil.example", "//evil.example/x", "{customer.user}", "\x00", "\ud800", "...", ". ", "..;",
)  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE_VALUES)
def test_no_value_leaves_its_segment_of_the_path(service: RecordingServer, value: str) -> None:
    act(HttpCall(url=service.url + "/customers/{customer.user}/orders/{number}"), {"number": value})
    (seen,) = service.calls
    assert seen.path.split("/")[1:4] == ["customers", "ana", "orders"]
    assert seen.path.count("/") == 4
    assert seen.query == {}
    assert "x-admin" not in seen.headers


@pytest.mark.parametrize("value", [".", "..", "", None, "x" * 600])
def test_a_value_that_would_change_the_path_is_not_sent(service: RecordingServer, value: str | None) -> None:
    assert failure(HttpCall(url=service.url + "/o/{number}/x"), {"number": value}).outcome == "invalid"
    assert service.calls == []


def test_two_values_cannot_make_a_way_up_together(service: RecordingServer) -> None:
    failed = failure(HttpCall(url=service.url + "/o/{a}{b}/x"), {"a": ".", "b": "."})
    assert failed.outcome == "invalid"


@pytest.mark.parametrize("user", ["../ben", "ben?x=", "宋", "a b", "a%20b", "x\r\ny: z"])
def test_no_name_of_a_customer_leaves_its_place(service: RecordingServer, user: str) -> None:
    call = HttpCall(url=service.url + "/c/{customer.user}/o", headers={"X-Who": SecretStr("{customer.user}")})
    act(call, {}, Customer(channel="c", account="a", user=user))
    (seen,) = service.calls
    assert seen.path.startswith("/c/")
    assert seen.path.endswith("/o")
    assert seen.path.count("/") == 3
    assert "y" not in seen.headers


def test_an_argument_named_like_the_identity_does_not_replace_it(service: RecordingServer) -> None:
    act(HttpCall(url=service.url + "/c/{customer.user}"), {"customer.user": "ben", "customer": {"user": "ben"}})
    assert service.calls[0].path == "/c/ana"


@pytest.mark.parametrize(
    ("status", "words", "unsure"),
    [
        (301, "refused", False),
        (400, "did not accept", False),
        (404, "nothing of that kind", False),
        (409, "not possible", False),
        (429, "busy", False),
        (500, "in trouble", True),
        (503, "in trouble", True),
    ],
)
def test_an_error_is_told_by_its_status_and_nothing_of_its_body(
    service: RecordingServer, status: int, words: str, unsure: bool
) -> None:
    service._platform = lambda _: json_answer({"stack": "secret of ben"}, status=status)
    failed = failure(HttpCall(url=service.url + "/", method="POST"))
    assert words in failed.words
    assert f"HTTP {status}" in failed.words
    assert "ben" not in failed.words
    assert failed.unsure is unsure
    assert failure(HttpCall(url=service.url + "/")).unsure is False


def test_no_cookie_of_one_customers_call_goes_into_the_next(service: RecordingServer) -> None:
    service._platform = lambda _: json_answer({}, headers={"Set-Cookie": "session=ana"})
    http, call = ToolHttp(), HttpCall(url=service.url + "/")
    for _ in range(2):
        http.act(
            call, {}, Occasion(customer=ANA, conversation="c", now=NOW, key="k", deadline=timedelta(seconds=5))
        )
    assert [seen.headers.get("cookie") for seen in service.calls] == [None, None]


def test_no_redirect_is_followed(service: RecordingServer) -> None:
    service._platform = lambda _: json_answer({}, status=302, headers={"Location": service.url + "/elsewhere"})
    failure(HttpCall(url=service.url + "/"))
    assert [call.path for call in service.calls] == ["/"]


def test_no_proxy_of_the_environment_is_asked(service: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert act(HttpCall(url=service.url + "/", result="order.state"), {}) == "sent"


def test_an_endless_answer_is_not_read_to_its_end(service: RecordingServer) -> None:
    service._platform = lambda _: Answer(body=b"x" * (LARGEST_ANSWER + 1))
    assert failure(HttpCall(url=service.url + "/")).outcome == "too_large"


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b"{"])
def test_what_is_not_in_the_agreed_form_is_a_failure(service: RecordingServer, body: bytes) -> None:
    service._platform = lambda _: Answer(body=body)
    assert failure(HttpCall(url=service.url + "/", result="order")).outcome == "unreadable"


def test_a_service_that_is_down_surely_did_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    failed = failure(HttpCall(url=f"http://127.0.0.1:{port}/", method="POST"))
    assert (failed.outcome, failed.unsure) == ("unreachable", False)


def test_a_service_that_hangs_up_may_have_acted(service: RecordingServer) -> None:
    service._platform = lambda _: Answer(cut=True)
    assert failure(HttpCall(url=service.url + "/", method="POST")).unsure
    assert not failure(HttpCall(url=service.url + "/")).unsure


def test_a_silent_service_is_given_up_in_time_and_may_have_acted(service: RecordingServer) -> None:
    service._platform = lambda _: Answer(delay=5)
    started = time.monotonic()
    failed = failure(HttpCall(url=service.url + "/", method="POST"), seconds=0.3)
    assert time.monotonic() - started < 2
    assert (failed.outcome, failed.unsure) == ("timeout", True)


def test_a_service_that_drips_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_drip, args=(listener,), daemon=True).start()
        started = time.monotonic()
        failure(HttpCall(url=f"http://127.0.0.1:{listener.getsockname()[1]}/"), seconds=0.5)
        assert time.monotonic() - started < 2


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            return


def test_a_secret_is_in_no_repr() -> None:
    call = HttpCall(url="https://x.example/", headers={"Authorization": SecretStr("Bearer hush")})
    assert "hush" not in repr(call)
    assert "hush" not in json.dumps({"call": str(call)})
