"""An AI bot's platform in tests: it seals what members say, opens what the bot answers, and asks for the rest.

The sealing is wechatpy's, which shares no code with ours.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from wechatpy.crypto.base import BasePrpCrypto
from wechatpy.enterprise.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

from adapters.channel import Services
from adapters.files import Files, MemoryFiles
from adapters.growth import MemoryGrowth
from adapters.http import PlatformHttp
from adapters.relay import MemoryRelay
from adapters.throttle import MemoryThrottle
from adapters.tokens import MemoryTokenStore
from adapters.values import Choice, Event, Message, Part, Reply, Request, Response, reply_key
from adapters.wecom_aibot import WeComAiBot, WeComAiBotSettings
from tests.contracts.channel_kit import ChannelKit
from tests.fakes import Answer, Call, RecordingServer, json_answer

BOT = "aibTESTBOT01"
TOKEN = "AibotTestToken2026"
KEY = "q1W2e3R4t5Y6u7I8o9P0aSdFgHjKlZxCvBnM1234567"
NEW_TOKEN = "AibotNewToken2027"
NEW_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
RESPONSE_CODE = "canary-response-code"
RESPONSE_PATH = "/cgi-bin/aibot/response"
PNG = b"\x89PNG\r\n\x1a\n0123456789"
CHOICES = (Choice(id="yes", title="是的"), Choice(id="no", title="不用了"))
SETTINGS: Mapping[str, Any] = {
    "platform": "wecom-aibot",
    "bot_id": BOT,
    "token": TOKEN,
    "encoding_aes_key": KEY,
}
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HTTP = PlatformHttp(total=timedelta(seconds=5))
"""One pool for all: nothing of it outlives the test process."""


class Clock:
    """Stands still until it is told."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass(frozen=True, kw_only=True)
class Console:
    """The secrets as the platform holds them."""

    token: str = TOKEN
    key: str = KEY

    def seal(self, inner: str | bytes) -> str:
        sealed: bytes = self._crypto().encrypt(inner, "")
        return sealed.decode()

    def _crypto(self) -> Any:
        return _PrpCrypto(WeChatCrypto(self.token, self.key, "").key)

    def signature(self, encrypt: str, nonce: str, timestamp: str) -> str:
        signer = WeChatSigner()
        signer.add_data(self.token, timestamp, nonce, encrypt)
        signature: str = signer.signature
        return signature

    def post(
        self, inner: str | bytes | Mapping[str, Any], *, nonce: str = "n-1", received_at: datetime = NOW
    ) -> Request:
        plain = json.dumps(inner, ensure_ascii=False) if isinstance(inner, Mapping) else inner
        encrypt, timestamp = self.seal(plain), "1795100004"
        return Request(
            method="POST",
            path="/webhooks/shop",
            query={
                "msg_signature": self.signature(encrypt, nonce, timestamp),
                "timestamp": timestamp,
                "nonce": nonce,
            },
            headers={"content-type": "application/json"},
            body=json.dumps({"encrypt": encrypt}).encode(),
            received_at=received_at,
        )

    def opened(self, response: Response, *, nonce: str = "n-1") -> Any:
        """What the platform reads in an answer; fails unless all four fields are right. None: it is empty."""
        if not response.body:
            return None
        assert response.content_type == "application/json"
        outer = json.loads(response.body)
        assert set(outer) == {"encrypt", "msgsignature", "timestamp", "nonce"}
        assert outer["nonce"] == nonce
        assert isinstance(outer["timestamp"], int)
        assert outer["msgsignature"] == self.signature(outer["encrypt"], nonce, str(outer["timestamp"]))
        return json.loads(self._crypto().decrypt(outer["encrypt"].encode(), ""))


class _PrpCrypto(BasePrpCrypto):  # type: ignore[misc]
    def encrypt(self, text: str | bytes, app_id: str) -> bytes:
        sealed: bytes = self._encrypt(text, app_id)
        return sealed

    def decrypt(self, text: bytes, app_id: str) -> bytes:
        opened: bytes = self._decrypt(text, app_id)
        return opened


CONSOLE = Console()


def inner(
    kind: str = "text", *, user: str = "zhangsan", message_id: str = "m-1", chat: str = "", **fields: Any
) -> dict[str, Any]:
    """A decrypted callback. *fields* is the rest, such as `text={"content": "…"}`."""
    place = {"chatid": chat, "chattype": "group"} if chat else {"chattype": "single"}
    response_url = f"https://qyapi.weixin.qq.com{RESPONSE_PATH}?response_code={RESPONSE_CODE}-{message_id}"
    return {
        "msgid": message_id,
        "aibotid": BOT,
        **place,
        "from": {"userid": user},
        "response_url": response_url,
        "msgtype": kind,
        **fields,
    }


def event(name: str, **fields: Any) -> dict[str, Any]:
    return (
        inner(
            "event",
            message_id=fields.pop("message_id", "e-1"),
            event={"eventtype": name, name: fields.pop("of", {})},
        )
        | fields
    )


