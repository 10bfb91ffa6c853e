"""Whether a vLLM replica serves our model: `/health` is 200 and `/v1/models` lists the name (vLLM sheet §5)."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from adapters.channel import Finding

PATIENCE = 5.0
"""Seconds for one call."""
LARGEST = 1024 * 1024
"""Bytes of an answer."""


def examine(replica: str, name: str, api_key: str) -> Finding:
    """*replica* is a base URL ending in /v1. Never raises for what the server or the network does."""
    step = _next_step(replica.rstrip("/"), name, api_key)
    return Finding(
        what=f"{named(replica)} serves {name}" if not step else named(replica), ok=not step, next_step=step
    )


def named(replica: str) -> str:
    """For a line: without what a URL may carry before the host."""
    return f"model {urlsplit(replica).netloc.rpartition('@')[2]}"


def _next_step(replica: str, name: str, api_key: str) -> str:
    """Empty: all is well."""
    root = replica.removesuffix("/v1")
    try:
        status, _ = call("GET", f"{root}/health")
        if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            return f"/health answers {status}: restart it if its engine died, or correct model.replicas"
        status, body = call("GET", f"{replica}/models", api_key)
    except (OSError, http.client.HTTPException) as error:
        return (
            f"does not answer ({type(error).__name__}): start it (`frontdesk model`) and wait until it has loaded, "
            "or correct model.replicas"
        )
    if status == http.HTTPStatus.UNAUTHORIZED:
        return "refuses our key: give model.api_key and the server's VLLM_API_KEY the same value"
    if status != http.HTTPStatus.OK:
        return (
            f"/v1/models answers {status}: model.replicas should name an OpenAI-compatible base URL ending in /v1"
        )
    served = models(body)
    if name not in served:
        return f"serves {', '.join(served) or 'nothing that we can read'}: set model.name to one of these"
    return ""


def call(
    method: str, url: str, api_key: str = "", content: Any = None, *, patience: float = PATIENCE
) -> tuple[int, bytes]:
    """Status and body. No proxy that the environment names, and no redirects: the key goes to this host only.
    Raises OSError and HTTPException."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    body = None
    if content is not None:
        body = json.dumps(content).encode()
        headers["Content-Type"] = "application/json"
    connection = kind(parts.hostname or "", parts.port, timeout=patience)
    try:
        connection.request(method, parts.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(LARGEST)
    finally:
        connection.close()


def models(body: bytes) -> dict[str, int | None]:
    """The served names with their context lengths in tokens; an adapter's is None, its parent's holds."""
    try:
        listed: Any = json.loads(body)["data"]
        return {str(each["id"])[:100]: _whole(each.get("max_model_len")) for each in listed}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
