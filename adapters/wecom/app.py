"""The self-built app (自建应用): encrypted XML in, `message/send` out (WeCom sheet §1 to §3)."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from adapters.channel import Channel, Finding, Services
from adapters.crypto import BadContent, Flaw, NotSealed
from adapters.markdown import PLAIN, Dialect, Marks, Writer
from adapters.payload import text
from adapters.text import Limit, split, utf8_bytes
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
    Unknown,
)
from adapters.wecom.api import Result, WeComApi
from adapters.wecom.check import findings
from adapters.wecom.envelope import Callback
from adapters.wecom.inbound import Inbound, read_inner
from adapters.wecom.settings import WeComSettings

DUPLICATE_CHECK = timedelta(seconds=1800)
"""How long the platform swallows an identical request body when it is asked to."""
MARKDOWN = Dialect(Writer(Marks(strong="**", code="`", heading="#", link="[{text}]({url})", strike="")))
"""What WeCom's own clients show (WeCom sheet §3.3): no italics, no strike-through, no code blocks."""


class WeComApp(Channel[WeComSettings]):
    """One self-built app. Raises ValueError for an empty token or a key that is not 43 characters."""

    settings_type = WeComSettings
    promise: ClassVar[Promise] = Promise.CONTENT_CHECKED
    dialect: ClassVar[Dialect] = PLAIN
    limit: ClassVar[Limit] = Limit(size=2048, measure=utf8_bytes)

    def __init__(self, name: str, settings: WeComSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self._callback = Callback(
            receive_id=settings.corp_id,
            token=settings.token,
            key=settings.encoding_aes_key,
            token_previous=settings.token_previous,
            key_previous=settings.encoding_aes_key_previous,
        )
        self._inbound = Inbound(channel=name, account=self.account, agent_id=settings.agent_id)
        self._api = WeComApi(
            base=settings.api_base,
            corp_id=settings.corp_id,
            secret=settings.secret,
            name=f"wecom:{settings.corp_id}:{settings.agent_id}",
            services=services,
        )

    @property
    def account(self) -> str:
        return self.settings.corp_id

    def verify(self, request: Request) -> None:
        """Signature, then decryption up to the receive id: only both together prove the origin. What is unreadable
        after that is `parse`'s to say."""
        if request.method not in ("GET", "POST"):
            raise NotSealed(Flaw.MISSING_ENCRYPT)
        with suppress(BadContent):
            opened = self._callback.open(request)
            inner = read_inner(opened.text).findtext("AgentID", "") if request.method == "POST" else ""
            if inner and opened.envelope.agent not in ("", inner):
                raise NotSealed(Flaw.ENVELOPE)

    def parse(self, request: Request) -> Sequence[Event]:
        opened = self._callback.open(request)
        if request.method == "GET":
            return ()
        return (self._inbound.event(opened.text, received_at=request.received_at),)

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        """The decrypted `echostr`, byte for byte; an empty body for a message."""
        if request.method == "GET":
            return Response(body=self._callback.open(request).text.encode())
        return Response()

    def compose(self, markdown: str) -> tuple[str, ...]:
        dialect = MARKDOWN if self.settings.markdown else self.dialect
        return split(dialect.render(markdown), self.limit)

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        """*again* changes nothing: the body is the same byte for byte, which is what the platform's duplicate check
        compares. Parts that repeat earlier words on purpose go without the check."""
        to, part = reply.conversation.peer, reply.parts[index]
        if not part.text.strip():
            return Refused(reason="44004 empty text: it is never sent", action=Action.GIVE_UP, code="44004")
        if "|" in to or to.startswith("@"):  # several receivers, or @all
            return Refused(reason="the receiver is not one member", action=Action.GIVE_UP)
        body = self._body(to, part.text, repeated=part.repeated)
        return _outcome(self._api.post("/cgi-bin/message/send", body), to)

    def check(self) -> Sequence[Finding]:
        return findings(self._callback, self._api, corp_id=self.settings.corp_id, agent_id=self.settings.agent_id)

    def _body(self, to: str, content: str, *, repeated: bool) -> bytes:
        """Raw UTF-8 (errcode 40033 forbids escapes); a lone surrogate, which has none, becomes "?"."""
        kind = "markdown" if self.settings.markdown else "text"
        fields = {
            "touser": to,
            "msgtype": kind,
            "agentid": self.settings.agent_id,
            kind: {"content": content},
            "enable_duplicate_check": 0 if repeated else 1,
            "duplicate_check_interval": int(DUPLICATE_CHECK.total_seconds()),
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _outcome(result: Result, to: str) -> Outcome:
    """errcode 0 may still name our receiver among those who got nothing; ids come back in lower case."""
    if isinstance(result, Refused | Unknown):
        return result
    for field, action, why in _NOT_REACHED:
        if to.casefold() in text(result, field).casefold().split("|"):
            return Refused(reason=f"{field}: {why}", action=action, code=field)
    return Delivered(platform_id=text(result, "msgid"))


_NOT_REACHED = (
    (
        "invaliduser",
        Action.GIVE_UP,
        "check in the console that the member is in the app's 可见范围 (visible range)",
    ),
    ("unlicenseduser", Action.ALERT, "give the member a licence (接口许可) in the console"),
)