@dataclass(kw_only=True)
class Desk:
    """One bot with its stores, and a clock that all of them go by."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Files = field(default_factory=MemoryFiles)
    http: PlatformHttp = field(default_factory=lambda: HTTP)
    clock: Clock = field(default_factory=Clock)
    console: Console = CONSOLE

    def __post_init__(self) -> None:
        self.growth = MemoryGrowth(self.clock)
        self.relay = MemoryRelay(self.clock)
        self.services = Services(
            http=self.http,
            tokens=MemoryTokenStore(),
            now=self.clock,
            growth=self.growth,
            relay=self.relay,
            files=self.files,
            throttle=MemoryThrottle(self.clock),
        )
        self.bot = self.process()

    def process(self) -> WeComAiBot:
        """Another process of the same desk."""
        return WeComAiBot("shop", WeComAiBotSettings(**{**SETTINGS, **self.settings}), self.services)

    def deliver(self, body: Mapping[str, Any]) -> tuple[Sequence[Event], Any]:
        """Posts *body*: the events, and what the answer says."""
        request = self.console.post(body, received_at=self.clock.now)
        self.bot.verify(request)
        events = self.bot.parse(request)
        return events, self.console.opened(self.bot.answer(request, events))

    def say(self, text: str = "hello", **more: Any) -> tuple[Message, Any]:
        """A member's text: the message, and the stream of the answer to it."""
        return self.message(inner(text={"content": text}, **more))

    def message(self, body: Mapping[str, Any]) -> tuple[Message, Any]:
        events, said = self.deliver(body)
        (found,) = events
        assert isinstance(found, Message)
        return found, said and said.get("stream")

    def poll(self, stream_id: str) -> Any:
        """The whole answer to the platform's question for more."""
        events, said = self.deliver(
            {
                "msgid": "poll",
                "aibotid": BOT,
                "chattype": "single",
                "from": {"userid": "zhangsan"},
                "msgtype": "stream",
                "stream": {"id": stream_id},
            }
        )
        assert events == ()
        return said

    def see(self, stream_id: str) -> Any:
        """The stream that a poll shows."""
        return self.poll(stream_id)["stream"]


def reply_to(*messages: Message, parts: Sequence[Part | str] = ("Until six.",)) -> Reply:
    """What a turn makes of *messages*."""
    return Reply(
        key=reply_key(messages[0]),
        conversation=messages[0].conversation,
        parts=tuple(each if isinstance(each, Part) else Part(text=each) for each in parts),
        route=messages[-1].route,
    )


def at_home(desk: Desk, server: RecordingServer) -> Desk:
    """A desk whose platform is *server*."""
    return Desk(settings={**desk.settings, "api_base": server.url}, clock=desk.clock, files=desk.files)


def said_late(server: RecordingServer) -> list[str]:
    return [call.json["markdown"]["content"] for call in server.calls if call.path == RESPONSE_PATH]


def with_url(message: Message, server: RecordingServer) -> Message:
    url = f"{server.url}{RESPONSE_PATH}?response_code={RESPONSE_CODE}-{message.id}"
    return replace(message, route={**message.route, "response_url": url})


class AiBotKit(ChannelKit):
    """Plays the platform to the contract, for a bot whose stream is over: all that it sends goes over HTTP."""

    channel_type = WeComAiBot
    settings = SETTINGS
    files_in_calls = False  # pictures stand in the stream's last answer alone
    rotated: ClassVar[Mapping[str, Any]] = {
        "token": NEW_TOKEN,
        "encoding_aes_key": NEW_KEY,
        "token_previous": TOKEN,
        "encoding_aes_key_previous": KEY,
    }
    retired: ClassVar[Mapping[str, Any]] = {"token": NEW_TOKEN, "encoding_aes_key": NEW_KEY}
    private: ClassVar[Sequence[str]] = (TOKEN, KEY, RESPONSE_CODE)
    temporary_code = "-1"
    permanent_code = "40058"
    account_codes: ClassVar[Sequence[str]] = ()
    earlier: ClassVar[datetime] = NOW - timedelta(minutes=1)

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        body = inner(text={"content": text}, message_id=message_id, user=user)
        return CONSOLE.post(body, received_at=self.earlier)

    def redelivered(self, request: Request) -> Request:
        (message,) = self.channel().parse(request)
        assert isinstance(message, Message)
        body = inner(text={"content": message.text}, message_id=message.id, user=message.sender)
        return CONSOLE.post(body, nonce="n-2", received_at=NOW)

    def payload(self) -> bytes:
        return json.dumps(
            inner(text={"content": "hello"}, quote={"msgtype": "text", "text": {"content": "q"}})
        ).encode()

    def signed(self, payload: bytes) -> Request:
        return CONSOLE.post(payload)

    def forged(self) -> Iterator[Request]:
        request = self.text_webhook()
        for wrong in ("", "0" * 40, "é" * 40, request.query["msg_signature"].upper(), "x"):
            yield replace(request, query={**request.query, "msg_signature": wrong})
        yield replace(request, query={**request.query, "timestamp": "1795100005"})
        yield replace(request, query={**request.query, "nonce": "another"})
        yield Console(token=NEW_TOKEN).post(self.payload())
        yield Console(key=NEW_KEY).post(self.payload())

    def platform(self, call: Call) -> Answer:
        return json_answer({"errcode": 0, "errmsg": "ok"})

    def is_send(self, call: Call) -> bool:
        return call.method == "POST" and call.path == RESPONSE_PATH

    def sent_text(self, call: Call) -> str:
        text: str = call.json["markdown"]["content"]
        assert call.json["msgtype"] == "markdown"
        return text

    def refusal(self, code: str) -> Answer:
        return json_answer({"errcode": int(code), "errmsg": "no, from ip: 203.0.113.9"})

    def reply(self, channel: Any, *texts: str) -> Reply:
        url = f"{channel.settings.api_base}{RESPONSE_PATH}?response_code={RESPONSE_CODE}"
        reply = super().reply(channel, *texts)
        return replace(reply, route={**reply.route, "response_url": url})
