"""The robot's three ways out: the session webhook, the send API, and a group's custom robot (§2)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import unquote_plus

from bot.sandbox.dingtalk import bodies
from bot.sandbox.dingtalk.errors import api_error, old_error
from bot.sandbox.dingtalk.quotas import Quotas
from bot.sandbox.dingtalk.tokens import Tokens
from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.journal import Journal
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.seen import Seen
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

SESSION_LIFE = timedelta(minutes=90)
MOST_USERS = 20
RECALLABLE = timedelta(hours=24)


@dataclass(slots=True, kw_only=True)
class Session:
    """Where a session webhook leads: *place* is the conversation id, *to* whom `SentMessage` names."""

    key: str
    place: str
    to: str
    expires: datetime


class Robot(Protocol):
    """What the ways out need of the platform."""

    robot_code: str
    strangers: bool
    clock: Clock
    journal: Journal
    tokens: Tokens
    quotas: Quotas
    custom_secret: str
    custom_keyword: str

    def staff(self, user: str) -> str | None: ...

    def in_group(self, place: str) -> bool: ...

    def breach(self, rule: str, detail: str) -> None: ...


class Sends:
    """*invalid* and *flow_controlled* are staff ids that a send lists instead of reaching; *quoted_codes*: errcode
    0 comes as a string, as on some days (§2.1)."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self.sessions: dict[str, Session] = {}
        self.invalid: set[str] = set()
        self.flow_controlled: set[str] = set()
        self.quoted_codes = False
        self._sent: dict[str, tuple[datetime, Sequence[str]]] = {}
        self._minute: list[datetime] = []
        self._silenced_until: datetime | None = None

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/robot/sendBySession", "session", self._on_session),
            route("POST", r"/robot/send", "custom", self._on_custom),
            route("POST", r"/v1\.0/robot/oToMessages/batchSend", "send", self._on_one_to_one),
            route("POST", r"/v1\.0/robot/groupMessages/send", "send_group", self._on_group),
            route("POST", r"/v1\.0/robot/otoMessages/batchRecall", "recall", self._on_recall),
            route("POST", r"/v1\.0/robot/groupMessages/recall", "recall", self._on_recall),
            route("GET", r"/v1\.0/robot/oToMessages/readStatus", "read_status", self._on_read_status),
            route("POST", r"/v1\.0/robot/emotion/(?:reply|recall)", "emotion", self._on_emotion),
        )

    def session(self, place: str, to: str, at: datetime) -> Session:
        """A conversation keeps its session; each message moves its expiry (§2.1)."""
        for session in self.sessions.values():
            if session.place == place and session.expires > at:
                session.expires = at + SESSION_LIFE
                return session
        session = Session(key=secrets.token_hex(16), place=place, to=to, expires=at + SESSION_LIFE)
        self.sessions[session.key] = session
        return session

    def authorise(self, incoming: Incoming) -> None:
        if not self._robot.tokens.valid(incoming.headers.get("x-acs-dingtalk-access-token", "")):
            raise api_error(400, "InvalidAuthentication", "不合法的access_token")
        self._robot.quotas.check_api(incoming)

    def _on_session(self, exchange: Exchange) -> Answer:
        incoming = exchange.incoming
        session = self.sessions.get(incoming.argument("session"))
        if session is None or session.expires <= self._robot.clock.now():
            raise old_error(300001, "session 不存在")
        self._robot.quotas.check_webhook()
        body = self._webhook_body(incoming)
        seen = bodies.of_webhook(body)
        self._check_mentions(exchange, body, seen)
        self._show(session.to, seen, body)
        return self._ok()

    def _webhook_body(self, incoming: Incoming) -> Any:
        if len(incoming.body) > bodies.LARGEST_WEBHOOK_BODY:
            raise old_error(460101, f"message of {len(incoming.body)} bytes is too long", rule="too_long")
        return incoming.json()

    def _check_mentions(self, exchange: Exchange, body: Any, seen: Seen) -> None:
        """In markdown and cards a mention shows only if the text has it (§2.3)."""
        mentioned = [*(member(body, "at", "atUserIds") or ()), *(member(body, "at", "atMobiles") or ())]
        silent = [each for each in mentioned if seen.style != "text" and f"@{each}" not in seen.text]
        if silent:
            exchange.remarks.append("mention: the text does not have it, so nobody is told")
            self._robot.breach("mention_without_effect", "atUserIds without @ in the markdown")

    def _ok(self) -> Answer:
        return answer_json({"errcode": "0" if self.quoted_codes else 0, "errmsg": "ok"})

    def _on_custom(self, exchange: Exchange) -> Answer:
        """A group's custom robot: signed or by keyword, twenty messages a minute, then silence (§2.8)."""
        incoming, robot, now = exchange.incoming, self._robot, self._robot.clock.now()
        if robot.custom_secret and not self._custom_signature(incoming, now):
            raise old_error(310000, "sign not match", rule="wrong_signature")
        seen = bodies.of_webhook(self._webhook_body(incoming))
        if robot.custom_keyword and robot.custom_keyword not in seen.text:
            raise old_error(310000, "keywords not in content", rule="keyword_missing")
        if self._silenced_until and now < self._silenced_until:
            raise old_error(410100, "send too fast")
        self._minute = [*(at for at in self._minute if now - at < timedelta(minutes=1)), now]
        if len(self._minute) > 20:
            self._silenced_until = now + timedelta(minutes=10)
            raise old_error(410100, "send too fast", rule="too_fast")
        self._show("custom", seen, incoming.json())
        return self._ok()

    def _custom_signature(self, incoming: Incoming, now: datetime) -> bool:
        timestamp = incoming.argument("timestamp")
        if not timestamp.isdecimal() or abs(int(timestamp) - now.timestamp() * 1000) > 3_600_000:
            return False
        secret = self._robot.custom_secret.encode()
        wanted = base64.b64encode(hmac.new(secret, timestamp.encode() + b"\n" + secret, hashlib.sha256).digest())
        return hmac.compare_digest(unquote_plus(incoming.argument("sign")).replace(" ", "+").encode(), wanted)

    def _on_one_to_one(self, exchange: Exchange) -> Answer:
        self.authorise(exchange.incoming)
        body = exchange.incoming.json()
        seen = bodies.of_robot(body, self._robot.robot_code)
        users = member(body, "userIds")
        if not isinstance(users, list) or not users or not all(isinstance(user, str) for user in users):
            raise api_error(400, "invalidParameter.userIds.empty", rule="parameter_missing")
        if len(users) > MOST_USERS:
            raise api_error(400, "invalidParameter.userIds.tooLong", rule="too_many_users")
        known = {user: self._robot.staff(user) for user in users}
        strange = [user for user, staff in known.items() if staff is None and not self._robot.strangers]
        if len(strange) == len(users):
            raise api_error(400, "staffId.notExisted")
        invalid = [user for user in users if user in strange or user in self.invalid]
        slowed = [user for user in users if user in self.flow_controlled]
        reached = [known[user] or user for user in users if user not in invalid and user not in slowed]
        for user in reached:
            self._show(user, seen, body)
        return answer_json(
            {
                "processQueryKey": self._query_key(reached),
                "invalidStaffIdList": invalid,
                "flowControlledStaffIdList": slowed,
            }
        )

    def _on_group(self, exchange: Exchange) -> Answer:
        self.authorise(exchange.incoming)
        body = exchange.incoming.json()
        seen = bodies.of_robot(body, self._robot.robot_code)
        place = member(body, "openConversationId")
        if not isinstance(place, str) or not (self._robot.in_group(place) or self._robot.strangers):
            raise api_error(400, "invalid.openConversationId", rule="wrong_conversation")
        self._show(place, seen, body)
        return answer_json({"processQueryKey": self._query_key([place])})

    def _on_recall(self, exchange: Exchange) -> Answer:
        """Within a day; those of session webhooks have no key to recall them by (§7)."""
        self.authorise(exchange.incoming)
        good, bad = [], {}
        for key in member(exchange.incoming.json(), "processQueryKeys") or ():
            at, _ = self._sent.get(key, (None, ()))
            if at is None or self._robot.clock.now() - at > RECALLABLE:
                bad[key] = "robot.processQueryKey.expired"
            else:
                good.append(key)
        return answer_json({"successResult": good, "failedResult": bad})

    def _on_read_status(self, exchange: Exchange) -> Answer:
        self.authorise(exchange.incoming)
        at, users = self._sent.get(exchange.incoming.argument("processQueryKey"), (None, ()))
        if at is None or self._robot.clock.now() - at > RECALLABLE:
            raise api_error(400, "processQueryKey.expireTime")
        told = [{"name": user, "userId": user, "readStatus": "READ"} for user in users]
        return answer_json({"sendStatus": "SUCCESS", "messageReadInfoList": told})

    def _on_emotion(self, exchange: Exchange) -> Answer:
        self.authorise(exchange.incoming)
        return answer_json({"success": True})

    def _query_key(self, users: Sequence[str]) -> str:
        key = secrets.token_urlsafe(24)
        self._sent[key] = (self._robot.clock.now(), users)
        return key

    def _show(self, to: str, seen: Seen, body: Mapping[str, Any]) -> None:
        key = member(body, "msgUuid")
        self._robot.journal.add(
            seen.sent(
                to=to,
                key=key if isinstance(key, str) else "",
                at=self._robot.clock.now(),
                raw=body,
                platform_id=secrets.token_hex(8),
            )
        )
