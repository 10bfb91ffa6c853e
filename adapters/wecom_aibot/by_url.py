"""URL mode: encrypted callbacks in; out by the answers to the platform's polls (WeCom sheet §4.1, §4.4).

A message is answered with the id of a stream. The platform then asks for that stream, of any web process, until one
says that it is finished; a worker writes meanwhile. Every way through ends the stream: the reply, the polls' own
watch on the time, or, where nobody knows the stream any more, an apology.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from adapters.channel import Services
from adapters.crypto import BadContent
from adapters.files import NoFile
from adapters.payload import Json, text
from adapters.shared import Growing
from adapters.values import (
    Action,
    Attachment,
    Delivered,
    Event,
    Message,
    Outcome,
    Refused,
    Reply,
    Request,
    Response,
)
from adapters.wecom_aibot.cards import choice_card, chosen_update
from adapters.wecom_aibot.carrying import Load, load_of, numbered, with_names
from adapters.wecom_aibot.envelope import Callback
from adapters.wecom_aibot.growing import AnswerWriting
from adapters.wecom_aibot.inbound import POLL, Inbound
from adapters.wecom_aibot.names import Names
from adapters.wecom_aibot.pictures import problems
from adapters.wecom_aibot.response import ResponseUrl
from adapters.wecom_aibot.settings import WeComAiBotSettings
from adapters.wecom_aibot.shown import Shown, ended_early, loaded, stream
from adapters.wecom_aibot.words import answered_below, lang_of, lost, one_moment, still_working

WATCHDOG = timedelta(minutes=5, seconds=30)
"""After it a poll ends the stream itself: the platform asks for no longer than six minutes."""
POLLED_FOR = timedelta(minutes=5, seconds=50)
"""After it no poll is to be counted on."""
ASKED_WITHIN = timedelta(seconds=20)
"""A stream that nobody has asked for since is given up: the platform never heard of it (the callback's answer was
lost), or has stopped asking. How often it asks is undocumented; about once a second was seen."""
OPENING = timedelta(seconds=10)
"""So long after a message its stream may still be about to be opened: a worker can be faster than the callback's
own answer, and that answer may need the platform's second try (5 s)."""


