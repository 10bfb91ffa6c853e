"""What customers send beside words: pictures for an assistant that sees, voice messages as text, and one polite
line for the rest."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from typing import Any, Protocol

from adapters.channel import Channel, Download
from adapters.errors import MediaLost, Unsupported
from adapters.http import MaybeSent, NotSent, TooLarge
from adapters.tokens import NoToken
from adapters.values import Media, Message
from bot import metrics
from bot.logs import log
from bot.turns import phrases
from inference.errors import ModelError
from inference.values import Picture

MOST_PICTURES = 4
LARGEST_PICTURE = 8 * 1024 * 1024
SEEN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""What OpenAI-style servers decode."""


class Listener(Protocol):
    """Turns a recording into words; :class:`inference.transcription.Transcriber`."""

    def text(self, content: bytes, mime: str, *, deadline: timedelta) -> str: ...


LONGEST_LISTENING = timedelta(seconds=30)
AT_ONCE = 16
"""Turns of one process that hold attachments at the same time: four pictures of 8 MiB each are 32 MiB a turn, and a
thousand turns may run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Senses:
    """What an assistant can take in beside text: whether it *sees*, and the *listener*, if there is one. *places*
    is held by a turn as long as it has attachments in its hands."""

    sees: bool = False
    listener: Listener | None = None
    deadline: timedelta = LONGEST_LISTENING
    places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE), compare=False)

    def holding(self, messages: Sequence[Message]) -> AbstractContextManager[object]:
        """To be entered before anything of *messages* is fetched; waits until others are done."""
        wanted = (self.sees or self.listener is not None) and any(message.media for message in messages)
        return self.places if wanted else nullcontext()


class Missed(Enum):
    """Why something was not taken in. The customer is told of the first that applies, in this order."""

    LOST = "lost"  # it may come through a second time
    UNREADABLE = "unreadable"  # words are needed instead
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message, taken in: *text* is what the model reads, *quoted* the line on what it replies to, *remembered*
    what the conversation keeps of both."""

    message: Message
    text: str
    remembered: str
    quoted: str = ""
    pictures: tuple[Picture, ...] = ()
    missed: frozenset[Missed] = frozenset()


def line_for(missed: frozenset[Missed], lang: str, *, words: bool) -> str:
    """What the customer is told of what was missed; "" for nothing. *words*: there were words too."""
    if Missed.LOST in missed:
        return phrases.lost_media(lang)
    if Missed.UNREADABLE in missed:
        return phrases.unreadable_media(lang) if words else phrases.only_media(lang)
    return phrases.first_pictures(lang, MOST_PICTURES) if missed else ""


class Hearing:
    """For one turn: what was fetched once is not fetched again when the turn is asked anew."""

    def __init__(self, channel: Channel[Any], senses: Senses) -> None:
        self._channel = channel
        self._senses = senses
        self._taken: dict[tuple[str, Media], Picture | str | Missed] = {}

    def hear(self, messages: Sequence[Message], lang: str) -> list[Heard]:
        """The messages in their order."""
        left = MOST_PICTURES
        heard: list[Heard] = []
        for message in messages:
            heard.append(one := self._one(message, left, lang))
            left -= len(one.pictures)
        return heard

    def _one(self, message: Message, left: int, lang: str) -> Heard:
        taken = [self._take(media, message) for media in message.media]
        seen = [each for each in taken if isinstance(each, Picture)]
        missed = {each for each in taken if isinstance(each, Missed)}
        said = [each for each in taken if isinstance(each, str) and each]
        if len(seen) > left:
            seen, missed = seen[:left], missed | {Missed.TOO_MANY}
        mark = phrases.picture_alone(lang)
        words = "\n".join(filter(None, [message.text.strip(), *said]))
        spoken = [phrases.spoken(lang, each) for each in said]
        return Heard(
            message=message,
            text=words or (mark if seen else ""),
            remembered="\n".join(filter(None, [*[mark] * len(seen), message.text, *spoken])),
            pictures=tuple(seen),
            missed=frozenset(missed),
        )

    def _take(self, media: Media, message: Message) -> Picture | str | Missed:
        key = (message.key, media)
        if key not in self._taken:
            self._taken[key] = taken = self._taken_in(media, message)
            word = taken.value if isinstance(taken, Missed) else "seen" if isinstance(taken, Picture) else "heard"
            metrics.media_total.labels(channel=self._channel.name, kind=media.kind, result=word).inc()
        return self._taken[key]

    def _taken_in(self, media: Media, message: Message) -> Picture | str | Missed:
        if self._senses.sees and _is(media, "image", "sticker"):
            return self._fetched(media, message, _picture)
        if _is(media, "audio") and message.text.strip():  # the platform has recognised the words already
            return ""
        if self._senses.listener is not None and _is(media, "audio"):
            return self._fetched(media, message, self._transcript)
        return Missed.UNREADABLE

    def _fetched(
        self, media: Media, message: Message, use: Callable[[Download], Picture | str | Missed]
    ) -> Picture | str | Missed:
        """What becomes of the attachment; a fetch that failed on the way is tried once more."""
        for last in (False, True):
            try:
                return use(self._channel.fetch(media, message))
            except Unsupported:
                return Missed.UNREADABLE
            except (MediaLost, TooLarge) as error:
                return self._lost(media, message, error)
            except (NotSent, MaybeSent, NoToken) as error:
                if last:
                    return self._lost(media, message, error)
        raise AssertionError("the last try returns")

    def _lost(self, media: Media, message: Message, error: Exception) -> Missed:
        """The texts of these errors are for the operator, and name nobody."""
        label = message.conversation.label
        log("media_lost", level="warning", conversation=label, kind=media.kind, reason=f"{error}")
        return Missed.LOST

    def _transcript(self, download: Download) -> str | Missed:
        if self._senses.listener is None:
            return Missed.UNREADABLE
        try:
            said = self._senses.listener.text(download.content, download.mime, deadline=self._senses.deadline)
        except ModelError as error:
            log("transcription_failed", level="warning", channel=self._channel.name, error=error)
            return Missed.UNREADABLE
        return said.strip() or Missed.UNREADABLE


def _picture(download: Download) -> Picture | Missed:
    if download.mime not in SEEN:
        return Missed.UNREADABLE
    if len(download.content) > LARGEST_PICTURE:
        return Missed.LOST
    return Picture(mime=download.mime, content=download.content)


def _is(media: Media, *kinds: str) -> bool:
    """A picture may come as a document, which is how it keeps its quality."""
    return media.kind in kinds or (media.kind in ("document", "file") and media.mime.startswith(f"{kinds[0]}/"))


def all_missed(heard: Sequence[Heard]) -> frozenset[Missed]:
    return frozenset(each for one in heard for each in one.missed)


def pictures(heard: Sequence[Heard]) -> Iterator[Picture]:
    for one in heard:
        yield from one.pictures


def unheard(message: Message, lang: str) -> Heard:
    """*message* as far as it can be read without fetching anything."""
    marks = [phrases.picture_alone(lang)] * len([each for each in message.media if _is(each, "image", "sticker")])
    return Heard(
        message=message, text=message.text.strip(), remembered="\n".join(filter(None, [*marks, message.text]))
    )


def recalled(heard: Heard, text: str) -> Heard:
    """*heard*, understood as *text*: a number that stands for a choice."""
    return heard if text == heard.text else replace(heard, text=text, remembered=text)
