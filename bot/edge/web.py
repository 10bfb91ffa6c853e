"""The web edge: webhooks go in, and 200 goes out only when the store has them. No model, no platform call here.

Every error body is a constant: nothing of a request or an exception is ever sent back.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import flask
from flask import Flask
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from adapters.channel import Channel
from adapters.errors import Malformed, Unverified
from adapters.meter import Meter
from adapters.values import Request, Response
from bot import metrics
from bot.accounts import Accounts
from bot.intake import Intake, MailboxFull
from bot.logs import log, log_crash
from bot.outage import Outage
from sessions.errors import StoreDown
from sessions.inbox import Inbox

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RETRY_AFTER = 5
"""Seconds that a platform is asked to wait when the store is down or a mailbox is full."""
MOST_QUERY_FIELDS = 32

BODIES: Mapping[int, bytes] = {
    400: b"bad request\n",
    401: b"unauthorized\n",
    403: b"forbidden\n",
    404: b"not found\n",
    405: b"method not allowed\n",
    408: b"request timeout\n",
    413: b"too large\n",
    500: b"internal error\n",
    503: b"unavailable, try again later\n",
}
SECURITY = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Frontdesk</title>
<h1>Frontdesk</h1><p>A front desk for instant messaging. Webhooks go to <code>/webhooks/&lt;channel&gt;</code>.</p>
"""

Answer = flask.Response


class Webhooks:
    """Takes one platform's request through verify, parse, accept and answer."""

    def __init__(
        self, channels: Mapping[str, Channel[Any]], intake: Intake, outage: Outage, now: Callable[[], datetime]
    ) -> None:
        self._channels = channels
        self._intake = intake
        self._outage = outage
        self._now = now

    def receive(self, name: str, endpoint: str = "") -> Answer:
        """*endpoint*: what follows the channel's own address, one of `Channel.endpoints`."""
        started = time.perf_counter()
        channel = self._channels.get(name)
        if channel is None or (endpoint and endpoint not in channel.endpoints):
            return refusal(404)
        if flask.request.method == "HEAD":  # werkzeug lets it in with GET; no platform sends it
            return refusal(405)
        result, answer = self._handled(channel, endpoint)
        metrics.webhooks_total.labels(name, result).inc()
        metrics.accept_seconds.labels(name).observe(time.perf_counter() - started)
        return answer

    def _handled(self, channel: Channel[Any], endpoint: str) -> tuple[str, Answer]:
        """What became of the request, as a word for the metrics, and its answer."""
        try:
            request = self._request(channel.largest_body, endpoint)
            channel.verify(request)
            events = channel.parse(request)
            if not events:  # a URL check, a poll, or what is passed over: another account, an unknown event
                log("webhook_without_events", level="debug", channel=channel.name)
            kept = self._intake.keep(channel, events)
            answer = native(channel.answer(request, events))
            self._outage.over()
            return kept.word, answer
        except Unverified as error:
            log("webhook_unverified", level="warning", channel=channel.name, reason=str(error))
            return "unverified", refusal(error.status)
        except Malformed as error:
            log("webhook_malformed", level="warning", channel=channel.name, reason=str(error))
            return "malformed", refusal(400)
        except RequestEntityTooLarge:
            log("webhook_too_large", level="warning", channel=channel.name)
            return "too_large", refusal(413)
        except MailboxFull:
            return "full", refusal(503)
        except StoreDown as error:
            self._outage.met("accept", error, level="error", channel=channel.name)
            return "store_down", refusal(503)

    def _request(self, largest: int, endpoint: str) -> Request:
        """Flask's request as ours: the raw body, lower-case header names, the first value of each query field."""
        environ = flask.request.environ
        headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key[:5] == "HTTP_"}
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        return Request(
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            query=_query(environ.get("QUERY_STRING", "")),
            headers=headers,
            body=_body(environ, largest),
            received_at=self._now(),
            endpoint=endpoint,
        )


