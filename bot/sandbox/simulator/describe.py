"""Journal entries as JSON objects, for the page and for tests in other processes."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.simulator.journal import Breach, Call, Entry, Grown, Said, SentMessage, Sign, Webhook


def described(entry: Entry) -> dict[str, Any]:
    """*kind* is said, shown, grown, sign, breach, webhook or call; times are Unix seconds, durations are ms."""
    match entry:
        case Said():
            return {
                "kind": "said",
                "user": entry.user,
                "name": entry.name,
                "text": entry.text,
                "message_id": entry.message_id,
                "place": entry.place,
                "style": entry.style,
                "media": entry.media,
                "fields": dict(entry.fields),
                "at": _time(entry.at),
            }
        case SentMessage():
            return {
                "kind": "shown",
                "to": entry.to,
                "text": entry.text,
                "key": entry.key,
                "message_id": entry.platform_id,
                "style": entry.style,
                "raw": entry.raw,
                "choices": [asdict(choice) for choice in entry.choices],
                "media": entry.media,
                "media_kind": entry.media_kind,
                "media_name": entry.media_name,
                "at": _time(entry.at),
            }
        case Grown():
            return {
                "kind": "grown",
                "to": entry.to,
                "text": entry.text,
                "message_id": entry.platform_id,
                "finished": entry.finished,
                "style": entry.style,
                "at": _time(entry.at),
            }
        case Breach():
            return {"kind": "breach", "rule": entry.rule, "detail": entry.detail, "at": _time(entry.at)}
        case Sign():
            return {
                "kind": "sign",
                "what": entry.what,
                "user": entry.user,
                "message_id": entry.message_id,
                "at": _time(entry.at),
            }
        case Webhook():
            return {"kind": "webhook", **_exchange(entry), **_webhook(entry)}
        case Call():
            return {"kind": "call", **_exchange(entry), **_call(entry)}


def _exchange(entry: Webhook | Call) -> dict[str, Any]:
    return {
        "method": entry.method,
        "headers": dict(entry.headers),
        "body": _text(entry.body),
        "status": entry.status,
        "answer": _text(entry.answer),
        "ms": _milliseconds(entry.elapsed),
        "at": _time(entry.at),
    }


def _webhook(entry: Webhook) -> Mapping[str, Any]:
    return {
        "what": entry.what,
        "message_id": entry.message_id,
        "attempt": entry.attempt,
        "url": entry.url,
        "clear": entry.clear,
        "error": entry.error,
    }


def _call(entry: Call) -> Mapping[str, Any]:
    return {
        "path": entry.path,
        "query": entry.query,
        "endpoint": entry.endpoint,
        "reason": entry.reason,
        "remarks": list(entry.remarks),
    }


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _time(at: datetime) -> float:
    return at.timestamp()


def _milliseconds(elapsed: timedelta) -> float:
    return round(elapsed.total_seconds() * 1000, 1)
