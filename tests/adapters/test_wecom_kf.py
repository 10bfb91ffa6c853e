"""WeChat customer service as a channel: the contract, whose messages come by a notice and a pull."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from defusedxml.ElementTree import fromstring
from wechatpy.enterprise.crypto import WeChatCrypto

from adapters.channel import Channel, Services
from adapters.growth import MemoryGrowth
from adapters.values import NOTICE, Message, Request
from adapters.wecom.codes import RULES
from adapters.wecom_kf import WeComKf
from tests.adapters.wecom_kf_fake import KFID, SEND, SETTINGS, KfPlatform
from tests.adapters.wecom_platform import (
    ACCESS_TOKEN,
    CORP,
    KEY,
    NEW_KEY,
    NEW_TOKEN,
    NOW,
    SECRET,
    TOKEN,
    Console,
    mutations,
)
from tests.contracts.channel import ChannelContract
from tests.fakes import Answer, Call, RecordingServer, json_answer

CONSOLE = Console()


class Forgetful(MemoryGrowth):
    """The contract says more in answer to one message than WeChat allows."""

    def grow(self, name: str, text: str, *, finished: bool = False) -> bool:
        return False


class TestWeComKf(ChannelContract):
    channel_type = WeComKf
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
    permanent_code = "95001"
    account_codes = ("60020", "48002")

    @pytest.fixture(autouse=True)
    def mailbox(self) -> Iterator[None]:
        """What the platform keeps for us until it is asked."""
        self.kf = KfPlatform()
        with RecordingServer(self.kf) as self.mail:
            yield

    def services(self, patience: float = 5) -> Services:
        return replace(super().services(patience), growth=Forgetful())

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        """A notice whose token says where the message is in the queue."""
        self.kf.says(text, message_id=message_id, user=user)
        return CONSOLE.post(self._notice(len(self.kf.items) - 1))

    def message(self, channel: Channel[Any], request: Request) -> Message:
        channel.verify(request)
        (notice,) = channel.parse(request)
        assert isinstance(notice, Message)
        assert (notice.kind, notice.conversation.account) == (NOTICE, channel.account)
        place = notice.route["token"].removeprefix("ENC")
        page = self.channel(self.mail.url).pull(notice, f"c{place}")
        message = page.events[0]
        assert isinstance(message, Message)
        return message

    def _notice(self, place: int) -> str:
        return (
            f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><CreateTime>1795100100</CreateTime>"
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>"
            f"<Token><![CDATA[ENC{place}]]></Token><OpenKfId><![CDATA[{KFID}]]></OpenKfId></xml>"
        )

    def redelivered(self, request: Request) -> Request:
        envelope = fromstring(request.body).findtext("Encrypt", "")
        names = ("msg_signature", "timestamp", "nonce")
        opened: str = WeChatCrypto(TOKEN, KEY, CORP).decrypt_message(
            {"Encrypt": envelope}, *(request.query[name] for name in names)
        )
        return CONSOLE.post(opened, nonce="n-2", timestamp="1795100099")

    def payload(self) -> bytes:
        return self._notice(0).encode()

    def signed(self, payload: bytes) -> Request:
        return CONSOLE.post(payload)

    def forged(self) -> Iterator[Request]:
        good = self.text_webhook()
        for wrong in ("", " ", "0" * 40, "é" * 40, "\ud800", good.query["msg_signature"].upper()):
            yield replace(good, query={**good.query, "msg_signature": wrong})
        for name in ("msg_signature", "timestamp", "nonce"):
            yield replace(good, query={key: value for key, value in good.query.items() if key != name})
        yield Console(token="another").post(self._notice(0))
        yield Console(key=NEW_KEY).post(self._notice(0))
        yield Console(corp="wwattacker00000001").post(self._notice(0))
        yield replace(good, method="PUT")
        yield replace(good, method="GET")

    def mutated(self) -> Iterator[bytes]:
        return mutations(self.payload())

    def platform(self, call: Call) -> Answer:
        return self.kf(call)

    def is_send(self, call: Call) -> bool:
        return call.path == SEND

    def sent_text(self, call: Call) -> str:
        text: str = call.json["text"]["content"]
        return text

    def refusal(self, code: str) -> Answer:
        return json_answer({"errcode": int(code), "errmsg": "no, hint: [1], from ip: 203.0.113.9"})
