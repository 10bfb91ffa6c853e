"""Reads what a client sent to Redis (RESP: arrays of bulk strings)."""

from collections.abc import Iterator

Command = list[bytes]


def commands(sent: bytes) -> Iterator[Command]:
    while sent:
        command: Command = []
        count, sent = _number(sent, b"*")
        for _ in range(count):
            length, sent = _number(sent, b"$")
            command.append(sent[:length])
            sent = sent[length + 2 :]
        yield command


def _number(data: bytes, kind: bytes) -> tuple[int, bytes]:
    line, _, rest = data.partition(b"\r\n")
    assert line.startswith(kind)
    return int(line[1:]), rest
