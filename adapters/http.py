"""The way out to the platforms: one HTTP call, one deadline, and the honest answer to "did they hear us?".

`requests` retries nothing here (a retry is the engine's decision), follows no redirect (a token must not travel)
and reads no environment (a proxy variable or .netrc must not change what the operator configured).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError
from urllib3.exceptions import SSLError as TlsError

from adapters.errors import Malformed
from adapters.payload import Json, read_json

LARGEST_ANSWER = 4 * 1024 * 1024
LONGEST_RETRY_AFTER = timedelta(hours=1)


class NotSent(Exception):
    """The platform cannot have seen the request: name, connect or TLS failed. Safe to repeat."""


class MaybeSent(Exception):
    """The bytes may have arrived: the answer was late, cut or unreadable."""


@dataclass(frozen=True)
class HttpAnswer:
    """A complete HTTP answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Json:
        """The body's JSON, or None where it is none (an edge's HTML page)."""
        try:
            return read_json(self.body)
        except Malformed:
            return None

    def retry_after(self, now: datetime) -> timedelta | None:
        """What `Retry-After` asks for, as seconds or as a date (RFC 9110 §10.2.3), at most an hour."""
        given = self.headers.get("retry-after", "").strip()
        try:
            wait = timedelta(seconds=float(given))
        except (ValueError, OverflowError):
            try:
                wait = parsedate_to_datetime(given) - now
            except (ValueError, TypeError):
                return None
        return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)


class PlatformHttp:
    """A pool of connections that all channels of a process share. Thread-safe."""

    def __init__(
        self,
        *,
        connect: timedelta = timedelta(seconds=5),
        total: timedelta = timedelta(seconds=15),
        connections: int = 64,
        user_agent: str = "Frontdesk/0.1",
    ) -> None:
        self._connect = connect.total_seconds()
        self._total = total.total_seconds()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = user_agent
        pool = HTTPAdapter(pool_connections=32, pool_maxsize=connections, max_retries=0)
        self._session.mount("https://", pool)
        self._session.mount("http://", pool)

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        total: timedelta | None = None,
    ) -> HttpAnswer:
        """One exchange. Raises :class:`NotSent` or :class:`MaybeSent`; every complete answer is returned,
        whatever its status. *url* and *params* may hold secrets: they appear in no exception's text."""
        limit = total.total_seconds() if total else self._total
        deadline = time.monotonic() + limit
        try:
            with self._session.request(
                method, url, data=body, headers=headers, params=params,
                timeout=(min(self._connect, limit), limit), allow_redirects=False, stream=True,
            ) as response:  # fmt: skip
                content = _read(response, deadline)
                names = {name.lower(): value for name, value in response.headers.items()}
                return HttpAnswer(response.status_code, names, content)
        except requests.RequestException as error:
            raise _classified(error) from None

    def close(self) -> None:
        self._session.close()


def _read(response: requests.Response, deadline: float) -> bytes:
    """The whole body. A per-read timeout alone would let an answer drip for ever."""
    content = bytearray()
    for chunk in response.iter_content(chunk_size=64 * 1024):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise MaybeSent("the answer is larger than any that the platform documents")
        if time.monotonic() > deadline:
            raise MaybeSent("the answer was not complete in time")
    return bytes(content)


def _classified(error: requests.RequestException) -> NotSent | MaybeSent:
    """Which of the two it is; the text names the kind only, since requests' own text holds the URL."""
    kind = type(error).__name__
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return NotSent(kind)
    if isinstance(error, requests.ConnectionError):
        cause = error.args[0] if error.args else None
        reason = cause.reason if isinstance(cause, MaxRetryError) else cause
        if isinstance(reason, NewConnectionError | ConnectTimeoutError | TlsError):
            return NotSent(type(reason).__name__)
        return MaybeSent(kind)
    if isinstance(
        error,
        requests.exceptions.InvalidURL | requests.exceptions.MissingSchema | requests.exceptions.InvalidSchema,
    ):
        return NotSent(kind)
    return MaybeSent(kind)
