"""The example shop's own service: what the tools `order_status` and `cancel_order` call.

| request | what |
|---|---|
| GET /customers/<channel>/<user>/orders/<number> | one order of this customer; 404 for any other's |
| GET /customers/<channel>/<user>/orders | all of them |
| POST /customers/<channel>/<user>/orders/<number>/cancel | cancels it, once for each `Idempotency-Key` |

Every customer has a few orders. The same number is another order for another customer, so that a tool that looked
at the wrong one would show it.
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from zlib import crc32

from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

KEY = "sandbox-shop-key"
"""What `Authorization: Bearer` must carry."""

Customer = tuple[str, str]
"""Channel and user."""

_ARTICLES = (
    "a blue kettle",
    "two wool scarves",
    "a desk lamp",
    "a box of green tea",
    "walking boots",
    "a rain coat",
)
_STATES = (
    {"state": "on its way", "carrier": "SF Express", "expected": "tomorrow"},
    {"state": "being packed", "expected": "in three days"},
    {"state": "delivered", "expected": "was left with a neighbour yesterday"},
)
NUMBERS = ("1001", "1002", "1003")


@dataclass
class Shop:
    """`acts` counts what was really done, by idempotency key. Thread-safe."""

    orders: dict[Customer, dict[str, dict[str, Any]]] = field(default_factory=dict)
    acts: dict[str, int] = field(default_factory=dict)
    requests: deque[Incoming] = field(default_factory=lambda: deque(maxlen=1000))
    _answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def of(self, channel: str, user: str) -> dict[str, dict[str, Any]]:
        """A customer's orders by number; the first look makes them."""
        return self.orders.setdefault((channel, user), _orders(f"{channel}/{user}"))

    def handle(self, incoming: Incoming) -> Answer:
        with self._guard:
            self.requests.append(incoming)
            return self._answer(incoming)

    def _answer(self, incoming: Incoming) -> Answer:
        if incoming.headers.get("authorization") != f"Bearer {KEY}":
            return answer_json({"error": "wrong key"}, 401)
        match [incoming.method, *map(unquote, incoming.path.strip("/").split("/"))]:
            case ["GET", "customers", channel, user, "orders"]:
                return answer_json({"orders": list(self.of(channel, user).values())})
            case ["GET", "customers", channel, user, "orders", number] if number in self.of(channel, user):
                return answer_json({"order": self.of(channel, user)[number]})
            case ["POST", "customers", channel, user, "orders", number, "cancel"] if number in self.of(
                channel, user
            ):
                return self._cancel(self.of(channel, user)[number], incoming.headers.get("idempotency-key", ""))
        return answer_json({"error": "this customer has no such order"}, 404)

    def _cancel(self, order: dict[str, Any], key: str) -> Answer:
        if not key:
            return answer_json({"error": "an Idempotency-Key is needed"}, 400)
        if key not in self._answers:
            self.acts[key] = self.acts.get(key, 0) + 1
            order |= {"state": "cancelled", "expected": "the money is back within three days"}
            self._answers[key] = {"order": dict(order)}
        return answer_json(self._answers[key])


def _orders(customer: str) -> dict[str, dict[str, Any]]:
    """The same for the same customer, after every restart."""
    seed = crc32(customer.encode())
    return {
        number: {
            "number": number,
            "article": _ARTICLES[(seed + index * 2) % len(_ARTICLES)],
            **_STATES[(seed // 7 + index) % len(_STATES)],
        }
        for index, number in enumerate(NUMBERS)
    }
