"""Files that go through a simulated platform: what customers sent, and what the bot uploaded."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

MOST_BYTES = 256 * 1024 * 1024

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000080000000808020000"
    "004b6d29dc000000114944415478da63d0cf7f8015310c2d090024b3"
    "5f811647891f0000000049454e44ae426082"
)
"""A small blue square: what a customer sends who is not asked for a picture of their own."""


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
