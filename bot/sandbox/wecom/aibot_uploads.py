"""Files that an AI bot uploads over its long connection: begun, in pieces, and finished (§4.7)."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.simulator.media import File, Shelf
from bot.sandbox.simulator.platform import member
from bot.sandbox.wecom.errors import errcode, ok

LARGEST_PIECE = 512 * 1024
MOST_PIECES = 100
SESSION = timedelta(minutes=30)
KINDS = {"file": "application/octet-stream", "image": "image/png", "voice": "audio/amr", "video": "video/mp4"}


@dataclass(slots=True, kw_only=True)
class Upload:
    kind: str
    name: str
    size: int
    md5: str
    count: int
    began: datetime
    pieces: dict[int, bytes] = field(default_factory=dict)


class Uploads:
    """One bot's. Each of the three frames has its answer; *breach* hears of what the platform would refuse."""

    def __init__(self, shelf: Shelf, now: Callable[[], datetime], breach: Callable[[str, str], None]) -> None:
        self._shelf = shelf
        self._now = now
        self._breach = breach
        self._open: dict[str, Upload] = {}

    def answer(self, cmd: str, body: Any) -> dict[str, Any] | None:
        """None: *cmd* is about something else."""
        steps = {
            "aibot_upload_media_init": self._begin,
            "aibot_upload_media_chunk": self._piece,
            "aibot_upload_media_finish": self._finish,
        }
        return steps[cmd](body) if cmd in steps else None

    def _begin(self, body: Any) -> dict[str, Any]:
        size, count = member(body, "total_size"), member(body, "total_chunks")
        given = [member(body, name) for name in ("type", "filename", "md5")]
        if not all(isinstance(each, str) and each for each in given) or given[0] not in KINDS:
            return self._wrong("parameter_missing", "type, filename and md5")
        if not isinstance(size, int) or not isinstance(count, int) or not 1 <= count <= MOST_PIECES:
            return self._wrong("parameter_invalid", f"total_size, and 1 to {MOST_PIECES} total_chunks")
        kind, name, md5 = map(str, given)
        id_ = secrets.token_urlsafe(16)
        self._open[id_] = Upload(kind=kind, name=name, size=size, md5=md5, count=count, began=self._now())
        return ok(body={"upload_id": id_})

    def _piece(self, body: Any) -> dict[str, Any]:
        upload, index = self._open.get(str(member(body, "upload_id"))), member(body, "chunk_index")
        if upload is None or self._now() - upload.began > SESSION:
            return errcode(40058, "upload_id is not known, or older than 30 minutes")
        try:
            content = base64.b64decode(str(member(body, "base64_data")), validate=True)
        except binascii.Error:
            return self._wrong("parameter_invalid", "base64_data")
        if not isinstance(index, int) or not 0 <= index < upload.count:
            return self._wrong("parameter_invalid", f"chunk_index is 0 to {upload.count - 1}")
        if not 0 < len(content) <= LARGEST_PIECE:
            return self._wrong("media_too_large", f"a piece of {len(content)} bytes, not 1 to {LARGEST_PIECE}")
        upload.pieces[index] = content
        return ok()

    def _finish(self, body: Any) -> dict[str, Any]:
        upload = self._open.pop(str(member(body, "upload_id")), None)
        if upload is None:
            return errcode(40058, "upload_id is not known")
        content = b"".join(upload.pieces[index] for index in sorted(upload.pieces))
        digest = hashlib.md5(content).hexdigest()  # noqa: S324 - the platform's own check
        if len(upload.pieces) != upload.count or len(content) != upload.size or digest != upload.md5:
            return self._wrong("parameter_invalid", "total_size, total_chunks or md5 do not fit what came")
        id_ = secrets.token_urlsafe(24)
        file = File(content=content, mime=KINDS[upload.kind], name=upload.name, at=self._now())
        self._shelf.put(id_, file)
        return ok(body={"type": upload.kind, "media_id": id_})

    def _wrong(self, rule: str, detail: str) -> dict[str, Any]:
        self._breach(rule, detail)
        return errcode(40058, detail)
