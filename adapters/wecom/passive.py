"""What an app says in the very exchange of an event: a welcome, or that a card is spent (WeCom sheet §1.6).

Only what is known at once is said here, and never beside a message for the same event.
"""

import secrets
from datetime import timedelta

from adapters.channel import Services
from adapters.crypto import Seal
from adapters.shared import Bucket
from adapters.values import ControlEvent, Event, Message, Response
from adapters.wecom.cards import CARD_EVENT, spent_words
from adapters.wecom.passive_xml import button_reply, response, text_reply
from adapters.wecom.settings import WeComSettings

OPENING = frozenset({"enter_agent", "subscribe"})
WELCOME_EVERY = timedelta(hours=24)
"""The platform tells us of each time that a member opens the app."""


class Passive:
    """The passive answers of one channel."""

    def __init__(self, name: str, settings: WeComSettings, services: Services) -> None:
        self._name = name
        self._settings = settings
        self._services = services

    def answer(self, event: Event) -> str:
        """The inner XML; "" where the event is answered by nothing."""
        if not self._settings.passive:
            return ""
        now, corp_id = self._services.now(), self._settings.corp_id
        if isinstance(event, Message) and event.kind == CARD_EVENT:
            return button_reply(spent_words(event.text), member=event.sender, corp_id=corp_id, at=now)
        if isinstance(event, ControlEvent) and event.what in OPENING and event.conversation is not None:
            member = event.conversation.peer
            if self._settings.welcome and self._is_due(member, event.detail.get("id", "")):
                return text_reply(self._settings.welcome, member=member, corp_id=corp_id, at=now)
        return ""

    def response(self, inner: str, seal: Seal) -> Response:
        """Sealed with the secrets that opened the request: during a rotation the platform may still have the old
        ones."""
        return response(inner, seal, at=self._services.now(), nonce=secrets.token_hex(8))

    def _is_due(self, member: str, event_id: str) -> bool:
        """Once a day for each member; again for the same event, whose first answer was then lost."""
        greeted = f"wecom:welcome:{self._name}:{event_id}"
        if self._services.growth.read(greeted) is not None:
            return True
        name = f"wecom:welcome:{self._name}:{member.casefold()}"
        if self._services.throttle.take([Bucket(name=name, every=WELCOME_EVERY, burst=1)]) > timedelta():
            return False
        self._services.growth.open(greeted)
        return True
