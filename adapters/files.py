"""The files that a reply may carry: the operator's own, by name, and nothing else of this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from adapters.values import Attachment


class NoFile(Exception):
    """There is no such file to send. The text names the file and the next step."""


class Files(Protocol):
    """Where attachments come from."""

    def read(self, attachment: Attachment) -> bytes:
        """The whole content. Raises :class:`NoFile`."""
        ...


class MemoryFiles:
    """The twin: *contents* by name."""

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        self._contents = dict(contents or {})

    def read(self, attachment: Attachment) -> bytes:
        try:
            return self._contents[attachment.file]
        except KeyError:
            raise NoFile(f"{attachment.file}: there is no such file") from None


class Folder:
    """The files of one directory (`server.files_dir`) and of those below it. Links that lead out of it do not."""

    def __init__(self, root: Path, *, largest: int = 100 * 1024 * 1024) -> None:
        self._root = root.resolve()
        self._largest = largest

    def read(self, attachment: Attachment) -> bytes:
        try:
            path = (self._root / attachment.file).resolve(strict=True)
            if not path.is_relative_to(self._root) or not path.is_file():
                raise NoFile(f"{attachment.file}: not a file of server.files_dir")
            if path.stat().st_size > self._largest:
                raise NoFile(f"{attachment.file}: larger than {self._largest} bytes")
            return path.read_bytes()
        except (OSError, ValueError) as error:
            raise NoFile(f"{attachment.file}: {type(error).__name__}; put it into server.files_dir") from None
