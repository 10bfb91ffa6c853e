"""Media of a corporation: uploaded for three days, fetched by id, in ranges where they are large (§7)."""

import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.forms import form
from bot.sandbox.simulator.media import File, Shelf
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json
from bot.sandbox.wecom.errors import errcode, ok, refusal

LIFE = timedelta(days=3)
RANGED_FROM = 20 * 1024 * 1024
LARGEST = {"image": 10 * 1024 * 1024, "voice": 2 * 1024 * 1024, "video": 10 * 1024 * 1024, "file": 20 * 1024 * 1024}
SHOWN_AS = {"image": "image", "voice": "audio", "video": "video", "file": "document"}
"""What a message's type is in the chat."""
ENDINGS = {"image": ("jpg", "jpeg", "png"), "voice": ("amr",), "video": ("mp4",)}


class Media:
    """*ascii_names*: uploads whose file name is not ASCII are refused, as some report (§7)."""

    def __init__(self, shelf: Shelf, check: Callable[[Incoming], None], now: Callable[[], datetime]) -> None:
        self._shelf = shelf
        self._check = check
        self._now = now
        self.ascii_names = True

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/cgi-bin/media/upload", "upload", self._on_upload),
            route("GET", r"/cgi-bin/media/get", "download", self._on_get),
        )

    def keep(self, content: bytes, mime: str, name: str) -> str:
        id_ = f"3{secrets.token_urlsafe(32)}"
        self._shelf.put(id_, File(content=content, mime=mime, name=name, at=self._now()))
        return id_

    def find(self, id_: str) -> File | None:
        file = self._shelf.get(id_)
        return file if file and self._now() - file.at <= LIFE else None

    def _on_upload(self, exchange: Exchange) -> Answer:
        incoming = exchange.incoming
        self._check(incoming)
        kind, uploaded = incoming.argument("type"), form(incoming).get("media")
        if kind not in LARGEST:
            raise refusal(40004, "invalid media type", incoming.peer, rule="parameter_invalid")
        if uploaded is None or len(uploaded[1]) <= 5:
            raise refusal(44001, "empty media data", incoming.peer, rule="empty_media")
        part, content = uploaded
        name = part.get_filename() or ""
        if not name or (self.ascii_names and not name.isascii()):
            raise refusal(40035, "invalid parameter: filename", incoming.peer, rule="file_name")
        if name.rpartition(".")[2].lower() not in ENDINGS.get(kind, (name.rpartition(".")[2].lower(),)):
            raise refusal(40005, "invalid media file type", incoming.peer, rule="wrong_file_type")
        if len(content) > LARGEST[kind]:
            raise refusal(45001, "media size out of limit", incoming.peer, rule="media_too_large")
        id_ = self.keep(content, part.get_content_type(), name)
        return answer_json(ok(type=kind, media_id=id_, created_at=str(int(self._now().timestamp()))))

    def _on_get(self, exchange: Exchange) -> Answer:
        """The bytes, or JSON with HTTP 200 where there are none."""
        incoming = exchange.incoming
        self._check(incoming)
        file = self.find(incoming.argument("media_id"))
        if file is None:
            return answer_json(errcode(40007, "invalid media_id", incoming.peer))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", incoming.headers.get("range", ""))
        named = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        if wanted:
            first = int(wanted[1])
            last = min(int(wanted[2] or len(file.content)), len(file.content) - 1)
            ranged = {"Content-Range": f"bytes {first}-{last}/{len(file.content)}", **named}
            body = file.content[first : last + 1]
            return Answer(status=206, body=body, content_type=file.mime, headers=ranged)
        if len(file.content) > RANGED_FROM:
            return answer_json(errcode(830002, "file is too large, use Range", incoming.peer))
        return Answer(body=file.content, content_type=file.mime, headers=named)
