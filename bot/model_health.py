"""Whether a vLLM replica serves our model: `/health` is 200 and `/v1/models` lists the name (vLLM sheet §5)."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.channel import Finding

PATIENCE = 5.0
"""Seconds for one call."""
LARGEST = 1024 * 1024
"""Bytes of a list of models."""


def examine(replica: str, name: str, api_key: str) -> Finding:
    """*replica* is a base URL ending in /v1. Never raises for what the server or the network does."""
    what = f"model {urlsplit(replica).netloc.rpartition('@')[2]}"
    step = _next_step(replica.rstrip("/"), name, api_key)
    return Finding(what=f"{what} serves {name}" if not step else what, ok=not step, next_step=step)


def _next_step(replica: str, name: str, api_key: str) -> str:
    """Empty: all is well."""
    root = replica.removesuffix("/v1")
    try:
        status, _ = _get(f"{root}/health", {})
        if status != http.HTTPStatus.OK:
            return f"/health answers {status}: restart it if its engine died, or correct model.replicas"
        status, body = _get(f"{replica}/models", {"Authorization": f"Bearer {api_key}"} if api_key else {})
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
    served = _names(body)
    if name not in served:
        return f"serves {', '.join(served) or 'nothing that we can read'}: set model.name to one of these"
    return ""


def _get(url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """No proxy that the environment names, and no redirects: the key goes to this host only."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(LARGEST)
    finally:
        connection.close()


def _names(body: bytes) -> list[str]:
    try:
        listed: Any = json.loads(body)["data"]
        return [str(each["id"])[:100] for each in listed]
    except (ValueError, KeyError, TypeError):
        return []
