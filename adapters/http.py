"""The way out to the platforms: one HTTP call, one deadline, and the honest answer to "did they hear us?".

urllib3 retries nothing here (a retry is the engine's decision), follows no redirect (a token must not travel),
keeps no cookie and reads no environment (a proxy variable or .netrc must not change what the operator configured).
`requests`, which does all of these unless told otherwise, took twice the CPU for a call (0.50 against 0.26 ms).
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import urlencode

import certifi
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from adapters.connection import Exchange, exchange, timed_pools
from adapters.errors import Malformed
from adapters.payload import Json, read_json

LARGEST_ANSWER = 4 * 1024 * 1024
LONGEST_RETRY_AFTER = timedelta(hours=1)

# urllib3 2.8 writes whole URLs into its debug lines, and into a warning when an answer's headers are odd.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


class NotSent(Exception):
    """The platform cannot have seen the request: name, connect or TLS failed. Safe to repeat."""


class MaybeSent(Exception):
    """The bytes may have arrived: the answer was late, cut or unreadable."""


class TooLarge(MaybeSent):
    """The answer is larger than the caller wants; another try finds the same."""


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
            wait = timedelta(seconds=float(given)) if given[:1].isdigit() else parsedate_to_datetime(given) - now
        except OverflowError:
            return LONGEST_RETRY_AFTER
        except (ValueError, TypeError):  # TypeError: a date without a zone
            return None
        return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)


class PlatformHttp:
    """A pool of connections that all channels of a process share. Thread-safe. *authorities*: the PEM file of those
    whose certificates count."""

    def __init__(
        self,
        *,
        connect: timedelta = timedelta(seconds=5),
        total: timedelta = timedelta(seconds=15),
        connections: int = 64,
        user_agent: str = "Frontdesk/0.1",
        authorities: Path | None = None,
    ) -> None:
        self._connect = connect.total_seconds()
        self._total = total.total_seconds()
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        self._pools = timed_pools(connections, authorities or Path(certifi.where()))

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        total: timedelta | None = None,
        most: int = LARGEST_ANSWER,
    ) -> HttpAnswer:
        """One exchange. Raises :class:`NotSent` or :class:`MaybeSent` (:class:`TooLarge` beyond *most* bytes);
        every complete answer is returned, whatever its status. *url* and *params* may hold secrets: they appear
        in no exception's text."""
        limit = total.total_seconds() if total else self._total
        if not url.lower().startswith(("https://", "http://")):
            raise NotSent("the address is none of http")
        with exchange(Exchange(deadline=time.monotonic() + limit)) as current:
            try:
                with self._pools.urlopen(
                    method,
                    _with_query(url, params),
                    body=body,
                    headers={**self._headers, **(headers or {})},
                    timeout=Timeout(connect=min(self._connect, limit), read=limit),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                ) as response:
                    answer = _complete(response, _read(response, most))
                    response.release_conn()
                    return answer
            except (HTTPError, ValueError) as error:  # ValueError: what can stand in no header or request line
                kind = type(error).__name__  # the kind only: urllib3's own text holds the host
                raise (MaybeSent(kind) if current.sent else NotSent(kind)) from None

    def close(self) -> None:
        self._pools.clear()


def _with_query(url: str, params: Mapping[str, str] | None) -> str:
    if not params:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"


def _read(response: BaseHTTPResponse, most: int) -> bytes:
    content = bytearray()
    for chunk in response.stream(64 * 1024):
        content += chunk
        if len(content) > most:
            raise TooLarge(f"the answer is larger than {most} bytes")
    return bytes(content)


def _complete(response: BaseHTTPResponse, content: bytes) -> HttpAnswer:
    """The answer, if it is whole. `http.client` takes a header block that was cut for one that ended, and then
    reads a body without a length to the end of the connection: only a JSON object shows its own end."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    answer = HttpAnswer(response.status, headers, content)
    marked = (
        headers.get("content-length", "").isdigit() or "chunked" in headers.get("transfer-encoding", "").lower()
    )
    if marked or answer.status in (204, 304) or isinstance(answer.json, dict):
        return answer
    raise MaybeSent("the answer ended without saying that it was whole")
