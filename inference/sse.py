"""Server-sent events (WHATWG HTML §9.2), as far as a chat completion uses them: the data of each event."""

from collections.abc import Iterator

DONE = b"[DONE]"


class EventReader:
    """Bytes in, as they come; whole events out. An event is decoded by the caller only when it is whole, so a UTF-8
    character split between two chunks is no case of its own. Comment lines (vLLM's keep-alive, sheet §1) and all
    fields but `data` are skipped; an event that was not ended by an empty line is dropped, as the standard says."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._rest.append(chunk)
        if b"\n" not in chunk:  # joined only once a line is whole: a long one must not be copied with every chunk
            return
        *lines, rest = b"".join(self._rest).split(b"\n")
        self._rest = [rest]
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                data, self._data = b"\n".join(self._data), []
                yield data
