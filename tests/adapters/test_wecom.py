"""The WeCom app as a channel: the contract, the way in by every published vector, and the bugs that others have."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from defusedxml.ElementTree import fromstring
from wechatpy.enterprise.crypto import WeChatCrypto

from adapters.channel import Services
from adapters.values import Request
from adapters.wecom import WeComApp
from adapters.wecom.codes import RULES
from tests.adapters.wecom_app import NoLimit
from tests.adapters.wecom_platform import (
    ACCESS_TOKEN,
    CORP,
    KEY,
    NEW_KEY,
    NEW_TOKEN,
    NOW,
    SECRET,
    SETTINGS,
    TOKEN,
    Console,
    mutations,
)
from tests.contracts.channel import ChannelContract
from tests.fakes import Answer, Call, json_answer

CONSOLE = Console()


class TestWeComApp(ChannelContract):
    channel_type = WeComApp
    settings = SETTINGS
    rotated: ClassVar[dict[str, Any]] = {
        "token": NEW_TOKEN,
        "encoding_aes_key": NEW_KEY,
        "token_previous": TOKEN,
        "encoding_aes_key_previous": KEY,
    }
    retired: ClassVar[dict[str, str]] = {"token": NEW_TOKEN, "encoding_aes_key": NEW_KEY}
    private = (SECRET, TOKEN, KEY, ACCESS_TOKEN)
    now = NOW
    documented_codes = tuple(str(code) for code in sorted(RULES))
    temporary_code = "-1"
    permanent_code = "81013"
    account_codes = ("60020", "48002", "301002")

    def services(self, patience: float = 5) -> Services:
        """Without the pace of one member's messages: the contract says more to one than WeCom would show."""
        return replace(super().services(patience), throttle=NoLimit())

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        return CONSOLE.text(text, message_id=message_id, user=user)

    def redelivered(self, request: Request) -> Request:
        """Sealed anew, with another nonce and time."""
        return CONSOLE.post(self._inner(request), nonce="n-2", timestamp="1795100099")

    def _inner(self, request: Request) -> str:
        envelope = fromstring(request.body).findtext("Encrypt", "")
        names = ("msg_signature", "timestamp", "nonce")
        opened: str = WeChatCrypto(TOKEN, KEY, CORP).decrypt_message(
            {"Encrypt": envelope}, *(request.query[name] for name in names)
        )
        return opened

    def payload(self) -> bytes:
        return CONSOLE.inner(Content="hello", MsgId="1").encode()

    def signed(self, payload: bytes) -> Request:
        return CONSOLE.post(payload)

    def forged(self) -> Iterator[Request]:
        good = self.text_webhook()
        for wrong in ("", " ", "0" * 40, "é" * 40, "\ud800", "x", good.query["msg_signature"].upper()):
            yield replace(good, query={**good.query, "msg_signature": wrong})
        for name in ("msg_signature", "timestamp", "nonce"):
            yield replace(good, query={key: value for key, value in good.query.items() if key != name})
        yield replace(good, query={**good.query, "timestamp": "1795100005"})
        yield Console(token="another").text("hello")
        yield Console(key=NEW_KEY).text("hello")
        yield Console(corp="wwattacker00000001").text("hello")
        yield replace(good, method="PUT")
        yield replace(good, method="GET")

    def mutated(self) -> Iterator[bytes]:
        return mutations(self.payload())

    def platform(self, call: Call) -> Answer:
        if call.path == "/cgi-bin/gettoken":
            return json_answer(
                {"errcode": 0, "errmsg": "ok", "access_token": ACCESS_TOKEN + call.path, "expires_in": 7200}
            )
        if call.path == "/cgi-bin/message/send":
            return json_answer({"errcode": 0, "errmsg": "ok", "msgid": "MSGID1"})
        return json_answer({"errcode": 0, "errmsg": "ok", "close": 0, "ip_list": [], "media_id": "MEDIA1"})

    def is_send(self, call: Call) -> bool:
        return call.path == "/cgi-bin/message/send"

    def sent_text(self, call: Call) -> str:
        text: str = call.json["text"]["content"]
        return text

    def refusal(self, code: str) -> Answer:
        return json_answer({"errcode": int(code), "errmsg": "no, hint: [1], from ip: 203.0.113.9"})

    def test_the_operators_words_of_a_code_are_its_own(self) -> None:
        steps = [rule for code, rule in RULES.items() if not rule.meaning or not rule.next_step]
        assert steps == []
