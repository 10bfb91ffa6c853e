"""The Feishu channel: encrypted and signed events in, texts and posts out (DingTalk sheet, appendix A)."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar
from urllib.parse import quote

from pydantic import Field, SecretStr

from adapters.channel import Channel, ChannelSettings, Finding, Services
from adapters.crypto import open_event
from adapters.errors import Malformed, Unverified
from adapters.feishu.inbound import Inbound
from adapters.fields import Base, Seconds
from adapters.http import HttpAnswer
from adapters.markdown import Dialect, Marks, Writer
from adapters.payload import Json, read_object, text
from adapters.rules import Rule, alert, give_up, halt, honest, retry, uncoded
from adapters.signing import any_same, secrets
from adapters.surface import Surface
from adapters.text import Limit
from adapters.tokens import NoToken, SharedToken
from adapters.values import (
    Action,
    Delivered,
    Event,
    Outcome,
    Promise,
    Refused,
    Reply,
    Request,
    Response,
    Token,
    Unknown,
)

Object = dict[str, Json]


class FeishuSettings(ChannelSettings):
    """*encrypt_key* is optional on the platform, and recommended: without it only a token inside the body proves
    the origin. *bot_open_id* is whom groups must mention; without it groups are not answered."""

    app_id: str = Field(min_length=1)
    app_secret: SecretStr = Field(min_length=1)
    verification_token: SecretStr = Field(min_length=1)
    verification_token_previous: SecretStr | None = None
    encrypt_key: SecretStr | None = None
    encrypt_key_previous: SecretStr | None = None
    bot_open_id: str = ""
    api_base: Base = "https://open.feishu.cn"
    signature_window: Seconds = Field(timedelta(minutes=5), gt=timedelta())


SECOND = timedelta(seconds=1)
CONSOLE = "the developer console (开发者后台)"
TOKEN = Rule(action=Action.TOKEN, meaning="the access token is no longer valid", next_step="a new one is fetched")
PERMISSION = halt("the app lacks a permission", f"grant im:message:send_as_bot in {CONSOLE}, then publish")
RULES: Mapping[str, Rule] = {
    "99991663": TOKEN,
    "99991664": TOKEN,
    "99991671": TOKEN,
    "99991400": retry("too many calls by this app", SECOND),
    "99991401": halt("this server's IP address is not allowed", f"add it to the app's IP list in {CONSOLE}"),
    "99991403": halt("the month's API calls are used up", "buy calls or wait for the first of the month"),
    "99991672": PERMISSION,
    "10003": halt("app_id or app_secret is not accepted", f"compare both with {CONSOLE}"),
    "10014": halt("app_secret is wrong", f"compare it with {CONSOLE}"),
    "230001": give_up("Feishu refuses a parameter of the call", "report it with the time of the message"),
    "230002": give_up("the bot is not in the group", "add it again"),
    "230006": halt("the app has no bot", f"switch the bot on in {CONSOLE}, then publish"),
    "230011": Rule(action=Action.REROUTE, meaning="the customer withdrew the message"),
    "230013": alert("the customer is outside the app's availability", f"widen it in {CONSOLE}, then publish"),
    "230018": give_up("the group's settings do not let the bot write", "ask the group's owner"),
    "230020": retry("more than 5 messages a second to this customer or group", SECOND),
    "230022": give_up("the text holds what Feishu does not allow", "answer by hand in other words"),
    "230025": Rule(action=Action.SPLIT, meaning="the message is too long"),
    "230027": PERMISSION,
    "230028": give_up("the organisation's data protection stopped the text", "answer by hand in other words"),
    "230029": give_up("the customer left the organisation"),
    "230035": give_up("the bot may not write in this chat", "ask the group's owner"),
    "230049": retry("the same message is being sent at this moment", SECOND),
    "230053": give_up("the customer does not want messages of this bot"),
}

_AT = re.compile(r"<(?=/?at\b)", re.IGNORECASE)
_MARKUP = re.compile(r"\*\*\S|~~\S|(?<!\w)\*[^\s*][^*\n]*\*|`|\]\(")
_WRITER = Writer(Marks(strong="**", em="*", code="`", fence=("```\n", "\n```"), link="[{text}]({url})"))


def rendered(markdown: str) -> str:
    """What a post's `md` element shows. Both kinds of message take `<at user_id="all">` for a mention of everybody:
    no customer may make the bot say that, so it is written with a wide bracket."""
    return _AT.sub("＜", _WRITER(markdown))


def content(words: str) -> Object:
    """Plain words as a text, which every list of chats shows; marked ones as a post."""
    if not _MARKUP.search(words):
        return {"msg_type": "text", "content": _dumped({"text": words})}
    return {"msg_type": "post", "content": _dumped({"zh_cn": {"content": [[{"tag": "md", "text": words}]]}})}


def _dumped(value: Mapping[str, Json]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def cost(words: str) -> int:
    """Bytes in the body, where the text is a JSON string inside a JSON string."""
    return len(_dumped({"content": _dumped({"text": words})}).encode("utf-8", "replace"))


class Feishu(Channel[FeishuSettings]):
    """One app. KEYED: `uuid` is remembered for an hour (appendix A), and replies are given up sooner."""

    settings_type = FeishuSettings
    promise: ClassVar[Promise] = Promise.KEYED
    surface: ClassVar[Surface] = Surface(
        quotes=True, note="Choices are numbered lines; files are named, with their public address."
    )
    dialect = Dialect(rendered)
    limit = Limit(size=28_000, measure=cost)  # a post's body may have 30 KB, a text's 150 KB (appendix A)
    dedupe_horizon = timedelta(days=1)  # the last of four repeats comes after some 7 hours (appendix A)

    def __init__(self, name: str, settings: FeishuSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self._keys = secrets(settings.encrypt_key, settings.encrypt_key_previous)
        self._inbound = Inbound(name, settings.app_id, settings.bot_open_id)
        token = f"feishu:{settings.app_id}"
        self._token = SharedToken(token, services.tokens, self._fetch, services.now)

    @property
    def account(self) -> str:
        return self.settings.app_id

    def verify(self, request: Request) -> None:
        """With an encrypt key by the signature, from which the platform excepts its check of the URL; that, and
        everything where there is no key, by the token inside."""
        if request.method != "POST":
            raise Unverified("Feishu posts")
        if self._keys and "x-lark-signature" in request.headers:
            self._verify_signature(request)
            return
        try:
            event = self._opened(request)
        except Malformed as error:
            raise Unverified(f"no signature, and no token inside: {error}") from None
        if self._keys and text(event, "type") != "url_verification":
            raise Unverified("X-Lark-Signature is absent: only the check of the URL has none")
        valid = secrets(self.settings.verification_token, self.settings.verification_token_previous)
        if not any_same(valid, text(event, "header", "token") or text(event, "token")):
            raise Unverified("the token inside is not verification_token; an encrypted body needs encrypt_key")

    def _verify_signature(self, request: Request) -> None:
        """Plain SHA-256 over the bytes as received."""
        stamp = request.headers.get("x-lark-request-timestamp", "")
        start = (stamp + request.headers.get("x-lark-request-nonce", "")).encode("utf-8", "surrogatepass")
        expected = [hashlib.sha256(start + key.encode() + request.body).hexdigest() for key in self._keys]
        if not any_same(expected, request.headers["x-lark-signature"]):
            raise Unverified("X-Lark-Signature does not fit the body: compare encrypt_key with the console")
        age = request.received_at.timestamp() - int(stamp) if re.fullmatch(r"[0-9]{1,11}", stamp) else None
        if age is None or abs(age) > self.settings.signature_window.total_seconds():
            raise Unverified("the timestamp is outside signature_window: a replay, or a clock that is wrong")

    def _opened(self, request: Request) -> Object:
        """The event, decrypted if there is a key. Raises Malformed."""
        body = read_object(request.body)
        if not self._keys:
            return body
        problem = Malformed("not encrypted")
        for key in self._keys:
            try:
                return read_object(open_event(text(body, "encrypt"), key))
            except Malformed as error:
                problem = error
        raise problem

    def parse(self, request: Request) -> Sequence[Event]:
        event = self._opened(request)
        ours = text(event, "header", "app_id") == self.settings.app_id
        if not ours or text(event, "header", "event_type") != "im.message.receive_v1":
            return ()
        return self._inbound.events(event, request.received_at)

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        event = self._opened(request)
        if text(event, "type") != "url_verification":
            return Response()
        body = _dumped({"challenge": text(event, "challenge")}).encode("utf-8", "replace")
        return Response(body=body, content_type="application/json; charset=utf-8")

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        """In a group as a reply to the message; where that was withdrawn, to the group."""
        body = {**content(reply.parts[index].text), "uuid": reply.part_key(index)}
        if reply.route.get("message"):
            sent = self._post(f"/im/v1/messages/{quote(reply.route['message'], safe='')}/reply", body)
            if not isinstance(sent, Refused) or sent.action is not Action.REROUTE:
                return sent
        to: Object = {"receive_id": reply.route.get("chat", "")}
        return self._post("/im/v1/messages?receive_id_type=chat_id", {**to, **body})

    def _post(self, path: str, body: Object) -> Outcome:
        sent = self._token.spend(lambda token: self._call("POST", path, token, body))
        return (
            sent if isinstance(sent, Refused | Unknown) else Delivered(platform_id=text(sent, "data", "message_id"))
        )

    def _call(self, method: str, path: str, token: str, body: Object | None = None) -> Json | Refused | Unknown:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        given = None if body is None else _dumped(body).encode("utf-8", "replace")
        url = f"{self.settings.api_base}/open-apis{path}"
        http = self.services.http
        return honest("Feishu", lambda: self._judged(http.call(method, url, body=given, headers=headers)))

    def _judged(self, answer: HttpAnswer) -> Json | Refused | Unknown:
        """The answer's JSON, or what its code asks of us."""
        now, code = self.services.now(), text(answer.json, "code")
        if code == "0" and answer.status < 300:
            return answer.json
        reset = answer.headers.get("x-ogw-ratelimit-reset", "")
        asked = timedelta(seconds=int(reset)) if re.fullmatch(r"[0-9]{1,6}", reset) else answer.retry_after(now)
        if code in RULES:
            return RULES[code].refused(code, asked)
        if answer.status == 429:
            return retry("too many calls").refused("429", asked)
        if code not in ("", "0") and answer.status < 500:
            return give_up("a code that the table lacks", "report it").refused(re.sub(r"\W", "", code)[:20])
        return uncoded(answer, now)

    def _fetch(self) -> Token:
        """The platform gives the same token again while more than half an hour of it is left (appendix A)."""
        wanted: Object = {
            "app_id": self.settings.app_id,
            "app_secret": self.settings.app_secret.get_secret_value(),
        }
        found = self._call("POST", "/auth/v3/tenant_access_token/internal", "", wanted)
        if isinstance(found, Refused):
            raise NoToken(found)
        answer = None if isinstance(found, Unknown) else found
        value, seconds = text(answer, "tenant_access_token"), text(answer, "expire")
        if not value or not re.fullmatch(r"\d{1,6}", seconds):
            raise NoToken(Refused(reason="no access token: Feishu's answer holds none", action=Action.RETRY))
        return Token(value=value, expires_at=self.services.now() + timedelta(seconds=int(seconds)))

    def check(self) -> Sequence[Finding]:
        found = self._token.spend(lambda token: self._call("GET", "/bot/v3/info", token))
        if isinstance(found, Refused | Unknown):
            return (Finding(what="app_id, app_secret and bot", ok=False, next_step=found.reason),)
        active = text(found, "bot", "activate_status") == "2"
        known = re.sub(r"[^0-9A-Za-z_-]", "", text(found, "bot", "open_id"))[:64]
        named = self.settings.bot_open_id == known
        return (
            Finding(what="app_id and app_secret", ok=True),
            Finding(what="the app is published", ok=active, next_step="" if active else f"publish it in {CONSOLE}"),
            Finding(
                what="bot_open_id", ok=named, next_step="" if named else f'for groups: bot_open_id = "{known}"'
            ),
        )
