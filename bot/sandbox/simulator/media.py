"""Files that go through a simulated platform: what customers sent, and what the bot uploaded."""

import struct
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

MOST_BYTES = 256 * 1024 * 1024


def _photo(width: int, height: int) -> bytes:
    """A PNG: a parcel on a table, in front of a wall that light falls on."""
    box = (width * 30 // 100, width * 72 // 100, height * 36 // 100, height * 78 // 100)
    rows = b"".join(b"\0" + b"".join(_pixel(x, y, width, height, box) for x in range(width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _pixel(x: int, y: int, width: int, height: int, box: tuple[int, int, int, int]) -> bytes:
    left, right, top, bottom = box
    if left <= x < right and top <= y < bottom:
        if abs(2 * x - left - right) < (right - left) // 6:
            return bytes((222, 196, 150))
        shade = (x - left) * 26 // (right - left)
        return bytes((196 - shade, 150 - shade, 98 - shade))
    if y >= height * 72 // 100:
        shade = 40 if bottom <= y < bottom + height // 24 and left - 6 <= x < right + 10 else 0
        return bytes((126 - shade, 92 - shade, 70 - shade))
    light = 34 if (x + y) % width < width // 3 else 0
    return bytes((158 + light, 186 + light, 198 + light))


PNG = _photo(240, 180)
"""What a customer sends who is not asked for a picture of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """*at* is when it came, by the platform's clock."""

    content: bytes
    mime: str
    name: str
    at: datetime


class Shelf:
    """Files by id, the oldest given up when there is too much. Thread-safe."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, File] = OrderedDict()
        self._bytes = 0
        self._guard = threading.Lock()

    def put(self, name: str, file: File) -> None:
        with self._guard:
            self._drop(name)
            self._files[name] = file
            self._bytes += len(file.content)
            while self._bytes > MOST_BYTES:
                self._drop(next(iter(self._files)))

    def get(self, name: str) -> File | None:
        with self._guard:
            return self._files.get(name)

    def drop(self, name: str) -> bool:
        with self._guard:
            return self._drop(name)

    def _drop(self, name: str) -> bool:
        known = self._files.pop(name, None)
        self._bytes -= len(known.content) if known else 0
        return known is not None
