"""An answer that the customer sees grow, where the channel can show it."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adapters.channel import Channel
from adapters.values import Message
from adapters.writing import Writing
from bot.logs import log
from bot.turns.content import shown
from inference.values import Show
from sessions.errors import StoreDown


@contextmanager
def growing(
    channel: Channel[Any], messages: Sequence[Message], key: str, hosts: Collection[str]
) -> Iterator[Show | None]:
    """What the model's words so far are told to; None where nobody is shown them. When the context ends, however it
    does, nothing more is shown, and nothing is under way that could overtake the reply."""
    writing = channel.writing(messages, key) if messages else None
    if writing is None:
        yield None
        return
    showing = _Showing(writing, channel.name, hosts)
    try:
        yield showing.show
    finally:
        showing.end()


class _Showing:
    """What is shown is only a view: a store that is down costs the view, and not the answer."""

    def __init__(self, writing: Writing, channel: str, hosts: Collection[str]) -> None:
        self._writing = writing
        self._channel = channel
        self._hosts = hosts
        self._over = threading.Event()

    def show(self, text: str) -> None:
        if self._over.is_set():
            return
        try:
            self._writing.show(shown(text, self._hosts))
        except StoreDown as error:
            self._over.set()
            log("answer_not_shown", channel=self._channel, reason=str(error))

    def end(self) -> None:
        self._over.set()
        try:
            self._writing.end()
        except StoreDown as error:
            log("answer_not_shown", channel=self._channel, reason=str(error))
