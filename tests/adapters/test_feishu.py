"""Feishu and Lark: the contract with and without an encrypt key, the recorded webhooks, and what is peculiar."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from adapters.channel import Channel
from adapters.crypto import BadContent, open_event
from adapters.feishu import Feishu
from adapters.feishu.channel import RULES
from adapters.values import Action, Delivered, Part, Refused, Reply, Request, Unknown, reply_key
from tests.contracts.channel import ChannelContract
from tests.contracts.vectors import holds, vectors
from tests.fakes import Answer, Call, RecordingServer, json_answer

APP = "cli_kit0001"
APP_SECRET = "kit-app-secret"
VERIFICATION = "kit-verification-token"
KEY = "kit-encrypt-key"
BOT = "ou_kitbot"
ACCESS = "t-kit-access-token-"
SEND = "/open-apis/im/v1/messages"
TOKEN_PATH = "/open-apis/auth/v3/tenant_access_token/internal"
TOKEN_CODES = ("10003", "10014")
"""Only the call for a token meets these."""

_issued = count(1)


def event(text: str = "hello", *, message_id: str = "om_1", user: str = "ou_1", **changes: Any) -> dict[str, Any]:
    message = {
        "message_id": message_id,
        "create_time": "1795176000000",
        "chat_id": f"oc_{user}",
        "chat_type": "p2p",
        "message_type": "text",
        "content": json.dumps({"text": text}, ensure_ascii=False),
        **changes,
    }
    header = {"event_id": f"ev-{message_id}", "event_type": "im.message.receive_v1", "app_id": APP}
    sender = {"sender_id": {"open_id": user}, "sender_type": "user"}
    return {
        "schema": "2.0",
        "header": {**header, "token": VERIFICATION},
        "event": {"sender": sender, "message": message},
    }


def in_group(text: str = "@_user_1 hello") -> dict[str, Any]:
    mentions = [{"key": "@_user_1", "id": {"open_id": BOT}, "name": "Shop"}]
    return event(text, chat_id="oc_group", chat_type="group", mentions=mentions)


def encrypted(plain: bytes, key: str = KEY) -> bytes:
    pad = 16 - len(plain) % 16
    coder = Cipher(AES256(hashlib.sha256(key.encode()).digest()), CBC(b"0123456789abcdef")).encryptor()
    sealed = b"0123456789abcdef" + coder.update(plain + bytes([pad]) * pad) + coder.finalize()
    return json.dumps({"encrypt": b64encode(sealed).decode()}).encode()


class FeishuContract(ChannelContract):
    channel_type = Feishu
    now = ChannelContract.now
    private = (APP_SECRET, VERIFICATION, KEY, ACCESS)
    documented_codes = tuple(code for code in RULES if code not in TOKEN_CODES)
    temporary_code = "99991400"
    permanent_code = "230013"
    account_codes = ("99991401", "10003", "230006")

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        found = event(text, message_id=f"om_{message_id}", user=f"ou_{user}")
        return self.signed(json.dumps(found, ensure_ascii=False).encode())

    def payload(self) -> bytes:
        found = in_group()
        found["event"]["message"]["chat_type"] = "p2p"
        return json.dumps(found).encode()

    def posted(self, body: bytes, headers: Mapping[str, str] | None = None) -> Request:
        return Request(
            method="POST",
            path="/webhooks/shop",
            query={},
            headers=headers or {},
            body=body,
            received_at=self.now,
        )

    def platform(self, call: Call) -> Answer:
        if call.path == TOKEN_PATH:
            good = call.json == {"app_id": APP, "app_secret": APP_SECRET}
            issued = {"code": 0, "tenant_access_token": f"{ACCESS}{next(_issued)}", "expire": 7200}
            return json_answer(issued if good else {"code": 10014, "msg": "app secret invalid"})
        if not call.headers.get("authorization", "").startswith(f"Bearer {ACCESS}"):
            return json_answer({"code": 99991663, "msg": "invalid access token"}, status=400)
        if call.path == "/open-apis/bot/v3/info":
            return json_answer({"code": 0, "bot": {"activate_status": 2, "open_id": BOT}})
        return json_answer({"code": 0, "msg": "success", "data": {"message_id": "om_answer"}})

    def is_send(self, call: Call) -> bool:
        return call.path.startswith(SEND)

    def sent_text(self, call: Call) -> str:
        content = json.loads(call.json["content"])
        text: str = (
            content["zh_cn"]["content"][0][0]["text"] if call.json["msg_type"] == "post" else content["text"]
        )
        return text

    def refusal(self, code: str) -> Answer:
        return json_answer({"code": int(code), "msg": "Your request …"}, status=400)


class TestEncrypted(FeishuContract):
    settings: ClassVar[Mapping[str, Any]] = {
        "platform": "feishu",
        "app_id": APP,
        "app_secret": APP_SECRET,
        "verification_token": VERIFICATION,
        "encrypt_key": KEY,
        "bot_open_id": BOT,
    }
    rotated: ClassVar[Mapping[str, Any]] = {"encrypt_key": "kit-new-key", "encrypt_key_previous": KEY}
    retired: ClassVar[Mapping[str, Any]] = {"encrypt_key": "kit-new-key"}

    def signed(self, payload: bytes) -> Request:
        return self.sealed(encrypted(payload))

    def sealed(self, body: bytes, *, key: str = KEY, stamp: str = "", nonce: str = "n-1") -> Request:
        stamp = stamp or str(int(self.now.timestamp()))
        digest = hashlib.sha256(f"{stamp}{nonce}{key}".encode("utf-8", "surrogatepass") + body).hexdigest()
        names = ("x-lark-request-timestamp", "x-lark-request-nonce", "x-lark-signature")
        return self.posted(body, dict(zip(names, (stamp, nonce, digest), strict=True)))

    def redelivered(self, request: Request) -> Request:
        return self.sealed(request.body, nonce="n-2")

    def forged(self) -> Iterator[Request]:
        body = encrypted(self.payload())
        good = self.sealed(body)
        seconds = int(self.now.timestamp())
        yield self.sealed(body, key="another")
        for stamp in (seconds - 301, seconds + 301, "now", -seconds, "９" * 10, "9" * 5000):
            yield self.sealed(body, stamp=str(stamp))
        for name in good.headers:
            yield replace(good, headers={each: value for each, value in good.headers.items() if each != name})
            yield replace(good, headers={**good.headers, name: ""})
            yield replace(good, headers={**good.headers, name: "é\ud800"})
        signature = good.headers["x-lark-signature"]
        yield replace(good, headers={**good.headers, "x-lark-signature": signature.upper()})
        yield replace(good, method="GET")

    # ---- peculiar to Feishu ----

    def reply_to(self, channel: Channel[Any], found: dict[str, Any], *texts: str) -> Reply:
        message = self.message(channel, self.signed(json.dumps(found).encode()))
        parts = tuple(Part(text=text) for text in texts)
        return Reply(key=reply_key(message), conversation=message.conversation, parts=parts, route=message.route)

    @pytest.mark.parametrize("vector", vectors("feishu"))
    def test_a_recorded_webhook_comes_to_what_it_must(self, vector: dict[str, Any]) -> None:
        given: dict[str, Any] = {"encrypt_key": None, **vector["settings"]}
        channel = self.channel(
            **{
                "app_id": "cli_vector0001",
                "verification_token": "vector-verification-token",
                "bot_open_id": "ou_vectorbot",
                **given,
            }
        )
        holds(channel, vector, media=("kind", "id", "filename", "seconds"))

    @pytest.mark.parametrize("sealed", [True, False])
    def test_the_check_of_the_url_is_answered_with_its_challenge(self, sealed: bool) -> None:
        channel = self.channel() if sealed else self.channel(encrypt_key=None)
        body = json.dumps({"type": "url_verification", "challenge": "c-挑战", "token": VERIFICATION}).encode()
        request = self.posted(encrypted(body) if sealed else body)
        channel.verify(request)
        answer = channel.answer(request, channel.parse(request))
        assert json.loads(answer.body) == {"challenge": "c-挑战"}
        assert answer.content_type.startswith("application/json")

    def test_each_part_has_a_key_of_its_own_and_keeps_it(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        reply = self.reply(channel, "one", "two")
        for index in (0, 1, 1):
            channel.send(reply, index, again=index == 1)
        assert [call.json["uuid"] for call in self.sends(server)] == [reply.key, f"{reply.key}.1", f"{reply.key}.1"]
        assert all(len(call.json["uuid"]) <= 50 for call in self.sends(server))

    def test_a_private_chat_is_written_to_and_a_groups_message_replied_to(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        channel.send(self.reply_to(channel, event(), "x"), 0)
        channel.send(self.reply_to(channel, in_group(), "x"), 0)
        direct, group = self.sends(server)
        assert (direct.path, direct.query) == (SEND, {"receive_id_type": "chat_id"})
        assert direct.json["receive_id"] == "oc_ou_1"
        assert group.path == f"{SEND}/om_1/reply"
        assert "receive_id" not in group.json

    def test_a_withdrawn_message_is_answered_in_its_group(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(self.refusal("230011"))
        assert isinstance(channel.send(self.reply_to(channel, in_group(), "x"), 0), Delivered)
        assert [call.path for call in self.sends(server)] == [f"{SEND}/om_1/reply", SEND]
        assert self.sends(server)[1].json["receive_id"] == "oc_group"

    def test_an_id_in_the_address_is_escaped(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        found = in_group()
        found["event"]["message"]["message_id"] = "../../x?y"
        channel.send(self.reply_to(channel, found, "x"), 0)
        assert self.sends(server)[0].path == f"{SEND}/..%2F..%2Fx%3Fy/reply"

    def test_a_rejected_token_is_replaced_once(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(self.refusal("99991663"))
        assert isinstance(channel.send(self.reply(channel, "x"), 0), Delivered)
        first, second = (call.headers["authorization"] for call in self.sends(server))
        assert first != second

    def test_many_sends_ask_for_one_token(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        for _ in range(5):
            channel.send(self.reply(channel, "x"), 0)
        assert [call.path for call in server.calls].count(TOKEN_PATH) == 1

    @pytest.mark.parametrize("status", [200, 400, 429])
    def test_the_gateways_reset_is_obeyed(self, server: RecordingServer, status: int) -> None:
        channel = self.channel(server.url)
        body = {"code": 99991400, "msg": "request trigger frequency limit"}
        server.faults.append(json_answer(body, status=status, headers={"x-ogw-ratelimit-reset": "23"}))
        outcome = channel.send(self.reply(channel, "x"), 0)
        assert isinstance(outcome, Refused)
        assert (outcome.action, outcome.retry_after) == (Action.RETRY, timedelta(seconds=23))

    def test_a_reset_without_a_code_is_obeyed_too(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(Answer(status=429, headers={"x-ogw-ratelimit-reset": "9"}))
        outcome = channel.send(self.reply(channel, "x"), 0)
        assert isinstance(outcome, Refused)
        assert (outcome.action, outcome.retry_after) == (Action.RETRY, timedelta(seconds=9))

    def test_an_error_of_the_server_with_an_unknown_code_is_unknown(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(json_answer({"code": 1500, "msg": "internal"}, status=500))
        assert isinstance(channel.send(self.reply(channel, "x"), 0), Unknown)

    def test_plain_words_are_a_text_and_marked_ones_a_post(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        for markdown in ("好的，六点。", "- one\n- two", "**六点**", "see [here](https://example.com)", "`E17`"):
            (part,) = channel.compose(markdown)
            channel.send(self.reply(channel, part), 0)
            assert self.sent_text(self.sends(server)[-1]) == markdown
        kinds = [call.json["msg_type"] for call in self.sends(server)]
        assert kinds == ["text", "text", "post", "post", "post"]

    @pytest.mark.parametrize(
        "form", ['<at user_id="all">x</at>', "<AT id=all></AT>", '**b** <at user_id="all"></at>']
    )
    def test_nobody_makes_the_bot_mention_everybody(self, form: str) -> None:
        (part,) = self.channel().compose(f"You said: {form}")
        assert "<at" not in part.lower()
        assert "</at" not in part.lower()

    def test_every_body_is_within_the_platforms_smaller_limit(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        for text in ("字" * 40_000, '"\\\n' * 20_000, "**b** " * 9000):
            reply = self.reply(channel, *channel.compose(text))
            for index in range(len(reply.parts)):
                channel.send(reply, index)
        assert all(len(call.body) <= 30_000 for call in self.sends(server))

    def test_a_wrong_secret_is_found(self, server: RecordingServer) -> None:
        (finding,) = self.channel(server.url, app_secret="wrong").check()
        assert not finding.ok
        assert "10014" in finding.next_step

    def test_a_missing_bot_id_is_found_and_told(self, server: RecordingServer) -> None:
        findings = self.channel(server.url, bot_open_id="").check()
        assert [each.next_step for each in findings if not each.ok] == [f'for groups: bot_open_id = "{BOT}"']

    def test_an_app_that_is_not_published_is_found(self) -> None:
        def platform(call: Call) -> Answer:
            bot = {"code": 0, "bot": {"activate_status": 0, "open_id": BOT}}
            return json_answer(bot) if call.path.endswith("/info") else self.platform(call)

        with RecordingServer(platform) as server:
            findings = self.channel(server.url).check()
        assert [each.what for each in findings if not each.ok] == ["the app is published"]

    def test_the_other_domain_is_a_setting(self) -> None:
        lark = self.channel_type.settings_type(**{**self.settings, "api_base": "https://open.larksuite.com/"})
        assert lark.model_dump()["api_base"] == "https://open.larksuite.com"


class TestByToken(FeishuContract):
    """Without an encrypt key nothing is signed: a token inside the body is all that there is."""

    settings: ClassVar[Mapping[str, Any]] = {
        "platform": "feishu",
        "app_id": APP,
        "app_secret": APP_SECRET,
        "verification_token": VERIFICATION,
        "bot_open_id": BOT,
    }
    rotated: ClassVar[Mapping[str, Any]] = {
        "verification_token": "kit-new-token",
        "verification_token_previous": VERIFICATION,
    }
    retired: ClassVar[Mapping[str, Any]] = {"verification_token": "kit-new-token"}
    body_is_signed = False
    proof_is_in_body = True

    def signed(self, payload: bytes) -> Request:
        return self.posted(payload)

    def forged(self) -> Iterator[Request]:
        for token in ("", "another", VERIFICATION.upper(), VERIFICATION[:-1], None, 7, [VERIFICATION]):
            found = event()
            found["header"]["token"] = token
            yield self.posted(json.dumps(found).encode())
        del found["header"]["token"]
        yield self.posted(json.dumps(found).encode())
        yield self.posted(encrypted(self.payload()))


# ---- the envelope ----


def test_the_published_example_is_decrypted() -> None:
    assert open_event("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=", "test key") == b"hello world"


@pytest.mark.parametrize("length", range(33))
def test_every_length_of_padding_is_read(length: int) -> None:
    assert open_event(json.loads(encrypted(b"x" * length))["encrypt"], KEY) == b"x" * length


@pytest.mark.parametrize(
    "sealed", ["", "no base64!", "AAAA", b64encode(bytes(16)).decode(), b64encode(bytes(40)).decode()]
)
def test_what_is_no_envelope_is_unreadable(sealed: str) -> None:
    with pytest.raises(BadContent):
        open_event(sealed, KEY)


del FeishuContract, ChannelContract  # collected by their heirs only
