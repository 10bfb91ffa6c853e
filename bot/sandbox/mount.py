"""Forwards /sandbox of the bot's own web server to the sandbox process, live events included."""

import re
from collections.abc import Iterator

import requests
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

KEPT = (
    "Content-Type",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cache-Control",
    "Content-Disposition",
    "X-Accel-Buffering",
)
PATIENCE = (2, 12)
"""Seconds to connect, and between two pieces of an answer: live events beat every 2 s, a webhook may take 10 s."""
LARGEST_BODY = 1024 * 1024
PATHS = re.compile(r"(?:\w+\.\w+|_sim/(?:[\w-]+/\w+)?)?")
"""The page's files and the control interface. Nothing with dots to climb out: the HTTP client would follow them."""


def blueprint(upstream: str) -> Blueprint:
    """Serves /sandbox/ from *upstream* (`FRONTDESK_SANDBOX`, such as http://127.0.0.1:8090)."""
    base = upstream.rstrip("/")
    mounted = Blueprint("sandbox", __name__)
    session = requests.Session()
    session.trust_env = False

    @mounted.get("/sandbox")
    def page() -> AnyResponse:
        return redirect("sandbox/", 308)

    @mounted.route("/sandbox/", defaults={"path": ""}, methods=["GET"])
    @mounted.route("/sandbox/<path:path>", methods=["GET", "POST"])
    def forward(path: str) -> Response:
        if not PATHS.fullmatch(path):
            return Response("not found\n", 404, mimetype="text/plain")
        if (request.content_length or 0) > LARGEST_BODY:
            return Response("too large\n", 413, mimetype="text/plain")
        try:
            answer = session.request(
                request.method,
                f"{base}/sandbox/{path}",
                params=request.args.to_dict(),
                data=request.get_data() or None,
                headers={
                    name: request.headers[name]
                    for name in ("Content-Type", "Last-Event-ID")
                    if name in request.headers
                },
                stream=True,
                allow_redirects=False,
                timeout=PATIENCE,
            )
        except requests.RequestException:
            return Response("The sandbox does not answer; it may be starting.\n", 502, mimetype="text/plain")
        headers = {name: answer.headers[name] for name in KEPT if name in answer.headers}
        forwarded = Response(_pieces(answer), answer.status_code, headers)
        forwarded.call_on_close(answer.close)
        return forwarded

    return mounted


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """The body as it arrives; ends quietly when the sandbox stops, for then there is nobody left to tell."""
    try:
        yield from answer.iter_content(None)
    except requests.RequestException:
        return
