"""The frames of the long connection: JSON both ways, no encryption (WeCom sheet §4.7).

{"cmd", "headers": {"req_id"}, "body"}              a callback, or a command of ours
{"headers": {"req_id"}, "errcode", "errmsg", …}     what a command came to
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from adapters.payload import Json, at, read_object, text

SUBSCRIBE = "aibot_subscribe"
PING = "ping"
MESSAGE = "aibot_msg_callback"
EVENT = "aibot_event_callback"
RESPOND = "aibot_respond_msg"
WELCOME = "aibot_respond_welcome_msg"
UPDATE_CARD = "aibot_respond_update_msg"
PUSH = "aibot_send_msg"
UPLOAD_BEGIN = "aibot_upload_media_init"
UPLOAD_CHUNK = "aibot_upload_media_chunk"
UPLOAD_END = "aibot_upload_media_finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame, read. *cmd* is "" in answers, *errcode* "" in anything else."""

    cmd: str
    req_id: str
    body: Json
    errcode: str

    @property
    def stream(self) -> Json:
        """The stream that a command of ours shows, or None."""
        return at(self.body, "stream")


def read_frame(raw: str | bytes) -> Frame:
    """Raises :class:`~adapters.errors.Malformed`."""
    found = read_object(raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw, forgiving=True)
    return Frame(
        cmd=text(found, "cmd"),
        req_id=text(found, "headers", "req_id"),
        body=at(found, "body"),
        errcode=text(found, "errcode"),
    )


def command(cmd: str, body: Mapping[str, object] | None = None, *, req_id: str = "") -> str:
    """A command. Answers to a callback need its *req_id*; any other gets one of its own."""
    frame: dict[str, object] = {"cmd": cmd, "headers": {"req_id": req_id or f"{cmd}_{uuid4().hex}"}}
    if body is not None:
        frame["body"] = body
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
