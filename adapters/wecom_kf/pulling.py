"""`kf/sync_msg`: what customers wrote, page by page (WeCom sheet §5.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from adapters.http import MaybeSent
from adapters.payload import Json, objects, text
from adapters.tokens import NoToken
from adapters.values import Control, ControlEvent, ConversationId, Event, Message, Page, Refused, Unknown
from adapters.wecom.api import TOO_LARGE, Result, WeComApi
from adapters.wecom_kf.greeting import Greeting
from adapters.wecom_kf.items import Items, when
from adapters.wecom_kf.session import HUMANS, Sessions
from adapters.wecom_kf.settings import WeComKfSettings

SYNC = "/cgi-bin/kf/sync_msg"
LIMITS = (1000, 50, 1)
"""Items of one page: the platform's most; fewer where the answer is too large to be read, since a page that is
never read would keep back all that comes after it."""
TOKEN_LASTS = timedelta(minutes=10)
BAD_TOKEN = "95007"  # noqa: S105  an errcode
MOST_EMPTY = 5
MOST_ASKED = 20
"""Customers of one page whose session is looked at beforehand; it is looked at again before each answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The platform's cursor. *since*: still in the first pull ever, which begins three days back; what is older
    (unix seconds) is passed over."""

    cursor: str
    since: int | None = None

    @classmethod
    def of(cls, bookmark: str, *, now: datetime, first_pull: timedelta) -> Self:
        if not bookmark:
            return cls(cursor="", since=int((now - first_pull).timestamp()))
        mark, _, cursor = bookmark.partition(" ")
        if mark.startswith("since=") and mark[6:].isdecimal():
            return cls(cursor=cursor, since=int(mark[6:]))
        return cls(cursor=bookmark)

    @property
    def bookmark(self) -> str:
        return self.cursor if self.since is None else f"since={self.since} {self.cursor}"


class Pulling:
    """The pulls of one account."""

    def __init__(
        self, name: str, settings: WeComKfSettings, api: WeComApi, sessions: Sessions, now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._api = api
        self._sessions = sessions
        self._now = now
        self._channel = name
        self._items = Items(channel=name, open_kfid=settings.open_kfid)
        self._greeting = Greeting(settings, api, now)

    def page(self, notice: Message, bookmark: str) -> Page:
        """One page. Raises MaybeSent, or :class:`~adapters.tokens.NoToken` with the refusal."""
        now = self._now()
        position = Position.of(bookmark, now=now, first_pull=self._settings.first_pull)
        found = self._told(position.cursor, self._token(notice, now))
        more = text(found, "has_more") == "1"
        following = Position(
            cursor=text(found, "next_cursor") or position.cursor, since=position.since if more else None
        )
        items = [item for item in objects(found, "msg_list") if not _passed_over(item, position, now)]
        events = [event for item in items for event in self._events(item, now)]
        return Page(events=(*events, *self._owned(events, now)), cursor=following.bookmark, more=more)

    def _told(self, cursor: str, token: str) -> dict[str, Json]:
        """An empty page that promises more behind the same cursor is asked for again, but not for ever."""
        for _ in range(MOST_EMPTY):
            found = self._asked(cursor, token)
            moved = text(found, "next_cursor") not in ("", cursor)
            if moved or text(found, "has_more") != "1" or any(objects(found, "msg_list")):
                break
        return found

    def _token(self, notice: Message, now: datetime) -> str:
        """Without it the call works as well, but not often."""
        return notice.route.get("token", "") if now - notice.sent_at < TOKEN_LASTS else ""

    def _asked(self, cursor: str, token: str) -> dict[str, Json]:
        for limit in LIMITS:
            result = self._sync(cursor, token, limit)
            if token and isinstance(result, Refused) and result.code == BAD_TOKEN:
                result = self._sync(cursor, "", limit)
            if not isinstance(result, Refused) or result.code != TOO_LARGE:
                break
        if isinstance(result, Refused):
            raise NoToken(result)
        if isinstance(result, Unknown):
            raise MaybeSent(result.reason)
        return result

    def _sync(self, cursor: str, token: str, limit: int) -> Result:
        fields: dict[str, object] = {"cursor": cursor} if cursor else {}
        if token:
            fields["token"] = token
        fields |= {"limit": limit, "voice_format": 0, "open_kfid": self._settings.open_kfid}
        return self._api.post(SYNC, fields)

    def _events(self, item: Json, now: datetime) -> Sequence[Event]:
        event = self._items.event(item, now=now)
        if event is None:
            return ()
        if isinstance(event, ControlEvent) and (said := self._greeting.greet(item)):
            return (replace(event, detail={**event.detail, "welcome": said}),)
        return (event,)

    def _owned(self, events: Sequence[Event], now: datetime) -> Sequence[ControlEvent]:
        """Says which of the page's customers have a human: newer than all that the page tells of them."""
        asked: dict[str, ConversationId] = {
            event.conversation.peer: event.conversation for event in events if isinstance(event, Message)
        }
        taken = []
        for peer, conversation in list(asked.items())[:MOST_ASKED]:
            state = self._sessions.state(peer)
            if isinstance(state, str) and state in HUMANS:
                detail = {"state": state}
                taken.append(
                    ControlEvent(
                        channel=self._channel,
                        what=Control.HUMAN_TOOK_OVER,
                        at=now,
                        conversation=conversation,
                        detail=detail,
                    )
                )
        return taken


def _passed_over(item: Json, position: Position, now: datetime) -> bool:
    return position.since is not None and when(item, now) < datetime.fromtimestamp(position.since, UTC)
