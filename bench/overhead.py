"""What the model's client itself costs: ours and openai-python's, each beside a bare socket that only reads.

The server is a process of its own that sends prepared bytes in vLLM's shapes, each token an HTTP chunk. All readers
take turns in one run, so that the machine's noise meets all alike; figures are medians of the rounds.
"""

import asyncio
import json
import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from inference.values import ChatMessage
from inference.vllm import VllmModel

SHORT, LONG = 1, 256
"""Tokens of an answer. A short one shows what an answer costs, the difference to a long one what a token does."""
ROUNDS = 60
PAUSE = 0.0005
"""Seconds from token to token when paced: each is read alone, as from a GPU, and the bench still ends."""

Ask = Callable[[str], str]


@dataclass(frozen=True)
class Cost:
    """Seconds that a client adds to the bare reader's."""

    answer: float
    token: float


@dataclass(frozen=True)
class Overhead:
    """*wall*: the answer was sent in one go; *cpu*: it came token by token."""

    wall: Cost
    cpu: Cost


def _stream(tokens: int) -> tuple[bytes, list[bytes], bytes]:
    """Head with the role-only event, one chunk a token, and the end."""

    def chunk(data: object) -> bytes:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        event = f"data: {text}\n\n".encode()
        return b"%x\r\n%b\r\n" % (len(event), event)

    def piece(delta: dict[str, str], finish: str | None = None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "token_ids": None}
        known = {"id": "chatcmpl-b775f4e6784ae7ce", "object": "chat.completion.chunk", "created": 1795203193}
        return {**known, "model": "gpt-oss-20b", "choices": [choice]}

    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    usage = {"prompt_tokens": 141, "total_tokens": 141 + tokens, "completion_tokens": tokens}
    ends = (piece({}, "stop"), piece({}) | {"choices": [], "usage": usage}, "[DONE]")
    words = [chunk(piece({"content": "退款" if number % 2 else " word"})) for number in range(tokens)]
    return (
        head + chunk(piece({"role": "assistant", "content": ""})),
        words,
        b"".join(map(chunk, ends)) + b"0\r\n\r\n",
    )


class _Server(asyncio.Protocol):
    """`/burst/<tokens>/…` answers in one go, `/paced/<tokens>/…` token by token."""

    prepared = {tokens: _stream(tokens) for tokens in (SHORT, LONG)}  # noqa: RUF012  made once, read only

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        raw = transport.get_extra_info(
            "socket"
        )  # asyncio itself leaves Nagle on where the listener has no protocol
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].split(maxsplit=1)[0]):
            return
        self._received = b""
        way, tokens = head.split(b"/")[1:3]
        before, words, after = self.prepared[int(tokens)]
        if way == b"burst":
            self._transport.write(b"".join((before, *words, after)))
        else:
            self._pace([before, *words, after])

    def _pace(self, pieces: list[bytes]) -> None:
        self._transport.write(pieces[0])
        if len(pieces) > 1:
            asyncio.get_running_loop().call_later(PAUSE, self._pace, pieces[1:])


def _serve(listener: socket.socket) -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, sock=listener)
        await server.serve_forever()

    asyncio.run(forever())


@contextmanager
def _server() -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.kill()
        process.join()
        listener.close()


def _bare() -> Ask:
    """The least that any client must do: send the request, and read until the last chunk."""
    connections: dict[str, socket.socket] = {}
    body = json.dumps({"model": "gpt-oss-20b", "messages": [{"role": "user", "content": "hi"}], "stream": True})

    def ask(url: str) -> str:
        parts = urlsplit(url)
        connection = connections.get(parts.netloc)
        if connection is None:
            connection = connections[parts.netloc] = socket.create_connection(
                (parts.hostname or "", parts.port or 0)
            )
        head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body.encode())
        pieces = [connection.recv(65536)]
        while not pieces[-1].endswith(b"0\r\n\r\n"):
            pieces.append(connection.recv(65536))
        return b"".join(pieces).decode()

    return ask


def _ours() -> Ask:
    models: dict[str, VllmModel] = {}

    def ask(url: str) -> str:
        model = models.get(url) or models.setdefault(url, VllmModel([url], "gpt-oss-20b", "key"))
        question = [ChatMessage(role="user", content="hi")]
        return model.complete(
            question, conversation="whatsapp:1:2", deadline=timedelta(seconds=60), max_tokens=512
        ).text

    return ask


def _openai() -> Ask | None:
    """None where the package is not installed."""
    try:
        from openai import OpenAI
    except ImportError:
        return None
    clients: dict[str, OpenAI] = {}

    def ask(url: str) -> str:
        client = clients.get(url) or clients.setdefault(url, OpenAI(base_url=url, api_key="key"))
        with client.chat.completions.create(
            model="gpt-oss-20b",
            messages=[{"role": "user", "content": "hi"}],
            max_tokens=512,
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:
            return "".join(event.choices[0].delta.content or "" for event in stream if event.choices)

    return ask


def measure(rounds: int = ROUNDS) -> dict[str, Overhead]:
    """What each client adds, by its name; openai-python is left out where it is not installed."""
    asks = {"bare": _bare(), "ours": _ours(), "openai-python": _openai()}
    present: dict[str, Ask] = {name: ask for name, ask in asks.items() if ask}
    with _server() as url:
        wall = _costs(present, f"{url}/burst", time.perf_counter, rounds)
        cpu = _costs(present, f"{url}/paced", time.process_time, max(rounds // 2, 3))
    return {name: Overhead(wall[name], cpu[name]) for name in present if name != "bare"}


def _costs(asks: dict[str, Ask], url: str, clock: Callable[[], float], rounds: int) -> dict[str, Cost]:
    took: dict[tuple[str, int], list[float]] = {(name, tokens): [] for name in asks for tokens in (SHORT, LONG)}
    for number in range(rounds + 3):
        for (name, tokens), times in took.items():
            begun = clock()
            text = asks[name](f"{url}/{tokens}/v1")
            if number >= 3:  # the first rounds open connections and load code
                times.append(clock() - begun)
            assert text.count("退款") == tokens // 2
    middle = {key: statistics.median(times) for key, times in took.items()}
    bare = {tokens: middle["bare", tokens] for tokens in (SHORT, LONG)}
    return {
        name: Cost(
            answer=middle[name, SHORT] - bare[SHORT],
            token=(middle[name, LONG] - bare[LONG] - (middle[name, SHORT] - bare[SHORT])) / (LONG - SHORT),
        )
        for name in asks
    }
