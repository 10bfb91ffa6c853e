"""A tool that is one HTTP call to a service of the company's own.

The address and the identity are the operator's and ours, the arguments the model's. No redirect is followed, no
proxy of the environment is asked, nothing is repeated; what comes back is read up to a limit, and of an error only
its status is told.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import requests
from pydantic import SecretStr

from inference.deadline import Clock, DeadlineAdapter
from inference.tools import template
from inference.tools.tool import Arguments, Occasion, ToolFailed

LARGEST_ANSWER = 256 * 1024
"""Bytes."""
CONNECT = timedelta(seconds=3)
SAFE = frozenset({"GET", "HEAD"})

_MEANING: Mapping[int, str] = {
    400: "the service did not accept these values",
    401: "the service did not admit us; a colleague must look",
    403: "the service does not allow it",
    404: "there is nothing of that kind for this customer",
    409: "it is not possible in the present state",
    410: "it no longer exists",
    422: "the service did not accept these values",
    429: "the service is busy; try again later",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """What is sent, as templates. *json* None: no body. *result*: where the answer is found in the JSON that comes
    back, a dotted path, or one for each name; "" is all of it."""

    url: str
    method: str = "GET"
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    result: str | Mapping[str, str] = ""


class ToolHttp:
    """The way out that all HTTP tools of a process share. Thread-safe."""

    def __init__(self, *, connections: int = 64) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter(connections=connections))

    def act(self, call: HttpCall, arguments: Arguments, occasion: Occasion) -> object:
        """An :data:`~inference.tools.tool.Act`, once *call* is bound."""
        given = template.values(arguments, occasion.customer)
        headers = {
            "Accept": "application/json",
            **({} if call.method in SAFE else {"Idempotency-Key": occasion.key}),
            **{name: template.header(secret.get_secret_value(), given) for name, secret in call.headers.items()},
        }
        body: dict[str, Any] = {}
        if call.json is not None:
            body["data"] = json.dumps(template.body(call.json, given), ensure_ascii=False).encode(
                "utf-8", "replace"
            )
            headers["Content-Type"] = "application/json"
        return self._send(
            requests.Request(
                call.method,
                template.address(call.url, given),
                headers=headers,
                params={name: template.fill(each, given) for name, each in call.query.items()},
                **body,
            ),
            call.result,
            Clock(occasion.deadline),
        )

    def _send(self, request: requests.Request, result: str | Mapping[str, str], clock: Clock) -> object:
        safe = request.method in SAFE
        try:
            with clock.running():
                answer = self._session.send(
                    request.prepare(),
                    stream=True,
                    allow_redirects=False,
                    timeout=(min(CONNECT, clock.left).total_seconds(), clock.left.total_seconds()),
                )
                with answer:
                    return _read(answer, result, safe=safe)
        except requests.ConnectTimeout:
            raise ToolFailed("the service could not be reached", outcome="unreachable") from None
        except (requests.Timeout, TimeoutError):
            raise ToolFailed("the service took too long", outcome="timeout", unsure=not safe) from None
        except requests.RequestException as error:
            if isinstance(error, requests.ConnectionError) and _never_connected(error):
                raise ToolFailed("the service could not be reached", outcome="unreachable") from None
            raise ToolFailed("the connection broke off", outcome="cut", unsure=not safe) from None


def _never_connected(error: requests.ConnectionError) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError")


def _read(answer: requests.Response, result: str | Mapping[str, str], *, safe: bool) -> object:
    status = answer.status_code
    if not 200 <= status < 300:
        told = _MEANING.get(status) or ("the service is in trouble" if status >= 500 else "the service refused")
        raise ToolFailed(f"{told} (HTTP {status})", outcome=f"http_{status}", unsure=status >= 500 and not safe)
    content = b""
    for chunk in answer.iter_content(16 * 1024):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise ToolFailed("it worked, but the answer is too long to be read", outcome="too_large")
    if status == HTTPStatus.NO_CONTENT or not content:
        return "done"
    return _mapped(content, result)


def _mapped(content: bytes, result: str | Mapping[str, str]) -> object:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        if result:
            raise ToolFailed("the service answered, but not in the agreed form", outcome="unreadable") from None
        return content.decode("utf-8", "replace")
    if isinstance(result, str):
        return at(value, result)
    return {name: at(value, path) for name, path in result.items()}


def at(value: Any, path: str) -> Any:
    """What lies at a dotted path (`order.items.0.name`); None where nothing does."""
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
