"""Whether the operator's files can be shown in a stream (WeCom sheet §4.4)."""

from collections.abc import Mapping, Sequence

from adapters.files import Files, NoFile
from adapters.sniffing import sniff
from adapters.values import Attachment, Part

LARGEST = 10 * 1024 * 1024
"""Bytes of one image, before base64; and of all of an answer, since all go into one body within five seconds."""
_SHOWN = frozenset({"image/png", "image/jpeg"})


def problems(parts: Sequence[Part], files: Files) -> Mapping[Attachment, str]:
    """Why some images of *parts* cannot be sent, for the operator."""
    found: dict[Attachment, str] = {}
    room = LARGEST
    for attachment in (part.attachment for part in parts):
        if attachment is not None:
            try:
                content = files.read(attachment)
            except NoFile as error:
                found[attachment] = str(error)
                continue
            if (mime := sniff(content)) not in _SHOWN:
                found[attachment] = f"{attachment.file}: {mime}, and only PNG and JPEG can be shown"
            elif len(content) > room:
                found[attachment] = f"{attachment.file}: the images of one answer may have {LARGEST} bytes together"
            else:
                room -= len(content)
    return found
