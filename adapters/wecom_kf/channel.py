"""A customer-service account (微信客服): an encrypted notice in, the messages pulled, `kf/send_msg` out
(WeCom sheet §5)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from adapters.channel import Channel, Download, Finding, Services
from adapters.crypto import BadContent, Flaw, NotSealed
from adapters.markdown import PLAIN, Dialect
from adapters.surface import Content, Surface
from adapters.text import Limit, utf8_bytes
from adapters.values import (
    ControlEvent,
    ConversationId,
    Delivered,
    Event,
    Media,
    Message,
    Outcome,
    Page,
    Part,
    Promise,
    Refused,
    Reply,
    Request,
    Response,
    Unknown,
)
from adapters.wecom.api import WeComApi
from adapters.wecom.envelope import Callback
from adapters.wecom.inbound import read_inner, seconds
from adapters.wecom.media import Uploads, fetched
from adapters.wecom.notices import KF_EVENT, notice
from adapters.wecom_kf.budget import MOST_OF_A_REPLY, within
from adapters.wecom_kf.check import findings
from adapters.wecom_kf.outbound import MENU
from adapters.wecom_kf.pulling import Pulling
from adapters.wecom_kf.sending import Sending
from adapters.wecom_kf.session import HUMANS, OURS, Sessions
from adapters.wecom_kf.settings import WeComKfSettings


class WeComKf(Channel[WeComKfSettings]):
    """One customer-service account. Raises ValueError for an empty token or a key that is not 43 characters."""

    settings_type = WeComKfSettings
    promise: ClassVar[Promise] = Promise.KEYED
    dialect: ClassVar[Dialect] = PLAIN
    limit: ClassVar[Limit] = Limit(size=2048, measure=utf8_bytes)
    dedupe_horizon: ClassVar[timedelta] = timedelta(days=4)
    """Without a cursor the platform begins three days back."""
    reply_window: ClassVar[timedelta] = timedelta(hours=48)
    oldest_message: ClassVar[timedelta] = timedelta(hours=48)
    surface: ClassVar[Surface] = Surface(
        menu=MENU,
        attachments=frozenset({"image", "audio", "video", "document"}),
        hears=frozenset({"image", "audio", "video", "file"}),
        note="At most four messages a reply: WeChat allows five after each of the customer's, one is kept back.",
    )

    def __init__(self, name: str, settings: WeComKfSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self._callback = Callback.of(settings, receive_id=settings.corp_id)
        self._api = WeComApi(
            base=settings.api_base, corp_id=settings.corp_id, secret=settings.secret, services=services
        )
        self._sessions = Sessions(self._api, settings.open_kfid, services.now)
        self._pulling = Pulling(name, settings, self._api, self._sessions, services.now)
        uploads = Uploads(self._api, services, settings.corp_id)
        self._sending = Sending(self._api, self._sessions, uploads, services.growth, settings.open_kfid)

    @property
    def account(self) -> str:
        return self.settings.open_kfid

    def verify(self, request: Request) -> None:
        """Signature, then decryption up to the receive id: only both together prove the origin."""
        if request.method not in ("GET", "POST"):
            raise NotSealed(Flaw.MISSING_ENCRYPT)
        with suppress(BadContent):
            self._callback.open(request)

    def parse(self, request: Request) -> Sequence[Event]:
        """A notice that there is something to fetch. It names no account in its form of 2021."""
        opened = self._callback.open(request)
        if request.method == "GET":
            return ()
        root = read_inner(opened.text)
        sent_at = seconds(root.findtext("CreateTime", ""), request.received_at)
        event, account = root.findtext("Event", ""), root.findtext("OpenKfId", "") or self.account
        channel = self.name if account == self.account else self.settings.other_accounts.get(account)
        if event != KF_EVENT or channel is None:
            what = "other_account" if event == KF_EVENT else "unknown_event"
            return (ControlEvent(channel=self.name, what=what, at=sent_at, detail={"event": event[:256]}),)
        return (notice(opened.text, root, channel=channel, account=account, at=sent_at),)

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        """The decrypted `echostr`, byte for byte; an empty body for a notice."""
        if request.method == "GET":
            return Response(body=self._callback.open(request).text.encode())
        return Response()

    def pull(self, notice: Message, cursor: str) -> Page:
        return self._pulling.page(notice, cursor)

    def fetch(self, media: Media, message: Message) -> Download:
        return fetched(self._api, media)

    def parts(self, content: Content) -> tuple[Part, ...]:
        return within(super().parts(content), MOST_OF_A_REPLY, self.limit)

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        """*again* changes nothing: the platform knows the part by its `msgid`."""
        return self._sending.send(reply, index)

    def hand_over(self, conversation: ConversationId) -> Outcome | None:
        """Gives the customer to a human, as the setting `hand_over` says; None: it says nobody. Afterwards the
        platform takes no message of ours until the session ends."""
        if not self.settings.hand_over:
            return None
        servicer = self.settings.servicer_userid if self.settings.hand_over == "servicer" else ""
        result = self._sessions.hand_over(conversation.peer, servicer)
        return result if isinstance(result, Refused | Unknown) else Delivered()

    def human_serves(self, conversation: ConversationId) -> bool | None:
        state = self._sessions.state(conversation.peer, anew=True)
        return True if state in HUMANS else False if state in OURS else None

    def check(self) -> Sequence[Finding]:
        return findings(self._callback, self._api, self.settings)
