"""What a request brings beyond words: pictures in a chat, a recording to be written down. Checked as vLLM does."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

LARGEST_RECORDING = 25 * 1024 * 1024
"""vLLM's default of VLLM_MAX_AUDIO_CLIP_FILESIZE_MB."""

_PICTURES = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "image/bmp": (b"BM",),
}
_SOUNDS = (
    b"OggS",
    b"RIFF",
    b"ID3",
    b"\xff\xfb",
    b"\xff\xf3",
    b"\xff\xf1",
    b"\xff\xf9",
    b"fLaC",
    b"#!AMR",
    b"\x1aE\xdf\xa3",
)


class BadPart(Exception):
    """The server refuses the request with 400 and this text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A picture as it came in."""

    mime: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording as it came in; *fields* are the form's others."""

    name: str
    mime: str
    content: bytes
    fields: dict[str, str]


def words(message: dict[str, Any]) -> str:
    """The text of a chat message, with pictures or without."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def pictures(body: dict[str, Any]) -> list[Seen]:
    """All pictures of a chat request. Raises BadPart for what is none."""
    return [_picture(part) for part in _parts(body) if part.get("type") == "image_url"]


def check(body: dict[str, Any], *, name: str, sees: bool) -> None:
    """Raises BadPart for parts that the model *name* could not read."""
    for part in _parts(body):
        if part.get("type") not in ("text", "image_url"):
            raise BadPart(f"Unknown part type: {part.get('type')}")
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            raise BadPart("text: Input should be a valid string")
    if pictures(body) and not sees:
        raise BadPart(f"{name} is not a multimodal model")


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict):
                raise BadPart("content: Input should be a valid dictionary")
            yield part


def _picture(part: dict[str, Any]) -> Seen:
    target = part.get("image_url")
    url = target.get("url") if isinstance(target, dict) else None
    if not isinstance(url, str) or not url.startswith("data:"):
        raise BadPart("image_url: only a data URL can be read here")
    head, _, coded = url.removeprefix("data:").partition(",")
    mime, _, coding = head.partition(";")
    try:
        content = base64.b64decode(coded, validate=True) if coding == "base64" else b""
    except binascii.Error:
        content = b""
    if not content.startswith(_PICTURES.get(mime, (b"\x00never",))):
        raise BadPart("cannot identify image file")
    return Seen(mime=mime, content=content)


def recording(content_type: str, body: bytes) -> Recording:
    """The parts of a multipart form with a file. Raises BadPart."""
    form = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields: dict[str, str] = {}
    file: Recording | None = None
    for part in form.iter_parts() if form.is_multipart() else ():
        name = str(part.get_param("name", "", header="content-disposition"))
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            raise BadPart("multipart in a multipart")
        if filename := part.get_filename():
            file = Recording(name=filename, mime=part.get_content_type(), content=content, fields=fields)
        else:
            fields[name] = content.decode("utf-8", "replace")
    if file is None:
        raise BadPart("file: Field required")
    if len(file.content) > LARGEST_RECORDING:
        raise BadPart("Maximum file size exceeded")
    if not file.content.startswith(_SOUNDS) and file.content[4:8] != b"ftyp":
        raise BadPart("Invalid or unsupported audio file.")
    return file
