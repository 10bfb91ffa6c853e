"""Ends the streams of a long connection that nobody else ends: after six minutes the platform would refuse, and the
customer would watch them turn for ever (WeCom sheet §10 row 18)."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.growth import Growth
from adapters.payload import at, text
from adapters.wecom_aibot.frames import RESPOND, Frame, command
from adapters.wecom_aibot.names import Names
from adapters.wecom_aibot.shown import Shown, ended_early, stream
from adapters.wecom_aibot.words import lang_of, still_working


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    req_id: str
    since: datetime
    content: str


class Watch:
    """The streams that were begun over this channel's connections. Six minutes count from the first frame."""

    def __init__(self, names: Names, growth: Growth, *, longest: timedelta) -> None:
        self._names = names
        self._growth = growth
        self._longest = longest
        self._open: dict[str, _Open] = {}
        self._guard = threading.Lock()

    def said(self, frame: Frame, now: datetime) -> None:
        """*frame* goes out now."""
        stream_id = text(frame.stream, "id")
        if not stream_id:
            return
        with self._guard:
            if at(frame.stream, "finish") is True:
                self._open.pop(stream_id, None)
                return
            begun = self._open[stream_id].since if stream_id in self._open else now
            self._open[stream_id] = _Open(req_id=frame.req_id, since=begun, content=text(frame.stream, "content"))

    def overdue(self, now: datetime) -> Iterator[str]:
        """The frames that end what has been open for too long."""
        with self._guard:
            late = {name: each for name, each in self._open.items() if now - each.since >= self._longest}
            for name in late:
                del self._open[name]
        for stream_id, each in late.items():
            shown = Shown(content=each.content)
            ended = ended_early(shown, still_working(lang_of(each.content)))
            if self._growth.grow(self._names.answer(stream_id), ended.dump(), finished=True):
                fields = stream(stream_id, ended.content, finish=True)
                yield command(RESPOND, {"msgtype": "stream", "stream": fields}, req_id=each.req_id)
