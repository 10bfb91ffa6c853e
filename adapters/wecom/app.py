"""The self-built app (自建应用): encrypted XML in, `message/send` out (WeCom sheet §1 to §3)."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from adapters.channel import Channel, Download, Finding, Services
from adapters.crypto import BadContent, Flaw, NotSealed
from adapters.markdown import PLAIN, Dialect, Marks, Writer
from adapters.payload import text
from adapters.surface import Content, Surface, parts
from adapters.text import Limit, split, utf8_bytes
from adapters.values import (
    Action,
    Delivered,
    Event,
    Media,
    Message,
    Outcome,
    Part,
    Promise,
    Refused,
    Reply,
    Request,
    Response,
    Unknown,
)
from adapters.wecom.api import Result, WeComApi
from adapters.wecom.cards import BUTTON_CARD, LIST_CARD, spent_words
from adapters.wecom.check import findings
from adapters.wecom.envelope import Callback
from adapters.wecom.inbound import Inbound, read_inner
from adapters.wecom.media import STALE, Uploaded, Uploads, fetched
from adapters.wecom.outbound import Outbound, pace
from adapters.wecom.passive import Passive
from adapters.wecom.settings import WeComSettings

SEND = "/cgi-bin/message/send"
UPDATE = "/cgi-bin/message/update_template_card"
MARKDOWN = Dialect(Writer(Marks(strong="**", code="`", heading="#", link="[{text}]({url})", strike="")))
"""What WeCom's own clients show (WeCom sheet §3.3): no italics, no strike-through, no code blocks."""
APART = timedelta(seconds=0.3)
"""Between the parts of one answer: what followed faster was shown out of order (YanHaidao/wecom#29)."""
CARD_CODES = frozenset(str(code) for code in range(42014, 42021))


class WeComApp(Channel[WeComSettings]):
    """One self-built app. Raises ValueError for an empty token or a key that is not 43 characters."""

    settings_type = WeComSettings
    promise: ClassVar[Promise] = Promise.CONTENT_CHECKED
    dialect: ClassVar[Dialect] = PLAIN
    limit: ClassVar[Limit] = Limit(size=2048, measure=utf8_bytes)
    surface: ClassVar[Surface] = Surface(
        buttons=BUTTON_CARD,
        menu=LIST_CARD,
        attachments=frozenset({"image", "audio", "video", "document"}),
        hears=frozenset({"image", "audio", "video", "file"}),
        note="Members of the company only; up to six choices are buttons of a card, up to twenty a list on one.",
    )

    def __init__(self, name: str, settings: WeComSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self._callback = Callback.of(settings, receive_id=settings.corp_id)
        self._inbound = Inbound(name, settings)
        self._passive = Passive(name, settings, services)
        self._api = WeComApi(
            base=settings.api_base, corp_id=settings.corp_id, secret=settings.secret, services=services
        )
        self._uploads = Uploads(self._api, services, settings.corp_id)
        self._outbound = Outbound(agent_id=settings.agent_id, markdown=settings.markdown)

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
        """The decrypted `echostr`, byte for byte; for a message an empty body, but for the few events that are
        answered in the same exchange."""
        if request.method == "GET":
            return Response(body=self._callback.open(request).text.encode())
        for event in events:
            if inner := self._passive.answer(event):
                return self._passive.response(inner, self._callback.open(request).seal)
        return Response()

    def compose(self, markdown: str) -> tuple[str, ...]:
        dialect = MARKDOWN if self.settings.markdown else self.dialect
        return split(dialect.render(markdown), self.limit)

    def parts(self, content: Content) -> tuple[Part, ...]:
        shown = self.surface if self.settings.cards else replace(self.surface, buttons=None, menu=None)
        return parts(content, shown, self.compose)

    def fetch(self, media: Media, message: Message) -> Download:
        return fetched(self._api, media)

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        """*again* changes nothing: the body is the same byte for byte, which is what the platform's duplicate check
        compares."""
        to, part = reply.conversation.peer, reply.parts[index]
        if not part.text.strip() and part.attachment is None:
            return Refused(reason="44004 empty text: it is never sent", action=Action.GIVE_UP, code="44004")
        if "|" in to or to.startswith("@"):  # several receivers, or @all
            return Refused(reason="the receiver is not one member", action=Action.GIVE_UP)
        wait = self.services.throttle.take([pace(self.account, self.settings.agent_id, to)])
        if wait > timedelta():
            reason = (
                "more would be dropped by WeCom without a word: 30 messages a minute, 1,000 an hour to a member"
            )
            return Refused(reason=reason, action=Action.RETRY, retry_after=wait)
        if index:
            time.sleep(APART.total_seconds())
        elif not again:
            self._spend_card(reply)
        return self._sent(reply, index, again=again)

    def check(self) -> Sequence[Finding]:
        return findings(self._callback, self._api, self.settings)

    def _sent(self, reply: Reply, index: int, *, again: bool) -> Outcome:
        """A media_id that the platform has forgotten is replaced once (40007)."""
        for anew in (False, True):
            uploaded = self._uploaded(reply.parts[index], anew=anew)
            if isinstance(uploaded, Refused):
                return uploaded
            result = self._api.post(SEND, self._outbound.message(reply, index, uploaded))
            if uploaded is None or not isinstance(result, Refused) or result.code != STALE:
                break
        if again and reply.parts[index].choices and isinstance(result, Refused) and result.code in CARD_CODES:
            return Delivered()  # the card's task id is this part's alone: the platform has it from before
        return _outcome(result, reply.conversation.peer)

    def _uploaded(self, part: Part, *, anew: bool) -> Uploaded | Refused | None:
        """None: there is nothing to upload."""
        if part.attachment is None or not part.attachment.file:
            return None
        return self._uploads.media(part.attachment, anew=anew)

    def _spend_card(self, reply: Reply) -> None:
        """Where the tap could not be answered in its own exchange. That a button still looks fresh is no reason to
        hold an answer back, so what comes of it does not count."""
        if code := reply.route.get("response_code"):
            words = spent_words(reply.route.get("chosen", ""))
            self._api.post(UPDATE, self._outbound.card_update(reply.conversation.peer, code, words))


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
