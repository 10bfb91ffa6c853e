"""A file over the long connection, in pieces (WeCom sheet §4.7)."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from adapters.payload import Json, text
from adapters.values import Refused, Unknown
from adapters.wecom.api import Result
from adapters.wecom_aibot.frames import UPLOAD_BEGIN, UPLOAD_CHUNK, UPLOAD_END, command

CHUNK = 512 * 1024
"""Bytes before base64."""

Ask = Callable[[str], Result]
"""Says a frame, and brings the platform's answer to it."""


def upload(file: str, content: bytes, ask: Ask) -> str | Refused | Unknown:
    """The media id of an image, good for three days."""
    pieces = [content[place : place + CHUNK] for place in range(0, len(content), CHUNK)]
    begin = {
        "type": "image",
        "filename": PurePosixPath(file).name,
        "total_size": len(content),
        "total_chunks": len(pieces),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }
    begun = _asked(ask, UPLOAD_BEGIN, begin, "upload_id")
    if not isinstance(begun, str):
        return begun
    for index, piece in enumerate(pieces):
        chunk = {"upload_id": begun, "chunk_index": index, "base64_data": base64.b64encode(piece).decode()}
        result = ask(command(UPLOAD_CHUNK, chunk))
        if isinstance(result, Refused | Unknown):
            return result
    return _asked(ask, UPLOAD_END, {"upload_id": begun}, "media_id")


def _asked(ask: Ask, cmd: str, body: Mapping[str, object], field: str) -> str | Refused | Unknown:
    """The *field* of the answer. Whether it stands in a body of its own is not said: either place will do."""
    result = ask(command(cmd, body))
    if isinstance(result, Refused | Unknown):
        return result
    return _found(result, field) or Unknown(reason=f"the platform's answer to {cmd} has no {field}")


def _found(answer: Json, field: str) -> str:
    return text(answer, "body", field) or text(answer, field)