class UrlMode:
    """One bot whose callbacks come to our address."""

    def __init__(self, name: str, settings: WeComAiBotSettings, services: Services) -> None:
        self._settings = settings
        self._services = services
        self._names = Names(name)
        self._callback = Callback(settings)
        self._inbound = Inbound(channel=name, bot_id=settings.bot_id, bot_name=settings.bot_name)
        self._response_url = ResponseUrl(self._names, settings.api_base, services)

    @property
    def callback(self) -> Callback:
        return self._callback

    def verify(self, request: Request) -> None:
        """What is unreadable after the receive id, which is proven by then, is `parse`'s to say."""
        with suppress(BadContent):
            self._callback.open(request)

    def parse(self, request: Request) -> Sequence[Event]:
        opened = self._callback.open(request)
        if request.method == "GET":
            return ()
        event = self._inbound.event(opened.body(), received_at=request.received_at)
        return () if event is None else (event,)

    # ---- the answers ----

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        """The stream's first state, its current one, a welcome, a changed card; an empty body where the platform
        wants none. A stream is opened here, once its message is safe: a 503 leaves none behind."""
        opened = self._callback.open(request)
        if request.method == "GET":
            return Response(body=opened.text.encode())
        body = opened.body()
        content = self._content(body, events)
        if content is None:
            return Response()
        return opened.answer(content, timestamp=int(request.received_at.timestamp()))

    def _content(self, body: Json, events: Sequence[Event]) -> Mapping[str, object] | None:
        if text(body, "msgtype") == POLL:
            return self._polled(text(body, "stream", "id"))
        message = next((event for event in events if isinstance(event, Message)), None)
        if message and "stream" in message.route:
            return self._opened(message)
        match text(body, "event", "eventtype"):
            case "enter_chat" if self._settings.welcome.strip():
                return {"msgtype": "text", "text": {"content": self._settings.welcome}}
            case "template_card_event":
                return chosen_update(body)
        return None

    def _opened(self, message: Message) -> Mapping[str, object]:
        """The first answer to *message*; what there is already, if it was delivered before, or answered at once."""
        stream_id, lang = message.route["stream"], lang_of(message.text)
        waiting = Shown(content=one_moment(lang), lang=lang, waiting=True)
        growing = self._services.growth.open(self._names.answer(stream_id), waiting.dump())
        return self._frame(stream_id, growing, feedback=stream_id if self._settings.feedback else "")

    def _polled(self, stream_id: str) -> Mapping[str, object]:
        name = self._names.answer(stream_id)
        growing = self._services.growth.read(name)
        if growing:
            self._note_asked(stream_id)
        if growing and not growing.finished and self._services.now() - growing.opened_at >= WATCHDOG:
            shown = loaded(growing.text)
            ended = ended_early(shown, still_working(shown.lang))
            self._services.growth.grow(name, ended.dump(), finished=True)
            growing = self._services.growth.read(name)  # the reply may have been faster
        if growing is None:
            return {"msgtype": "stream", "stream": stream(stream_id, lost(""), finish=True)}
        return self._frame(stream_id, growing)

    def _note_asked(self, stream_id: str) -> None:
        name, now = self._names.asked(stream_id), self._services.now().isoformat()
        if not self._services.growth.grow(name, now):
            self._services.growth.open(name, now)

    def _frame(self, stream_id: str, growing: Growing, *, feedback: str = "") -> Mapping[str, object]:
        shown = loaded(growing.text)
        content, images = shown.content, []
        for file in shown.images if growing.finished else ():
            try:
                images.append(self._services.files.read(Attachment(kind="image", file=file)))
            except NoFile:
                content += f"\n\n📎 {file}"
        fields = stream(stream_id, content, finish=growing.finished, images=images, feedback=feedback)
        if growing.finished and shown.choices:
            card = choice_card(shown.choices, task_id=shown.by or stream_id, lang=shown.lang)
            return {"msgtype": "stream_with_template_card", "stream": fields, "template_card": card}
        return {"msgtype": "stream", "stream": fields}

    # ---- the worker ----

    def writing(self, messages: Sequence[Message]) -> AnswerWriting | None:
        """None: the newest is a tap on a card, which has no stream, and no earlier one has."""
        streams = [(message.route.get("stream", ""), lang_of(message.text)) for message in messages]
        if not any(stream_id for stream_id, _ in streams):
            return None
        *earlier, (newest, lang) = streams
        return AnswerWriting(
            self._services.growth,
            self._names.answer(newest) if newest else "",
            lang=lang,
            earlier=[(self._names.answer(each), lang) for each, lang in earlier if each],
        )

    def send(self, reply: Reply, index: int, *, again: bool) -> Outcome:
        """The first part of a load sends it. A picture that cannot be shown is named in the text, and refused at
        its own part, so that an operator hears of it."""
        load = load_of(reply.parts, index)
        if not load.content.strip() and not load.attachments:
            return Refused(reason="44004 empty text: it is never sent", action=Action.GIVE_UP, code="44004")
        if index == load.first:
            outcome = self._load(reply, load, again=again)
            if not isinstance(outcome, Delivered):
                return outcome
        attachment = reply.parts[index].attachment
        if attachment and (problem := problems(load.parts, self._services.files).get(attachment)):
            return Refused(reason=problem, action=Action.GIVE_UP)
        return Delivered(platform_id=reply.route.get("stream", ""))

    def _load(self, reply: Reply, load: Load, *, again: bool) -> Outcome:
        if load.number == 0:
            if again and self._may_be_below(reply, load):
                return self._below(reply, load, again=True)
            return self._by_stream(reply, load) or self._below(reply, load, again=again)
        if load.number == 1 and self._finished_by(reply):
            return self._late(reply, load, again=again)
        reason = (
            "longer than an AI bot may answer by URL (20,480 bytes in the stream, as much after it): ask for less"
        )
        return Refused(reason=reason, action=Action.GIVE_UP)

    def _by_stream(self, reply: Reply, load: Load) -> Outcome | None:
        """None: the stream is over, or was never there."""
        stream_id = reply.route.get("stream", "")
        if not stream_id:
            return None
        name, now = self._names.answer(stream_id), self._services.now()
        growing = self._services.growth.read(name)
        if growing is None:
            return _not_open_yet() if now - _heard_at(reply) < OPENING else None
        unsendable = problems(load.parts, self._services.files)
        if not growing.finished and not self._is_asked_for(reply, growing):
            return None
        final = Shown(
            # Whether an empty text replaces what is shown is unconfirmed: a picture alone has its name with it.
            content=with_names(load.content, tuple(unsendable) if load.content.strip() else load.attachments),
            images=tuple(each.file for each in load.attachments if each not in unsendable),
            choices=load.choices,
            by=reply.key,
            lang=lang_of(load.content),
        )
        self._services.growth.grow(name, final.dump(), finished=True)
        return Delivered(platform_id=stream_id) if self._finished_by(reply) else None

    def _is_asked_for(self, reply: Reply, growing: Growing) -> bool:
        """Whether what is written now will be fetched, as far as anybody can tell; hoped where there is no other
        way."""
        now, asked = self._services.now(), self._services.growth.read(self._names.asked(reply.route["stream"]))
        last = datetime.fromisoformat(asked.text) if asked else growing.opened_at
        recently = now - last < ASKED_WITHIN or not reply.route.get("response_url")
        return recently and now - growing.opened_at < POLLED_FOR

    def _may_be_below(self, reply: Reply, load: Load) -> bool:
        used = self._response_url.may_have_arrived(reply, reply.part_key(load.first))
        return used and not self._finished_by(reply)

    def _below(self, reply: Reply, load: Load, *, again: bool) -> Outcome:
        """As a message of its own. The stream is ended once that has arrived, so that a callback that comes again
        opens it ended; if it is asked for after all before, the next try goes there."""
        outcome = self._late(reply, load, again=again)
        if isinstance(outcome, Delivered) and (stream_id := reply.route.get("stream", "")):
            name, unseen = self._names.answer(stream_id), Shown(content="", lang=lang_of(load.content))
            shown = loaded(self._services.growth.open(name, unseen.dump()).text)
            ended = ended_early(shown, answered_below(shown.lang))
            self._services.growth.grow(name, ended.dump(), finished=True)
        return outcome

    def _finished_by(self, reply: Reply) -> bool:
        growing = self._services.growth.read(self._names.answer(reply.route.get("stream", "")))
        return growing is not None and growing.finished and loaded(growing.text).by == reply.key

    def _late(self, reply: Reply, load: Load, *, again: bool) -> Outcome:
        return self._response_url.send(reply, numbered(load), reply.part_key(load.first), again=again)


def _heard_at(reply: Reply) -> datetime:
    return datetime.fromisoformat(reply.route["at"])


def _not_open_yet() -> Refused:
    reason = "the customer's stream is not open yet: the callback's own answer opens it"
    return Refused(reason=reason, action=Action.RETRY, retry_after=timedelta(seconds=1))
