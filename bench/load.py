"""The customers of a bench: signed WhatsApp webhooks over keep-alive sockets, prepared before the clock starts."""

import hashlib
import hmac
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SECRET = "bench-app-secret"  # noqa: S105
NUMBER = "118822334455661"


@dataclass(frozen=True)
class Ack:
    """One webhook's fate: when it was posted, when and with what status it was answered (monotonic seconds)."""

    posted: float
    acked: float
    status: int
    user: str


def webhook(user: str, text: str, message_id: str, port: int) -> bytes:
    """A whole HTTP request, as the platform would post it to the channel named `shop`."""
    message = {
        "from": user,
        "id": message_id,
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": text},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550100200", "phone_number_id": NUMBER},
        "contacts": [{"profile": {"name": "Bench"}, "wa_id": user}],
        "messages": [message],
    }
    envelope = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
    }
    body = json.dumps(envelope).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /webhooks/shop HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Caller:
    """One keep-alive connection of the platform."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def post(self, request: bytes, user: str) -> Ack:
        posted = time.monotonic()
        for _ in range(2):  # the server may have closed an idle connection
            try:
                status = self._exchange(request)
                return Ack(posted, time.monotonic(), status, user)
            except OSError:
                self.close()
        return Ack(posted, time.monotonic(), 0, user)

    def _exchange(self, request: bytes) -> int:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        answer = self._more(b"")
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer = self._more(answer)
        head = answer[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(maxsplit=1)[0])
        while len(answer) < end + 4 + length:
            answer = self._more(answer)
        if b"connection: close" in head:
            self.close()
        return int(answer[9:12])

    def _more(self, answer: bytes) -> bytes:
        assert self._socket is not None
        piece = self._socket.recv(4096)
        if not piece:
            raise ConnectionError("closed")
        return answer + piece

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def post_all(requests: Sequence[tuple[str, bytes]], port: int, *, at_once: int, pace: float = 0.0) -> list[Ack]:
    """Posts every (user, request), *at_once* connections side by side; one user's stay in order on one connection.
    *pace*: requests a second over all connections; 0: as fast as acks come."""
    lanes: list[list[tuple[str, bytes]]] = [[] for _ in range(at_once)]
    for place, (user, request) in enumerate(requests):
        lanes[place % at_once if pace else zlib.crc32(user.encode()) % at_once].append((user, request))
    acks: list[Ack] = []
    start = time.monotonic() + 0.05

    def run(lane: int) -> None:
        caller = Caller(port)
        for place, (user, request) in enumerate(lanes[lane]):
            if pace:
                due = start + (place * at_once + lane) / pace
                time.sleep(max(0.0, due - time.monotonic()))
            acks.append(caller.post(request, user))
        caller.close()

    threads = [threading.Thread(target=run, args=(lane,)) for lane in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return acks


def conversations(users: int, each: int, port: int, *, label: str) -> Iterator[tuple[str, bytes]]:
    """*each* messages of *users* customers, round by round."""
    for number in range(each):
        for user in range(users):
            name = f"4477{user:08d}"
            text = f"question {number} of {label}"
            yield name, webhook(name, text, f"wamid.{label}.{user}.{number}", port)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
