"""The group robot's webhook (§6): a key for all, twenty messages a minute, files of its own."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.forms import form
from bot.sandbox.simulator.journal import Journal, SentMessage
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.serving import Answer, answer_json
from bot.sandbox.wecom.errors import ok, refusal
from bot.sandbox.wecom.media import Media

LONGEST = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}
"""Bytes."""
LARGEST_IMAGE = 2 * 1024 * 1024


class GroupRobot:
    """One robot of one group."""

    def __init__(self, key: str, media: Media, journal: Journal, now: Callable[[], datetime]) -> None:
        self.key = key
        self._media = media
        self._journal = journal
        self._now = now
        self._minute = Bucket(20, timedelta(seconds=3))

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/cgi-bin/webhook/send", "webhook", self._on_send),
            route("POST", r"/cgi-bin/webhook/upload_media", "webhook_upload", self._on_upload),
        )

    def _on_send(self, exchange: Exchange) -> Answer:
        self._check_key(exchange)
        body = exchange.incoming.json()
        kind = str(member(body, "msgtype"))
        text = self._text(kind, body)
        if not self._minute.take(self._now()):
            raise refusal(45009, "api freq out of limit")
        self._journal.add(SentMessage(to="group", text=text, key="", at=self._now(), raw=body, style=kind))
        return answer_json(ok())

    def _text(self, kind: str, body: Any) -> str:
        if kind == "image":
            return self._image(body)
        if kind in ("file", "voice", "news", "template_card"):
            return f"[{kind}]"
        content = member(body, kind, "content")
        if kind not in LONGEST:
            raise refusal(40008, "invalid message type", rule="unknown_type")
        if not isinstance(content, str) or not content.strip():
            raise refusal(44004, "empty content", rule="empty_text")
        if len(content.encode()) > LONGEST[kind]:
            raise refusal(40058, f"content exceeds {LONGEST[kind]} bytes", rule="too_long")
        return content

    def _image(self, body: Any) -> str:
        content = base64.b64decode(str(member(body, "image", "base64")))
        if hashlib.md5(content).hexdigest() != member(body, "image", "md5"):  # noqa: S324 - the platform's own check
            raise refusal(301019, "md5 does not match", rule="image_wrong")
        if len(content) > LARGEST_IMAGE:
            raise refusal(40009, "image is too large", rule="media_too_large")
        return "[image]"

    def _on_upload(self, exchange: Exchange) -> Answer:
        """The file is looked at before the key."""
        uploaded = form(exchange.incoming).get("media")
        if uploaded is None or len(uploaded[1]) <= 5:
            raise refusal(44001, "empty media data", rule="empty_media")
        self._check_key(exchange)
        part, content = uploaded
        id_ = self._media.keep(content, part.get_content_type(), part.get_filename() or "")
        return answer_json(ok(type=exchange.incoming.argument("type"), media_id=id_, created_at="0"))

    def _check_key(self, exchange: Exchange) -> None:
        if exchange.incoming.argument("key") != self.key:
            raise refusal(93000, "invalid webhook url", rule="wrong_key")
