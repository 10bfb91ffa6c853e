"""A DingTalk (钉钉) robot of an internal app, in HTTP mode, as a bot meets it (DingTalk sheet §1, §2, §9).

Signed callbacks whose signature covers the time only, a session webhook per conversation that lives 90 minutes, the
robot's send API with its tokens; rate limits come as 403 and token errors as 400, as on the real one.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import Delivery, Said, SentMessage
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import Exchange, Platform, Post, Refusal, Route, member, route
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

LARGEST_WEBHOOK_BODY = 20_000
LARGEST_PARAMETER = 15_000
MOST_USERS = 20
SESSION_LIFE = timedelta(minutes=90)
TOKEN_LIFE = timedelta(seconds=7200)
TITLED = ("markdown", "actionCard")
QPS = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"


@dataclass(slots=True, kw_only=True)
class Session:
    """Where a session webhook leads: *place* is the conversation id, *to* whom `SentMessage` names."""

    key: str
    place: str
    to: str
    expires: datetime


def api_error(status: int, code: str, message: str = "") -> Refusal:
    """A refusal of the new API (§2.6)."""
    body = {"code": code, "message": message or code, "requestid": secrets.token_hex(16).upper()}
    return Refusal(answer_json(body, status), code)


def old_error(code: int, message: str) -> Refusal:
    """A refusal of the old API: HTTP 200, and an errcode (§2.6)."""
    return Refusal(answer_json({"errcode": code, "errmsg": message}), f"{code}: {message}")


class DingTalkPlatform(Platform[dict[str, Any]]):
    """One organisation with one robot. A *user* is a staff id; a *group* any conversation id."""

    name = "dingtalk"
    patience = timedelta(seconds=5)
    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("session", Fault(cut_after_accept=True)),
        "busy": ("session", Fault(status=200, json={"errcode": -1, "errmsg": "系统繁忙"})),
        "rate": ("session", Fault(status=403, json={"code": QPS, "message": QPS})),
        "slow": ("session", Fault(delay=timedelta(seconds=5))),
        "session": ("session", Fault(status=200, json={"errcode": 300001, "errmsg": "session 不存在"})),
    }

    def __init__(
        self,
        *,
        client_id: str = "dingsandbox7k3m9x2q",
        client_secret: str = "sandbox-client-secret",  # noqa: S107 - a fake's fixed credentials
        corp_id: str = "dingcorp5f2e8a1c",
        robot_code: str = "",
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(webhook_url=webhook_url, strangers=strangers)
        self.client_id = client_id
        self.client_secret = client_secret
        self.corp_id = corp_id
        self.robot_code = robot_code or client_id
        self.token_life = TOKEN_LIFE
        self._access_token = ""
        self._expires: datetime | None = None
        self._staff: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}
        self._groups: set[str] = set()
        self._rates: dict[str, Bucket] = {}

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/robot/sendBySession", "session", self._on_session),
            route("POST", r"/v1\.0/robot/oToMessages/batchSend", "send", self._on_one_to_one),
            route("POST", r"/v1\.0/robot/groupMessages/send", "send_group", self._on_group),
            route("POST", r"/v1\.0/oauth2/accessToken", "token", self._on_access_token),
            route("POST", r"/v1\.0/oauth2/[^/]+/token", "token", self._on_unified_token),
            route("GET", r"/gettoken", "token", self._on_gettoken),
        )

    def unknown_path(self) -> Answer:
        return api_error(404, "InvalidAction.NotFound", "Specified api is not found").answer

    def forget_tokens(self) -> None:
        """The current token becomes invalid early: 400 `InvalidAuthentication` for it, a new one on request."""
        with self._guard:
            self._access_token = ""

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "manager4220", "name": "王芳", "hint": "member"},
            {"user": "user8817", "name": "陈杰", "hint": "member"},
            {"user": "user3305", "name": "刘洋", "hint": "group", "place": "cidSandboxGroup01=="},
        )

    # ------------------------------------------------------------------ somebody writes

    def say(
        self,
        text: str,
        *,
        user: str = "manager4220",
        name: str = "",
        group: str = "",
        message_id: str | None = None,
        guest: bool = False,
        session_webhook: bool = True,
    ) -> Delivery:
        """Posts one signed text message. In a *group* the robot was mentioned, so the text has the leading space of
        §1.3. A *guest* has no staff id."""
        at = self.clock.now()
        sender = f"$:LWCP_v1:${_opaque(user)}"
        place = group or f"cid{_opaque(user)}=="
        body: dict[str, Any] = {
            "conversationId": place,
            "chatbotCorpId": self.corp_id,
            "chatbotUserId": f"$:LWCP_v1:${_opaque(self.robot_code)}",
            "msgId": message_id or f"msg{secrets.token_urlsafe(16)}==",
            "senderNick": name or user,
            "isAdmin": False,
            "senderStaffId": "" if guest else user,
            "createAt": int(at.timestamp() * 1000),
            "senderCorpId": self.corp_id,
            "conversationType": "2" if group else "1",
            "senderId": sender,
            "text": {"content": f" {text}" if group else text},
            "robotCode": self.robot_code,
            "msgtype": "text",
        }
        if group:
            body |= {
                "conversationTitle": "售后群",
                "isInAtList": True,
                "atUsers": [{"dingtalkId": body["chatbotUserId"]}],
            }
        if session_webhook:
            session = self._session(place, group or user, at)
            body["sessionWebhook"] = f"{self.url}/robot/sendBySession?session={session.key}"
            body["sessionWebhookExpiredTime"] = int(session.expires.timestamp() * 1000)
        self._meet(user, sender, guest, group)
        said = Said(user=user, name=body["senderNick"], text=text, message_id=body["msgId"], place=group, at=at)
        return self._deliver(said, body)

    def _meet(self, user: str, sender: str, guest: bool, group: str) -> None:
        with self._guard:
            self._staff[sender if guest else user] = user
            if group:
                self._groups.add(group)

    def _session(self, place: str, to: str, at: datetime) -> Session:
        """A conversation keeps its session; each message moves its expiry (§2.1)."""
        with self._guard:
            for session in self._sessions.values():
                if session.place == place and session.expires > at:
                    session.expires = at + SESSION_LIFE
                    return session
            session = Session(key=secrets.token_hex(16), place=place, to=to, expires=at + SESSION_LIFE)
            self._sessions[session.key] = session
            return session

    def expire_sessions(self) -> None:
        """Every session webhook is answered 300001 from now on, whatever its announced expiry."""
        with self._guard:
            self._sessions.clear()

    def compose(self, message: dict[str, Any]) -> Post:
        timestamp = str(int(self.clock.now().timestamp() * 1000))
        return Post(
            what="message",
            message_id=message["msgId"],
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "timestamp": timestamp,
                "sign": sign(self.client_secret, timestamp),
            },
            body=json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
        )

    # ------------------------------------------------------------------ tokens

    def _on_access_token(self, exchange: Exchange) -> Answer:
        body = exchange.incoming.json()
        if member(body, "appKey") != self.client_id or member(body, "appSecret") != self.client_secret:
            raise api_error(400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
        token, left = self._token()
        return answer_json({"accessToken": token, "expireIn": left})

    def _on_unified_token(self, exchange: Exchange) -> Answer:
        body = exchange.incoming.json()
        if member(body, "client_id") != self.client_id or member(body, "client_secret") != self.client_secret:
            raise api_error(400, "invalid.client")
        token, left = self._token()
        return answer_json({"access_token": token, "expires_in": left})

    def _on_gettoken(self, exchange: Exchange) -> Answer:
        asked = exchange.incoming.argument
        if asked("appkey") != self.client_id or asked("appsecret") != self.client_secret:
            raise old_error(40089, "不合法的corpid或corpsecret")
        token, left = self._token()
        return answer_json({"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": left})

    def _token(self) -> tuple[str, int]:
        """The same token within its validity (§2.5), and the seconds left of it."""
        with self._guard:
            now = self.clock.now()
            if not self._access_token or self._expires is None or self._expires <= now:
                self._access_token, self._expires = secrets.token_hex(16), now + self.token_life
            return self._access_token, int((self._expires - now).total_seconds())

    def _authorise(self, incoming: Incoming) -> None:
        given = incoming.headers.get("x-acs-dingtalk-access-token", "")
        with self._guard:
            valid = given and given == self._access_token and self._expires and self.clock.now() < self._expires
            allowed = not self.limits or self._rates.setdefault(
                incoming.path, Bucket(20, timedelta(milliseconds=50))
            ).take(self.clock.now())
        if not valid:
            raise api_error(400, "InvalidAuthentication", "不合法的access_token")
        if not allowed:
            raise api_error(403, QPS, "more than 20 calls a second")

    # ------------------------------------------------------------------ the robot sends

    def _on_session(self, exchange: Exchange) -> Answer:
        """A reply through the conversation's session webhook (§2.1, §2.2)."""
        incoming = exchange.incoming
        with self._guard:
            session = self._sessions.get(incoming.argument("session"))
        if session is None or session.expires <= self.clock.now():
            raise old_error(300001, "session 不存在")
        if len(incoming.body) > LARGEST_WEBHOOK_BODY:
            raise old_error(460101, f"message of {len(incoming.body)} bytes is too long")
        body = incoming.json()
        kind = member(body, "msgtype")
        if kind not in ("text", *TITLED):
            raise old_error(400105, "unsupported msgtype (the sandbox shows text, markdown, actionCard)")
        text = member(body, kind, "content" if kind == "text" else "text")
        if not isinstance(text, str) or not text.strip():
            raise old_error(40035, f"{kind} without text")
        if kind in TITLED and not member(body, kind, "title"):
            raise old_error(40035, "title is required")
        self._show(session.to, text, body, style="text" if kind == "text" else "markdown")
        return answer_json({"errcode": 0, "errmsg": "ok"})

    def _on_one_to_one(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        body, parameter, style = self._robot_message(exchange.incoming)
        users = body.get("userIds")
        if not isinstance(users, list) or not users or not all(isinstance(user, str) for user in users):
            raise api_error(400, "invalidParameter.userIds.empty")
        if len(users) > MOST_USERS:
            raise api_error(400, "invalidParameter.userIds.tooLong")
        with self._guard:
            known = {user: self._staff.get(user) for user in users}
        unknown = [user for user, staff in known.items() if staff is None and not self.strangers]
        if len(unknown) == len(users):
            raise api_error(400, "staffId.notExisted")
        for user, staff in known.items():
            if user not in unknown:
                self._show(staff or user, parameter, body, style=style)
        return answer_json(
            {
                "processQueryKey": secrets.token_urlsafe(24),
                "invalidStaffIdList": unknown,
                "flowControlledStaffIdList": [],
            }
        )

    def _on_group(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        body, parameter, style = self._robot_message(exchange.incoming)
        place = body.get("openConversationId")
        if not isinstance(place, str) or (place not in self._groups and not self.strangers):
            raise api_error(400, "invalid.openConversationId")
        self._show(place, parameter, body, style=style)
        return answer_json({"processQueryKey": secrets.token_urlsafe(24)})

    def _robot_message(self, incoming: Incoming) -> tuple[dict[str, Any], str, str]:
        """The checks that both sends share (§2.4): the body, its text, and its style."""
        body = incoming.json()
        if not isinstance(body, dict) or body.get("robotCode") != self.robot_code:
            raise api_error(400, "robotCode.notExsit", "robot 不存在")
        fields = {"sampleText": "content", "sampleMarkdown": "text"}.get(str(body.get("msgKey")))
        if fields is None:
            raise api_error(400, "invalidParameter.msgKey.notSupport", "the sandbox shows text and markdown")
        told = body.get("msgParam")
        if isinstance(told, str) and len(told.encode("utf-8", "replace")) > LARGEST_PARAMETER:
            raise api_error(400, "invalidParameter.msgParam.tooLong")
        parameter = _json_in(told)
        text = member(parameter, fields)
        titled = fields == "content" or member(parameter, "title")
        if not isinstance(text, str) or not text.strip() or not titled:
            raise api_error(400, "invalidParameter.msgParam.invalid", "msgParam is a string that holds JSON")
        return body, text, "text" if fields == "content" else "markdown"

    def _show(self, to: str, text: str, body: Any, *, style: str) -> None:
        key = member(body, "msgUuid")
        self.journal.add(
            SentMessage(
                to=to,
                text=text,
                key=key if isinstance(key, str) else "",
                at=self.clock.now(),
                raw=body,
                style=style,
            )
        )


def sign(secret: str, timestamp: str) -> str:
    """The `sign` header: raw base64; it covers the time only (§1.2)."""
    told = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), told, hashlib.sha256).digest()).decode()


def _opaque(name: str) -> str:
    """A stable stand-in for the ids that DingTalk makes up; case-sensitive like those."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest())[:22].decode()


def _json_in(told: Any) -> Any:
    try:
        return json.loads(told) if isinstance(told, str) else None
    except ValueError:
        return None