def create_app(
    *,
    channels: Mapping[str, Channel[Any]],
    inbox: Inbox,
    accounts: Accounts,
    meter: Meter,
    intake: Intake,
    ready: Callable[[], None],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Flask:
    """The WSGI application. *ready* raises StoreDown unless the store can be written to. A caller may register the
    sandbox's blueprint, whose pages bring a content policy of their own."""
    app = Flask("frontdesk", static_folder=None)
    app.url_map.merge_slashes = False  # no redirects: a path is right or it is not found
    outage = Outage()
    webhooks = Webhooks(channels, intake, outage, now)
    shown = metrics.Shown(inbox=inbox, accounts=accounts, meter=meter, channels=tuple(channels))
    _route(app, "/webhooks/<name>", webhooks.receive, ("GET", "POST"))
    _route(app, "/webhooks/<name>/<endpoint>", webhooks.receive, ("GET", "POST"))
    _route(app, "/healthz", lambda: flask.Response("ok\n", mimetype="text/plain"))
    _route(app, "/readyz", lambda: _readiness(ready, accounts, outage))
    _route(app, "/metrics", lambda: flask.Response(metrics.render(shown), content_type=metrics.CONTENT_TYPE))
    _route(app, "/", lambda: flask.Response(PAGE, content_type="text/html; charset=utf-8"))
    app.register_error_handler(HTTPException, lambda error: refusal(error.code or 500))
    app.register_error_handler(Exception, _crashed)
    app.wsgi_app = _secured(app.wsgi_app)  # type: ignore[assignment, method-assign]
    return app


def refusal(status: int) -> Answer:
    """The constant answer for *status*."""
    answer = flask.Response(BODIES.get(status, b"refused\n"), status, content_type="text/plain; charset=utf-8")
    if status == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


def native(response: Response) -> Answer:
    return flask.Response(response.body, response.status, content_type=response.content_type)


def _route(app: Flask, rule: str, view: Callable[..., Answer], methods: Sequence[str] = ("GET",)) -> None:
    app.add_url_rule(rule, endpoint=rule, view_func=view, methods=methods, provide_automatic_options=False)


def _readiness(ready: Callable[[], None], accounts: Accounts, outage: Outage) -> Answer:
    """A blocked account is told, but the desk is ready: taking it out of service would help nobody."""
    try:
        ready()
        blocked = accounts.blocked()
    except StoreDown as error:
        outage.met("readyz", error, level="error")
        return refusal(503)
    outage.over()
    lines = [
        "ready",
        *(
            f"account blocked: {name} since {alarm.since:%Y-%m-%dT%H:%M:%SZ}"
            for name, alarm in sorted(blocked.items())
        ),
    ]
    return flask.Response("".join(f"{line}\n" for line in lines), mimetype="text/plain")


def _crashed(error: Exception) -> Answer:
    rule = flask.request.url_rule
    log_crash("request_crashed", error, method=flask.request.method, route=rule.rule if rule else "")
    return refusal(500)


def _secured(inner: "WSGIApplication") -> "WSGIApplication":
    """Adds the security headers to every answer; one that an answer brings itself is kept. Beneath Flask, whose
    header objects would cost a tenth of a webhook's time."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
            present = {name.lower() for name, _ in headers}
            headers += [each for each in SECURITY if each[0].lower() not in present]
            return start_response(status, headers, *rest)

        return inner(environ, start)

    return answer


def _body(environ: "WSGIEnvironment", largest: int) -> bytes:
    """The raw body. werkzeug's own limit cuts a chunked body, whose length is not declared, short instead of
    refusing it."""
    given = environ.get("CONTENT_LENGTH", "")
    declared = int(given) if given.isascii() and given.isdigit() else None
    if declared is not None and declared > largest:
        raise RequestEntityTooLarge
    try:
        body: bytes = environ["wsgi.input"].read(largest + 1 if declared is None else declared)
    except OSError as error:
        raise Malformed(f"the body broke off: {type(error).__name__}") from None
    if len(body) > largest:
        raise RequestEntityTooLarge
    if declared is not None and len(body) < declared:
        raise Malformed("the body broke off")
    return body


def _query(text: str) -> Mapping[str, str]:
    """Single-valued, names kept literally ("hub.mode"); of repeated names the first counts."""
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_QUERY_FIELDS)
    except ValueError:
        raise Malformed("too many query fields") from None
    return dict(reversed(fields))
