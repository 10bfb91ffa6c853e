"""The twin passes the contract of the way in, as the real channels do."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from adapters.memory import MemoryChannel
from adapters.signing import hmac_sha256
from adapters.values import Request
from tests.contracts.channel_inbound import InboundContract


class TestMemory(InboundContract):
    channel_type = MemoryChannel
    settings: ClassVar = {"platform": "memory", "secret": "s-current"}
    rotated: ClassVar = {"secret": "s-new", "secret_previous": "s-current"}
    retired: ClassVar = {"secret": "s-new"}
    private = ("s-current",)

    def addresses(self, url: str) -> dict[str, str]:
        return {}

    def signed(self, payload: bytes) -> Request:
        signature = hmac_sha256("s-current", payload).hex()
        return Request(
            method="POST",
            path="/webhooks/shop",
            query={},
            headers={"x-signature": signature},
            body=payload,
            received_at=self.now,
        )

    def payload(self) -> bytes:
        return self.text_webhook().body

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        return self.signed(json.dumps({"messages": [{"id": message_id, "from": user, "text": text}]}).encode())

    def forged(self) -> Iterator[Request]:
        good = self.text_webhook()
        for signature in ("", "é", "0" * 64, good.headers["x-signature"].upper(), good.headers["x-signature"][:-1]):
            yield replace(good, headers={"x-signature": signature})
