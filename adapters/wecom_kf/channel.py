"""A customer-service account (微信客服): an encrypted notice in, the messages pulled, `kf/send_msg` out
(WeCom sheet §5)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from adapters.channel import Channel, Services
from adapters.crypto import BadContent, Flaw, NotSealed
from adapters.markdown import PLAIN, Dialect
from adapters.text import Limit, utf8_bytes
from adapters.values import Event, Message, Outcome, Page, Promise, Reply, Request, Response
from adapters.wecom.envelope import Callback
from adapters.wecom_kf.settings import WeComKfSettings


class WeComKf(Channel[WeComKfSettings]):
    """One customer-service account."""

    settings_type = WeComKfSettings
    promise: ClassVar[Promise] = Promise.KEYED
    dialect: ClassVar[Dialect] = PLAIN
    limit: ClassVar[Limit] = Limit(size=2048, measure=utf8_bytes)
    dedupe_horizon: ClassVar[timedelta] = timedelta(days=4)
    reply_window: ClassVar[timedelta] = timedelta(hours=48)
    oldest_message: ClassVar[timedelta] = timedelta(hours=48)

    def __init__(self, name: str, settings: WeComKfSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self._callback = Callback(
            receive_id=settings.corp_id,
            token=settings.token,
            key=settings.encoding_aes_key,
            token_previous=settings.token_previous,
            key_previous=settings.encoding_aes_key_previous,
        )

    @property
    def account(self) -> str:
        return self.settings.open_kfid

    def verify(self, request: Request) -> None:
        if request.method not in ("GET", "POST"):
            raise NotSealed(Flaw.MISSING_ENCRYPT)
        with suppress(BadContent):
            self._callback.open(request)

    def parse(self, request: Request) -> Sequence[Event]:
        self._callback.open(request)
        return ()

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        if request.method == "GET":
            return Response(body=self._callback.open(request).text.encode())
        return Response()

    def pull(self, notice: Message, cursor: str) -> Page:
        return super().pull(notice, cursor)

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        raise NotImplementedError
