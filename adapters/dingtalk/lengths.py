"""How long a voice file plays, and how long and large a video is: DingTalk's messages want to be told.

AMR-NB storage: RFC 4867 §5. MP4: ISO/IEC 14496-12, the boxes `mvhd` (§8.2.2) and `tkhd` (§8.3.2).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

AMR = b"#!AMR\n"
_FRAME_MS = 20
_FRAME_BYTES = (12, 13, 15, 17, 19, 20, 26, 31, 5, 0, 0, 0, 0, 0, 0, 0)
"""Without the frame's own head byte, by its type."""
_CONTAINERS = (b"moov", b"trak")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Whole *seconds*, at least one; *width* and *height* in pixels."""

    seconds: int = 1
    width: int = 640
    height: int = 360


def amr_milliseconds(content: bytes) -> int:
    """At least one frame's, so that nobody is told of an empty message."""
    place, frames = len(AMR), 0
    while place < len(content):
        place += 1 + _FRAME_BYTES[content[place] >> 3 & 0x0F]
        frames += 1
    return max(frames, 1) * _FRAME_MS


def mp4_shape(content: bytes) -> Shape:
    """What the file says; a usual shape where it says nothing readable."""
    shape = Shape()
    try:
        for kind, box in _boxes(content):
            if kind == b"mvhd":
                shape = Shape(seconds=_seconds(box), width=shape.width, height=shape.height)
            elif kind == b"tkhd":
                width, height = (size >> 16 for size in struct.unpack(">II", box[-8:]))
                if width and height:
                    return Shape(seconds=shape.seconds, width=width, height=height)
    except (struct.error, ZeroDivisionError):
        pass
    return shape


def _seconds(box: bytes) -> int:
    form, place = (">IQ", 20) if box[:1] == b"\x01" else (">II", 12)
    scale, length = map(int, struct.unpack_from(form, box, place))
    return max(1, round(length / scale))


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes, those inside others included."""
    place = 0
    while place + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", content, place + 8)[0], 16
        if size < head:
            return
        inside = content[place + head : place + size]
        yield kind, inside
        if kind in _CONTAINERS:
            yield from _boxes(inside)
        place += size
