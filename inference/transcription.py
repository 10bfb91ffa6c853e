"""What was said in a voice message, as text: one request to an OpenAI-compatible speech server (vLLM sheet §10).

Like a chat answer it has one deadline for everything, sends nothing through a proxy of the environment, follows no
redirect, and its errors hold neither a word of the customer's nor of the server's.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from mimetypes import guess_extension
from typing import NoReturn
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random
from urllib3.exceptions import HTTPError, ReadTimeoutError

from inference.deadline import Clock, DeadlineAdapter
from inference.errors import ModelBusy, ModelError, ModelFailed, ModelRefused
from inference.prompt import plain
from inference.readable import without_surrogates
from inference.trouble import retry_after

LARGEST_AUDIO = 25 * 1024 * 1024
"""Bytes of one recording: OpenAI's limit, and vLLM's own default (`VLLM_MAX_AUDIO_CLIP_FILESIZE_MB`)."""
LARGEST_ANSWER = 1024 * 1024
CONNECT = timedelta(seconds=3)
ATTEMPTS = 3

_ENDINGS = {
    "audio/aac": ".aac",
    "audio/amr": ".amr",
    "audio/flac": ".flac",
    "audio/m4a": ".m4a",
    "audio/mp3": ".mp3",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/opus": ".ogg",
    "audio/wav": ".wav",
    "audio/wave": ".wav",
    "audio/webm": ".webm",
    "audio/x-m4a": ".m4a",
    "audio/x-wav": ".wav",
    "video/mp4": ".mp4",
}
"""Some servers tell the format by the name's ending alone (OpenAI's: flac mp3 mp4 mpeg mpga m4a ogg wav webm)."""
_MIME = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_Meaning = tuple[type[ModelError], str]
_TROUBLE: _Meaning = (ModelFailed, "the server is in trouble")
_REDIRECT: _Meaning = (ModelRefused, "answers with a redirect: give the final address as model.transcription.url")
_REFUSED: _Meaning = (ModelRefused, "not an answer of a speech server's; what stands at this address?")
_STATUSES: Mapping[int, _Meaning] = {
    400: (ModelRefused, "the speech server does not take this recording"),
    401: (ModelRefused, "the key is missing or wrong; set model.transcription.api_key"),
    403: (ModelRefused, "the server forbids this; see its flags and the gateway before it"),
    404: (ModelRefused, "no such model or path; compare model.transcription with GET /v1/models, url ends in /v1"),
    405: (ModelRefused, "not a transcriptions address; model.transcription.url ends in /v1"),
    408: (ModelBusy, "the gateway gave up waiting"),
    413: (ModelRefused, "the gateway refuses the size of the recording"),
    415: (ModelRefused, "the speech server does not take this recording"),
    422: (ModelRefused, "the speech server does not take this recording"),
    429: (ModelBusy, "a gateway's rate limit"),
    500: (ModelFailed, "the engine broke down or is being stopped"),
    501: (ModelRefused, "this server has no transcriptions; was it started with its audio extra?"),
    502: (ModelBusy, "the gateway has no speech server behind it"),
    503: (ModelBusy, "the queue is full"),
    504: (ModelBusy, "the gateway's speech server was too slow"),
}


class Transcriber:
    """*url* is a base URL ending in /v1, *model* the served name. *language* (ISO 639-1) helps where it is known.
    *largest*: bytes of a recording; a longer one is not sent. Thread-safe."""

    def __init__(
        self,
        url: str,
        model: str,
        api_key: str = "",
        *,
        language: str = "",
        largest: int = LARGEST_AUDIO,
        connections: int = 64,
    ) -> None:
        self._url = f"{url.rstrip('/')}/audio/transcriptions"
        parts = urlsplit(url)
        self._where = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        self._fields = {"model": model, "response_format": "json"} | ({"language": language} if language else {})
        self._largest = largest
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        self._session.headers["User-Agent"] = "Frontdesk/0.1"
        if api_key:
            self._session.headers["Authorization"] = f"Bearer {api_key}"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter(connections=connections))

    def text(self, content: bytes, mime: str, *, deadline: timedelta) -> str:
        """What was said in the recording, "" where nothing was. Whatever the server does, it takes no longer than
        *deadline*; a busy one is asked again within it. Raises ModelBusy, ModelFailed, ModelRefused."""
        if not content:
            raise ModelRefused("the recording is empty")
        if len(content) > self._largest:
            raise ModelRefused(f"the recording has more than {self._largest} bytes")
        clock = Clock(deadline)
        retrying = Retrying(
            retry=retry_if_exception_type(ModelBusy),
            stop=lambda state: (
                state.attempt_number >= ATTEMPTS or state.upcoming_sleep >= clock.left.total_seconds()
            ),
            wait=_pause,
            reraise=True,
        )
        return retrying(self._attempt, content, mime, clock)

    def close(self) -> None:
        self._session.close()

    def _attempt(self, content: bytes, mime: str, clock: Clock) -> str:
        request = requests.Request("POST", self._url, data=self._fields, files={"file": _named(content, mime)})
        left = clock.left.total_seconds()
        try:
            with (
                clock.running(),
                self._session.send(
                    self._session.prepare_request(request),
                    stream=True,
                    allow_redirects=False,
                    timeout=(max(min(CONNECT.total_seconds(), left), 0.001), max(left, 0.001)),
                ) as answer,
            ):
                return self._read(answer)
        except requests.ConnectTimeout:
            raise ModelBusy(f"{self._where}: cannot be reached") from None
        except (requests.Timeout, ReadTimeoutError, TimeoutError):
            raise ModelFailed(f"{self._where}: no transcript within the deadline") from None
        except requests.ConnectionError:
            if not clock.left:
                raise ModelFailed(f"{self._where}: no transcript within the deadline") from None
            raise ModelBusy(f"{self._where}: cannot be reached, or closed the connection") from None
        except (requests.RequestException, HTTPError):
            raise ModelFailed(f"{self._where}: closed the connection in the middle of the answer") from None

    def _read(self, answer: requests.Response) -> str:
        if answer.status_code != 200:
            self._refuse(answer)
        content = b""
        while chunk := answer.raw.read1(64 * 1024, decode_content=False):
            content += chunk
            if len(content) > LARGEST_ANSWER:
                raise ModelFailed(f"{self._where}: the answer is larger than any transcript")
        try:
            said = json.loads(content)["text"]
        except (ValueError, KeyError, TypeError, RecursionError):
            said = None
        if not isinstance(said, str):
            raise ModelFailed(f"{self._where}: the answer is no transcription")
        return plain(_CONTROL.sub("", without_surrogates(said)))

    def _refuse(self, answer: requests.Response) -> NoReturn:
        status = answer.status_code
        other = _TROUBLE if status >= 500 else _REDIRECT if 300 <= status < 400 else _REFUSED
        error, meaning = _STATUSES.get(status, other)
        text = f"{self._where}: HTTP {status}: {meaning}"
        if error is ModelBusy:
            asked = retry_after(answer.headers.get("retry-after", ""), datetime.now(UTC))
            raise ModelBusy(text, retry_after=asked)
        raise error(text)


def _named(content: bytes, mime: str) -> tuple[str, bytes, str]:
    """The part's file name, content and type. *mime* is a stranger's word, and no header may come of it."""
    kind = mime.partition(";")[0].strip().casefold()
    if not _MIME.fullmatch(kind):
        kind = "application/octet-stream"
    return f"voice{_ENDINGS.get(kind) or guess_extension(kind) or '.bin'}", content, kind


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ModelBusy) else None
    pause = wait_exponential(multiplier=0.3, max=2) + wait_random(0, 0.3)
    return max(pause(state), asked.total_seconds() if asked else 0.0)
