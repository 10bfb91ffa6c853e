"""One request to one replica and its answer. Whatever goes wrong becomes an AttemptFailed with its rule."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from inference.deadline import Clock, DeadlineAdapter
from inference.draft import Draft
from inference.preview import Preview
from inference.replicas import Seen
from inference.sse import DONE, EventReader
from inference.trouble import (
    CUT_EARLY,
    CUT_LATE,
    DROPPED,
    SILENT,
    TOO_LARGE,
    TOO_LATE,
    UNREACHABLE,
    UNREADABLE,
    AttemptFailed,
    of_status,
)
from inference.values import Completion

LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes of one answer: some 25,000 events of vLLM's, and max_tokens asks for far fewer."""
LARGEST_ERROR = 64 * 1024
LARGEST_LIST = 1024 * 1024
PROBE = timedelta(seconds=2)
"""For both questions of a probe; a healthy server answers them in milliseconds, whatever it has to do."""
ENDING = timedelta(seconds=0.2)
"""How long the end of the HTTP answer may follow `[DONE]`; only then can its connection be used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Time limits of one attempt, all within the call's deadline. *connect* is short, so that a dead host costs a
    customer less than a second before another replica is asked; a lost packet is made up for by the repeat.
    *first*: until the model is at work (first token, thinking included). *between*: from token to token; a server
    stopped by SIGTERM was seen to leave streams hanging (sheet §0.11)."""

    connect: timedelta = timedelta(seconds=0.9)
    first: timedelta = timedelta(seconds=30)
    between: timedelta = timedelta(seconds=15)
    error_body: timedelta = timedelta(seconds=2)


