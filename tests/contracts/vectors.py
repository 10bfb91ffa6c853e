"""Recorded webhooks as files: what each is, how it came, and what it must come to.

    {"what": "…", "headers": {…}, "body": "…",
     "expected": {"outcome": "events", "messages": [{…}], "controls": ["…"]}}

*outcome* is events, malformed or unverified. A message names `id`, `peer`, `sender`, `kind`, `text`, `media` and
whatever else of the message is to be compared. *settings* override the test's own; *now* is in Unix seconds.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.channel import Channel
from adapters.errors import Malformed, Unverified
from adapters.values import ControlEvent, Message, Request

FOLDER = Path(__file__).parent.parent / "vectors"


def vectors(platform: str) -> list[Any]:
    """Every file of *platform*, as a parameter named after it."""
    files = sorted((FOLDER / platform).glob("*.json"))
    assert files, f"{platform} has no vectors"
    return [pytest.param(json.loads(file.read_text("utf-8")), id=file.stem) for file in files]


def request_of(vector: Mapping[str, Any]) -> Request:
    return Request(
        method=vector.get("method", "POST"),
        path="/webhooks/shop",
        query=vector.get("query", {}),
        headers=vector["headers"],
        body=vector["body"].encode(),
        received_at=datetime.fromtimestamp(vector.get("now", 1795176000), UTC),
    )


def holds(channel: Channel[Any], vector: Mapping[str, Any], media: Sequence[str]) -> None:
    """Fails unless *channel* makes of the webhook what it must; *media* are the fields that are listed of each."""
    expected, request = vector["expected"], request_of(vector)
    if expected["outcome"] == "unverified":
        with pytest.raises(Unverified):
            channel.verify(request)
        return
    channel.verify(request)
    if expected["outcome"] == "malformed":
        with pytest.raises(Malformed):
            channel.parse(request)
        return
    events = channel.parse(request)
    messages = [event for event in events if isinstance(event, Message)]
    for message, wanted in zip(messages, expected["messages"], strict=True):
        found = {
            **{name: getattr(message, name) for name in ("id", "sender", "kind", "text", "route", "quoted")},
            "peer": message.conversation.peer,
            "media": [[getattr(each, name) for name in media] for each in message.media],
        }
        assert {name: found[name] for name in wanted} == wanted
    assert [event.what for event in events if isinstance(event, ControlEvent)] == expected["controls"]
    assert channel.answer(request, events).status == 200
