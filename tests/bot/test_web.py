"""The web edge through Flask's test client: what each kind of request is answered, and what it leaves behind."""

import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import flask
import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse, create_environ, run_wsgi_app

from adapters.channel import Services
from adapters.errors import Unverified
from adapters.http import PlatformHttp
from adapters.memory import MemoryChannel, MemorySettings
from adapters.payload import objects, read_object, text
from adapters.signing import hmac_sha256, same
from adapters.tokens import MemoryTokenStore
from adapters.values import (
    ControlEvent,
    ConversationId,
    DeliveryState,
    Event,
    Message,
    Request,
    Response,
    StatusUpdate,
)  # fmt: skip
from bot import metrics
from bot.accounts import Accounts
from bot.controls import Controls
from bot.edge.web import BODIES, create_app
from bot.intake import Intake
from sessions.alarms import MemoryAlarms
from sessions.errors import StoreDown
from sessions.inbox import Noted, Verdict
from sessions.memory import MemoryInbox

SECRET = "twin-secret-canary"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HORIZON = timedelta(days=1)
AT_ONCE = timedelta()


class Probe(MemoryChannel):
    """The twin, with a URL check, statuses and control events; keeps the requests that it was shown."""

    largest_body: ClassVar[int] = 1000
    endpoints: ClassVar[frozenset[str]] = frozenset({"card"})

    def __init__(self, name: str, settings: MemorySettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self.seen: list[Request] = []

    def verify(self, request: Request) -> None:
        self.seen.append(request)
        if request.method == "GET":
            if not same(SECRET, request.query.get("hub.verify_token", "")):
                raise Unverified("the verify token does not fit")
            return
        super().verify(request)

    def parse(self, request: Request) -> Sequence[Event]:
        if request.method == "GET":
            return ()
        if b"explode" in request.body:
            raise KeyError("words of a customer")
        body = read_object(request.body)
        statuses = [
            StatusUpdate(
                channel=self.name,
                platform_id=f"p-{text(item, 'key')}",
                state=DeliveryState(text(item, "state") or "sent"),
                at=NOW,
                reply_key=text(item, "key"),
                pricing=text(item, "pricing"),
            )
            for item in objects(body, "statuses")
        ]
        controls = [
            ControlEvent(
                channel=self.name,
                what=text(item, "what"),
                at=NOW,
                conversation=ConversationId(channel=self.name, account=self.account, peer=who)
                if (who := text(item, "who"))
                else None,
            )
            for item in objects(body, "controls")
        ]
        return [*super().parse(request), *statuses, *controls]

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        return Response(body=request.query.get("hub.challenge", "").encode())


class BrokenInbox(MemoryInbox):
    """A store that is gone."""

    def accept(
        self, messages: Sequence[Message], *, horizon: timedelta, bookmark: tuple[str, str] | None = None
    ) -> Sequence[Verdict]:
        raise StoreDown(SECRET)

    def observe(self, update: StatusUpdate) -> Noted:
        raise StoreDown(SECRET)


def probe() -> Probe:
    services = Services(http=PlatformHttp(), tokens=MemoryTokenStore(), now=lambda: NOW)
    return Probe("shop", MemorySettings(platform="memory", secret=SecretStr(SECRET)), services)


def app_of(channel: Probe, inbox: MemoryInbox, ready: Callable[[], None]) -> flask.Flask:
    accounts, meter = Accounts(MemoryAlarms(inbox.memory)), channel.services.meter
    intake = Intake(inbox, Controls(inbox, accounts, now=lambda: NOW), meter)
    return create_app(
        channels={"shop": channel},
        inbox=inbox,
        accounts=accounts,
        meter=meter,
        intake=intake,
        ready=ready,
        now=lambda: NOW,
    )


def client_of(channel: Probe, inbox: MemoryInbox, *, alive: bool = True) -> FlaskClient:
    def ready() -> None:
        if not alive:
            raise StoreDown(SECRET)

    return app_of(channel, inbox, ready).test_client()


@pytest.fixture
def channel() -> Iterator[Probe]:
    channel = probe()
    yield channel
    channel.services.http.close()


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox(mailbox_limit=3)


@pytest.fixture
def web(channel: Probe, inbox: MemoryInbox) -> FlaskClient:
    return client_of(channel, inbox)


@pytest.fixture
def broken(channel: Probe) -> FlaskClient:
    return client_of(channel, BrokenInbox(), alive=False)


def post(
    web: FlaskClient, body: object, *, path: str = "/webhooks/shop", signature: str | None = None
) -> TestResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = hmac_sha256(SECRET, raw).hex() if signature is None else signature
    return web.post(path, data=raw, headers={"X-Signature": signed})


def hello(*ids: str, sender: str = "u-1") -> dict[str, object]:
    return {"messages": [{"id": each, "from": sender, "text": "hello"} for each in ids]}


def waiting(inbox: MemoryInbox, peer: str = "u-1") -> list[str]:
    conversation = ConversationId(channel="shop", account="twin", peer=peer)
    return [message.id for message in inbox.memory.mail.get(conversation, [])]


def counted(result: str) -> float:
    return float(metrics.webhooks_total.labels("shop", result)._value.get())


# What comes in


def test_a_signed_message_is_in_the_inbox_when_the_answer_is_200(web: FlaskClient, inbox: MemoryInbox) -> None:
    before = counted("accepted")

    answer = post(web, hello("m-1", "m-2"))

    assert (answer.status_code, answer.data) == (200, b"")
    assert waiting(inbox) == ["m-1", "m-2"]
    assert inbox.depths().ready == 1
    assert counted("accepted") == before + 1


def test_a_second_delivery_is_answered_200_and_changes_nothing(web: FlaskClient, inbox: MemoryInbox) -> None:
    post(web, hello("m-1"))
    before = counted("duplicate")

    assert post(web, hello("m-1")).status_code == 200
    assert waiting(inbox) == ["m-1"]
    assert counted("duplicate") == before + 1


def test_the_channel_sees_the_bytes_the_headers_and_the_query_as_they_were_sent(
    web: FlaskClient, channel: Probe
) -> None:
    body = b' {"messages":\r\n[]}\x00\xff'
    path = "/webhooks/shop?hub.mode=a%20b+c&sig=%2B%2F%3D&twice=1&twice=2&empty="

    web.post(path, data=body, headers={"X-Sig-Nature": "äß", "Content-Type": "application/xml"})

    (request,) = channel.seen
    assert request.body == body
    assert request.query == {"hub.mode": "a b c", "sig": "+/=", "twice": "1", "empty": ""}
    assert request.headers["x-sig-nature"] == "äß"
    assert request.headers["content-type"] == "application/xml"
    assert (request.method, request.path, request.received_at) == ("POST", "/webhooks/shop", NOW)


def test_a_form_or_a_compressed_body_is_not_interpreted(web: FlaskClient, channel: Probe) -> None:
    for content_type in (
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
    ):
        web.post("/webhooks/shop", data=b"a=1", headers={"Content-Type": content_type, "Content-Encoding": "gzip"})

    assert [request.body for request in channel.seen] == [b"a=1"] * 3


def test_the_url_check_is_answered_with_the_challenge(web: FlaskClient) -> None:
    answer = web.get(f"/webhooks/shop?hub.verify_token={SECRET}&hub.challenge=1158201444")

    assert (answer.status_code, answer.data) == (200, b"1158201444")


def test_statuses_and_control_events_never_become_messages(web: FlaskClient, inbox: MemoryInbox) -> None:
    answer = post(web, {"statuses": [{"key": "k-1"}], "controls": [{"what": "human_took_over"}]})

    assert answer.status_code == 200
    assert inbox.observed("k-1") == "p-k-1"
    assert not inbox.memory.mail
    assert b'frontdesk_control_events_total{channel="shop",what="human_took_over"}' in web.get("/metrics").data


def test_an_authentic_request_without_anything_for_us_is_200_and_a_line_for_who_looks(
    web: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "frontdesk")

    assert post(web, {}).status_code == 200
    assert "webhook_without_events" in caplog.messages


# What is refused: a status, a constant body, and nothing stored


def test_an_unverified_request_is_401(web: FlaskClient, inbox: MemoryInbox) -> None:
    for signature in ("", "0" * 64, "é", "sha256=", "\x00"):
        answer = post(web, hello("m-1"), signature=signature)
        assert (answer.status_code, answer.data) == (401, b"unauthorized\n")
    assert web.get("/webhooks/shop?hub.verify_token=wrong").status_code == 401
    assert not inbox.memory.mail


MALFORMED = {
    "not JSON": b"{",
    "empty": b"",
    "deep": b"[" * 500 + b"]" * 500,
    "NaN": b'{"a": NaN}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "not UTF-8": b'{"a": "\xff"}',
    "a list": b"[]",
    "an id that is too long": json.dumps(hello("m" * 600)).encode(),
    "no id": b'{"messages": [{"from": "u"}]}',
}


@pytest.mark.parametrize("case", MALFORMED)
def test_an_unreadable_body_is_400(case: str, web: FlaskClient, inbox: MemoryInbox) -> None:
    answer = post(web, MALFORMED[case])

    assert (answer.status_code, answer.data) == (400, b"bad request\n")
    assert not inbox.memory.mail


def test_an_endless_query_is_400(web: FlaskClient) -> None:
    answer = web.get("/webhooks/shop?" + "&".join(f"a{n}=1" for n in range(100)))

    assert (answer.status_code, answer.data) == (400, b"bad request\n")


@pytest.mark.parametrize(
    ("size", "status"), [(0, 401), (1, 401), (999, 401), (1000, 401), (1001, 413), (10**7, 413)]
)
def test_a_body_over_the_channels_limit_is_413_and_is_not_verified(
    size: int, status: int, web: FlaskClient, channel: Probe
) -> None:
    answer = post(web, b"x" * size, signature="wrong")

    assert (answer.status_code, answer.data) == (status, BODIES[status])
    assert len(channel.seen) == (status == 401)


class Endless(io.RawIOBase):
    """A client that never stops sending."""

    given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.given += len(buffer)
        assert self.given < 100_000, "read on and on"
        return len(buffer)


def test_an_endless_body_is_413_and_is_not_read_on(web: FlaskClient, channel: Probe) -> None:
    stream = Endless()
    environ = create_environ("/webhooks/shop", method="POST")
    environ.pop("CONTENT_LENGTH", None)
    environ |= {"wsgi.input": stream, "wsgi.input_terminated": True}

    chunks, status, _ = run_wsgi_app(web.application, environ)

    assert (status, b"".join(chunks)) == ("413 REQUEST ENTITY TOO LARGE", b"too large\n")
    assert not channel.seen


@pytest.mark.parametrize("body", [hello("m-1"), {"statuses": [{"key": "k"}]}], ids=["message", "status"])
def test_a_store_that_is_down_is_503_with_retry_after(body: object, broken: FlaskClient) -> None:
    before = counted("store_down")

    answer = post(broken, body)

    assert (answer.status_code, answer.data) == (503, b"unavailable, try again later\n")
    assert int(answer.headers["Retry-After"]) > 0
    assert counted("store_down") == before + 1


def test_a_full_mailbox_is_503_and_the_retry_completes_it_without_doubles(
    web: FlaskClient, inbox: MemoryInbox
) -> None:
    answer = post(web, hello("m-1", "m-2", "m-3", "m-4"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    conversation = ConversationId(channel="shop", account="twin", peer="u-1")
    del inbox.memory.mail[conversation][:2]

    assert post(web, hello("m-1", "m-2", "m-3", "m-4")).status_code == 200
    assert waiting(inbox) == ["m-3", "m-4"]


def test_a_full_mailbox_does_not_stop_another_conversation(web: FlaskClient, inbox: MemoryInbox) -> None:
    post(web, hello("m-1", "m-2", "m-3", "m-4"))

    assert post(web, hello("n-1", sender="u-2")).status_code == 200
    assert waiting(inbox, "u-2") == ["n-1"]


NOT_FOUND = (
    "POST /webhooks/other", "GET /webhooks/", "GET /webhooks/shop/x", "GET /x", "GET /webhooks//shop",
    "GET /healthz/", "GET /webhooks/%2e%2e", "GET /static/x",
)  # fmt: skip
NOT_ALLOWED = (
    "PUT /webhooks/shop", "DELETE /webhooks/shop", "OPTIONS /webhooks/shop", "HEAD /webhooks/shop", "POST /healthz",
    "POST /metrics", "TRACE /",
)  # fmt: skip


@pytest.mark.parametrize("asked", [*NOT_FOUND, *NOT_ALLOWED])
def test_a_wrong_address_or_method_is_refused(asked: str, web: FlaskClient) -> None:
    method, path = asked.split()
    status = 404 if asked in NOT_FOUND else 405

    answer = web.open(path, method=method)

    assert answer.status_code == status
    assert answer.data == (b"" if method == "HEAD" else BODIES[status])


def test_an_unexpected_exception_is_500_and_one_line_without_its_words(
    web: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = post(web, b"explode")

    assert (answer.status_code, answer.data) == (500, b"internal error\n")
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.message == "request_crashed"
    assert "words" not in caplog.text


def test_no_answer_and_no_line_repeats_a_secret_or_what_was_sent(
    web: FlaskClient, broken: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary-5d1e"
    answers = [
        post(web, canary.encode()), post(web, b"explode " + canary.encode()),
        post(web, {"messages": [{"id": canary}]}), post(web, hello("m-1"), signature=canary),
        web.get(f"/webhooks/shop?hub.verify_token={canary}"),
        web.get(f"/{canary}"), web.post(f"/webhooks/{canary}"), web.open("/", method=canary),
        post(broken, hello("m-2")), broken.get("/readyz"),
    ]  # fmt: skip

    seen = b"".join(each.data for each in answers).decode() + "".join(str(each.headers) for each in answers)
    assert all(each.status_code >= 400 for each in answers)
    assert canary not in seen
    assert SECRET not in seen
    assert canary not in caplog.text
    assert canary not in web.get("/metrics").text


# The other pages


def test_health_says_that_the_process_lives_even_without_the_store(broken: FlaskClient) -> None:
    assert (broken.get("/healthz").status_code, broken.get("/healthz").data) == (200, b"ok\n")


def test_readiness_is_the_stores(web: FlaskClient, broken: FlaskClient) -> None:
    assert web.get("/readyz").status_code == 200
    assert broken.get("/readyz").status_code == 503


def test_the_metrics_show_the_inboxs_depths_at_the_moment(web: FlaskClient) -> None:
    assert b'frontdesk_inbox_depth{place="ready"} 0.0' in web.get("/metrics").data

    post(web, hello("m-1"))

    assert b'frontdesk_inbox_depth{place="ready"} 1.0' in web.get("/metrics").data


def test_the_front_page_says_what_this_is(web: FlaskClient) -> None:
    answer = web.get("/")

    assert answer.status_code == 200
    assert b"<h1>Frontdesk</h1>" in answer.data


def test_every_answer_carries_the_security_headers(web: FlaskClient, broken: FlaskClient) -> None:
    answers = [web.get(path) for path in ("/", "/healthz", "/readyz", "/metrics", "/nowhere", "/webhooks/shop")]
    answers += [post(web, hello("m-1")), post(web, b"explode"), post(broken, hello("m-1")), web.put("/")]

    for answer in answers:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; frame-ancestors 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        assert "Server" not in answer.headers


def test_a_blueprints_pages_keep_their_own_content_policy(channel: Probe, inbox: MemoryInbox) -> None:
    app = app_of(channel, inbox, lambda: None)
    pages = flask.Blueprint("sandbox", __name__)
    policy = {"Content-Security-Policy": "default-src 'self'"}
    pages.add_url_rule("/sandbox", view_func=lambda: ("page", policy), endpoint="page")
    app.register_blueprint(pages)

    answer = app.test_client().get("/sandbox")

    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# Endpoints, statuses, control events


def test_an_endpoint_of_the_channel_is_told_to_it(web: FlaskClient, channel: Probe, inbox: MemoryInbox) -> None:
    assert post(web, hello("m-1"), path="/webhooks/shop/card").status_code == 200
    assert [request.endpoint for request in channel.seen] == ["card"]
    assert waiting(inbox) == ["m-1"]


@pytest.mark.parametrize(
    "path", ["/webhooks/shop/event", "/webhooks/shop/", "/webhooks/shop/card/x", "/webhooks//card"]
)
def test_an_unknown_endpoint_is_not_found(web: FlaskClient, channel: Probe, path: str) -> None:
    assert post(web, hello("m-1"), path=path).status_code == 404
    assert channel.seen == []


def test_a_failed_reply_is_told_and_a_price_counted_once(
    web: FlaskClient, channel: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = {
        "statuses": [{"key": "k-1", "state": "failed"}, {"key": "k-2", "state": "delivered", "pricing": "regular"}]
    }
    failed = metrics.replies_failed_total.labels("shop")._value.get()
    with caplog.at_level(logging.INFO, "frontdesk"):
        for _ in range(3):
            assert post(web, statuses).status_code == 200
    assert [record.message for record in caplog.records].count("reply_failed") == 1
    assert metrics.replies_failed_total.labels("shop")._value.get() == failed + 1
    assert channel.services.meter.read("shop", month="2026-11") == {"billed_regular": 1}


def test_a_person_who_takes_over_silences_the_bot_before_the_platform_is_told(
    web: FlaskClient, inbox: MemoryInbox
) -> None:
    assert post(web, {**hello("m-1"), "controls": [{"what": "human_took_over", "who": "u-1"}]}).status_code == 200
    (ticket,) = inbox.take(1, wait=AT_ONCE)
    turn = inbox.claim(ticket)
    assert turn is not None
    assert turn.paused


def test_a_control_event_that_cannot_be_kept_comes_again(channel: Probe) -> None:
    class Down(MemoryInbox):
        def pause(self, conversation: ConversationId, *, for_: timedelta) -> None:
            raise StoreDown(SECRET)

    web = client_of(channel, Down())
    assert post(web, {"controls": [{"what": "human_took_over", "who": "u-1"}]}).status_code == 503


def test_a_blocked_account_is_told_by_readiness_and_by_a_metric(web: FlaskClient) -> None:
    assert web.get("/readyz").data == b"ready\n"
    assert post(web, {"controls": [{"what": "account_blocked"}]}).status_code == 200
    answer = web.get("/readyz")
    assert answer.status_code == 200
    assert answer.data.startswith(b"ready\naccount blocked: shop since ")
    assert b'frontdesk_account_blocked{channel="shop"} 1.0' in web.get("/metrics").data
    assert post(web, {"controls": [{"what": "account_restored"}]}).status_code == 200
    assert web.get("/readyz").data == b"ready\n"


def test_the_months_counts_are_a_metric(web: FlaskClient, channel: Probe) -> None:
    month = f"{datetime.now(UTC):%Y-%m}"
    channel.services.meter.add("shop", "api_calls", month=month, count=7)
    line = f'frontdesk_platform_calls_month{{channel="shop",month="{month}",what="api_calls"}} 7.0'
    assert line.encode() in web.get("/metrics").data