class Wire:
    """The connections to all replicas of a model, shared by all calls of a process."""

    def __init__(self, api_key: str, limits: Limits, *, connections: int) -> None:
        """No environment (a proxy variable must not carry customers' words away), no cookies, no compression."""
        self._limits = limits
        self._templates: dict[str, requests.PreparedRequest] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update(
            {
                "Content-Type": "application/json",
                "Accept": "text/event-stream, application/json",
                "Accept-Encoding": "identity",
                "User-Agent": "Frontdesk/0.1",
            }
        )
        if api_key:
            self._session.headers["Authorization"] = f"Bearer {api_key}"
        adapter = DeadlineAdapter(connections=connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        self._session.close()

    def probe(self, url: str, name: str) -> Seen:
        """Whether the server at *url* (ending in /v1) is there and lists *name*: `/health` alone says too little,
        and a gateway may not have it (vLLM sheet §5, §9). Never raises for what the server does."""
        clock = Clock(PROBE)
        try:
            with clock.running():
                status, _ = self._get(f"{url.removesuffix('/v1')}/health", clock)
                if status >= 500:
                    return Seen.ILL
                status, body = self._get(f"{url}/models", clock)
        except requests.ConnectionError as error:
            return Seen.NOBODY if _nobody_listens(error) else Seen.ILL
        except (requests.RequestException, HTTPError, TimeoutError):
            return Seen.ILL
        return Seen.WELL if status < 500 and (status != 200 or name in served_names(body)) else Seen.ILL

    def _get(self, url: str, clock: Clock) -> tuple[int, bytes]:
        connect = min(self._limits.connect, PROBE).total_seconds()
        with self._session.get(
            url, timeout=(connect, max(clock.left.total_seconds(), 0.001)), allow_redirects=False, stream=True
        ) as response:
            return response.status_code, response.raw.read(LARGEST_LIST, decode_content=False)

    def ask(
        self,
        url: str,
        body: Mapping[str, Any],
        *,
        where: str,
        session: str,
        clock: Clock,
        alive: Callable[[], None],
        lost: Callable[[], bool] = lambda: False,
        preview: Preview | None = None,
    ) -> Completion:
        """Posts *body* and reads the whole answer. *where* names the replica, *session* the conversation (to a
        router); *alive* is called once the model is at work, *lost* in every while without a byte: true ends the
        attempt; *preview* sees the answer grow. Raises AttemptFailed."""
        draft = Draft(where, offered="tools" in body, preview=preview)
        clock.lost = lost
        clock.expect(self._limits.first)
        try:
            with clock.running(), self._post(url, body, session, clock) as response:
                self._read(response, draft, where, clock, alive)
        except (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError):
            raise AttemptFailed(UNREACHABLE, where=where) from None
        except (requests.Timeout, ReadTimeoutError, TimeoutError):
            raise AttemptFailed(SILENT if clock.left else TOO_LATE, where=where) from None
        except requests.ConnectionError as error:
            unsent = bool(error.args) and isinstance(error.args[0], MaxRetryError)
            raise AttemptFailed(UNREACHABLE if unsent else DROPPED, where=where) from None
        except (requests.RequestException, HTTPError):
            raise AttemptFailed(CUT_LATE if draft.started else CUT_EARLY, where=where) from None
        return draft.completion()

    def _post(self, url: str, body: Mapping[str, Any], session: str, clock: Clock) -> requests.Response:
        """Returns when the status line and headers are there. The adapter is asked without the session, which
        would merge its settings anew for every request: two fifths of the time, and nothing that is used here."""
        left = max(clock.left.total_seconds(), 0.001)
        request = self._template(url).copy()
        request.body = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        request.headers["Content-Length"] = str(len(request.body))
        request.headers["X-Request-Id"] = uuid.uuid4().hex
        request.headers["X-Session-ID"] = session
        timeout = (min(self._limits.connect.total_seconds(), left), left)
        return self._session.get_adapter(url).send(request, stream=True, timeout=timeout, verify=True, proxies={})

    def _template(self, url: str) -> requests.PreparedRequest:
        """What all requests to *url* have alike."""
        if url not in self._templates:
            self._templates[url] = self._session.prepare_request(requests.Request("POST", url))
        return self._templates[url]

    def _read(
        self, response: requests.Response, draft: Draft, where: str, clock: Clock, alive: Callable[[], None]
    ) -> None:
        if response.status_code != 200:
            clock.expect(self._limits.error_body)
            raise of_status(response.status_code, _error_body(response), response.headers, where=where)
        kind = response.headers.get("Content-Type", "").lower()
        if "json" in kind:
            alive()
            draft.take(b"".join(_chunks(response, where)))
            draft.must_be_whole()
        else:
            self._read_events(response, draft, where, clock, alive)
            if not draft.seen and "event-stream" not in kind:
                raise AttemptFailed(UNREADABLE, where=where)

    def _read_events(
        self, response: requests.Response, draft: Draft, where: str, clock: Clock, alive: Callable[[], None]
    ) -> None:
        reader = EventReader()
        at_work = False
        for chunk in _chunks(response, where):
            for data in reader.feed(chunk):
                if data == DONE:
                    clock.expect(ENDING)
                    _drain(response)
                    return
                if draft.take(data):
                    if not at_work:
                        at_work = True
                        alive()
                    clock.expect(self._limits.between)


def served_names(body: bytes) -> list[str]:
    """The ids in an answer of `/v1/models`; empty where it is none."""
    try:
        return [str(each["id"]) for each in json.loads(body)["data"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _nobody_listens(error: requests.ConnectionError) -> bool:
    """Refused, or no way to the host. A slow handshake and an unknown name say less of a server that was there."""
    reason = error.args[0].reason if error.args and isinstance(error.args[0], MaxRetryError) else None
    return isinstance(reason, NewConnectionError) and not isinstance(reason, NameResolutionError)


def _chunks(response: requests.Response, where: str) -> Iterator[bytes]:
    """What has come, as it comes, undecoded: a compressed answer was not asked for and could be a bomb."""
    size = 0
    while chunk := response.raw.read1(64 * 1024, decode_content=False):
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise AttemptFailed(TOO_LARGE, where=where)
        yield chunk


def _error_body(response: requests.Response) -> bytes:
    """What there is of it: the status alone decides but for one case."""
    body = b""
    try:
        while len(body) < LARGEST_ERROR and (chunk := response.raw.read1(LARGEST_ERROR, decode_content=False)):
            body += chunk
    except (HTTPError, TimeoutError):
        pass
    return body


def _drain(response: requests.Response) -> None:
    try:
        while response.raw.read1(64 * 1024, decode_content=False):
            pass
    except (HTTPError, TimeoutError):
        pass
