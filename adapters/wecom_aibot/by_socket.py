"""WebSocket mode, the workers' side: what they want said goes to the process that holds the connection (WeCom sheet
§4.7).

A message is answered under its own request id for a day: as a stream, which may change for six minutes from its
first frame. What comes later, or unasked, is pushed to the chat.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from adapters.channel import Services
from adapters.files import NoFile
from adapters.http import HttpAnswer
from adapters.relay import NobodyConnected
from adapters.shared import Bucket
from adapters.values import Action, Delivered, Message, Outcome, Refused, Reply, Unknown
from adapters.wecom.api import Result, judged
from adapters.wecom.codes import RULES
from adapters.wecom_aibot.carrying import Load, load_of, numbered
from adapters.wecom_aibot.frames import PUSH, RESPOND, command
from adapters.wecom_aibot.names import Names
from adapters.wecom_aibot.pace import for_message, for_update, for_upload
from adapters.wecom_aibot.shown import DIALECT, Shown, clipped, far, loaded, stream
from adapters.wecom_aibot.upload import FILE, kind_of, upload
from adapters.wecom_aibot.words import answered_below, lang_of

ACK = timedelta(seconds=5)
"""How long the platform's answer to a frame is waited for."""
CHANGEABLE = timedelta(minutes=5, seconds=30)
"""How long a stream is changed; after six minutes the platform refuses (846608)."""
ANSWERABLE = timedelta(hours=23, minutes=55)
"""How long a message is answered under its request id; after a day the platform refuses (846605)."""
PUSHES = 2
"""Tries of one push. Nothing keeps the platform from showing both, so the second is the last."""
RECONNECTED = timedelta(seconds=2)
"""The pause before looking again for somebody who holds the connection. It costs no call, so that it need not grow:
whoever takes over after a death (15 s) finds the customer's answer waiting for seconds, not for half a minute."""
SHOW_EVERY = 3.0
"""Seconds between two updates of a growing answer."""
_NOT_CHANGEABLE = "846608"
_CHAT_TYPES = {"single": 1, "group": 2}  # 2 is unconfirmed (WeCom sheet §4.7)


class SocketMode:
    """One bot whose messages come over a connection that another process holds."""

    def __init__(self, name: str, feedback: bool, services: Services) -> None:
        self._name = name
        self._names = Names(name)
        self._feedback = feedback
        self._services = services

    # ---- replies ----

    def send(self, reply: Reply, index: int, *, again: bool) -> Outcome:
        load = load_of(reply.parts, index, with_pictures=False)
        if not load.content.strip() and not load.attachments:
            return Refused(reason="44004 empty text: it is never sent", action=Action.GIVE_UP, code="44004")
        if index > load.first:
            return Delivered(platform_id=reply.route.get("stream", ""))
        if load.attachments:
            return self._file(reply, load)
        opens = all(part.attachment for part in reply.parts[: load.first])
        if opens and (outcome := self._by_stream(reply, load, again=again)):
            return outcome
        body = {"msgtype": "markdown", "markdown": {"content": numbered(load)}}
        return self._push(reply, load, body)

    def _by_stream(self, reply: Reply, load: Load, *, again: bool) -> Outcome | None:
        """None: it has to be pushed."""
        stream_id, req_id = (reply.route.get(each, "") for each in ("stream", "req_id"))
        name, now = self._names.answer(stream_id), self._services.now()
        growing = self._services.growth.read(name)
        if growing and growing.finished:
            return Delivered(platform_id=stream_id) if loaded(growing.text).by == reply.key else None
        over = growing and now - growing.opened_at >= CHANGEABLE
        if not stream_id or not req_id or over or now - _heard_at(reply) >= ANSWERABLE:
            return None
        if refused := self._too_fast(for_message(self._name, _chat(reply))):
            return refused
        final = Shown(content=numbered(load), by=reply.key, lang=lang_of(load.content))
        feedback = "" if growing or not self._feedback else stream_id
        self._services.growth.open(name, Shown(content=final.content, lang=final.lang).dump())
        fields = stream(stream_id, final.content, finish=True, feedback=feedback)
        outcome = self._said(command(RESPOND, {"msgtype": "stream", "stream": fields}, req_id=req_id))
        if again and isinstance(outcome, Refused) and outcome.code == _NOT_CHANGEABLE:
            pass  # not for its age, which is known here: the earlier try has finished it
        elif isinstance(outcome, Refused) and outcome.action is Action.REROUTE:
            final = Shown(content=final.content)
        elif not isinstance(outcome, Delivered):
            return _doubtful(outcome, again=again)
        self._services.growth.grow(name, final.dump(), finished=True)
        return Delivered(platform_id=stream_id) if final.by else None

    def _file(self, reply: Reply, load: Load) -> Outcome:
        [attachment] = load.attachments
        try:
            content = self._services.files.read(attachment)
        except NoFile as error:
            return Refused(reason=str(error), action=Action.GIVE_UP)
        kind = kind_of(attachment, content)
        if kind is None:
            reason = f"{attachment.file}: {len(content)} bytes, and WeCom takes {FILE.largest} at most"
            return Refused(reason=reason, action=Action.GIVE_UP)
        if refused := self._too_fast(for_upload(self._name)):
            return refused
        uploaded = upload(kind, attachment.file, content, self._asked)
        if not isinstance(uploaded, str):
            # Nobody has seen anything yet: a lost answer is as good as a refusal.
            return uploaded if isinstance(uploaded, Refused) else _again(uploaded.reason)
        return self._push(reply, load, {"msgtype": kind.type, kind.type: {"media_id": uploaded}})

    def _push(self, reply: Reply, load: Load, body: Mapping[str, object]) -> Outcome:
        """A message of its own, to a chat where the customer has written before."""
        name = self._names.pushed(reply.part_key(load.first))
        tries = int(self._services.growth.open(name, "0").text)
        if tries >= PUSHES:
            reason = f"pushed {tries} times, and the platform never said whether it arrived: look at the chat"
            return Refused(reason=reason, action=Action.GIVE_UP)
        if refused := self._too_fast(for_message(self._name, _chat(reply))):
            return refused
        self._services.growth.grow(name, str(tries + 1))
        chat_type = _CHAT_TYPES.get(reply.route.get("chat_type", ""), 1)
        outcome = self._said(command(PUSH, {"chatid": _chat(reply), "chat_type": chat_type, **body}))
        if isinstance(outcome, Refused):
            self._services.growth.grow(name, str(tries))
        return outcome

    def _too_fast(self, buckets: Sequence[Bucket]) -> Refused | None:
        """The platform drops what comes too fast without a word."""
        wait = self._services.throttle.take(buckets)
        if wait <= timedelta():
            return None
        return Refused(reason="30 messages a minute and 1,000 an hour", action=Action.RETRY, retry_after=wait)

    def _said(self, frame: str) -> Outcome:
        result = self._asked(frame)
        return result if isinstance(result, Refused | Unknown) else Delivered()

    def _asked(self, frame: str) -> Result:
        try:
            answer = self._services.relay.ask(self._name, frame, wait=ACK)
        except NobodyConnected:
            reason = "nobody holds the long connection: is `frontdesk connect` running?"
            return Refused(reason=reason, action=Action.RETRY, retry_after=RECONNECTED)
        if answer is None:
            return Unknown(reason="the platform did not answer the frame in time")
        result = judged(HttpAnswer(200, {}, answer.encode()), RULES, self._services.now())
        return _again(result.reason) if isinstance(result, Refused) and result.action is Action.TOKEN else result

    # ---- growing answers ----

    def writing(self, messages: Sequence[Message]) -> "SocketWriting":
        return SocketWriting(self._name, self._services, messages, feedback=self._feedback)


class SocketWriting:
    """Shows an answer by updates of its stream, at a pace that leaves the chat's budget room for the answer itself.
    The *messages* before the newest are answered with it: when the writing ends, what was shown of them points at
    it."""

    def __init__(self, name: str, services: Services, messages: Sequence[Message], *, feedback: bool) -> None:
        self._name = name
        self._names = Names(name)
        self._services = services
        self._earlier = messages[:-1]
        self._newest = messages[-1]
        self._feedback = feedback
        self._next = 0.0

    def show(self, text: str) -> None:
        route = self._newest.route
        content = clipped(DIALECT.render(text))
        if time.monotonic() < self._next or "stream" not in route or not content.strip():
            return
        self._next = time.monotonic() + SHOW_EVERY
        name = self._names.answer(route["stream"])
        known = self._services.growth.read(name)
        if known and (self._services.now() - known.opened_at >= CHANGEABLE or far(known.text) > len(content)):
            return  # too late, or a new try that has not come as far as the one before: no text shrinks
        if self._services.throttle.take(for_update(self._name, route.get("chat", ""))) > timedelta():
            return
        shown = Shown(content=content, lang=lang_of(self._newest.text)).dump()
        self._services.growth.open(name, shown)
        if self._services.growth.grow(name, shown):
            feedback = "" if known or not self._feedback else route["stream"]
            self._tell(self._newest, stream(route["stream"], content, finish=False, feedback=feedback))

    def end(self) -> None:
        for message in self._earlier:
            stream_id = message.route.get("stream", "")
            content = answered_below(lang_of(message.text))
            known = self._services.growth.read(self._names.answer(stream_id))
            pointer = Shown(content=content).dump()
            if known and self._services.growth.grow(self._names.answer(stream_id), pointer, finished=True):
                self._tell(message, stream(stream_id, content, finish=True))

    def _tell(self, message: Message, fields: Mapping[str, object]) -> None:
        frame = command(RESPOND, {"msgtype": "stream", "stream": fields}, req_id=message.route.get("req_id", ""))
        self._services.relay.tell(self._name, frame)


def _chat(reply: Reply) -> str:
    return reply.route.get("chat", "")


def _heard_at(reply: Reply) -> datetime:
    return datetime.fromisoformat(reply.route["at"])


def _again(reason: str) -> Refused:
    return Refused(reason=reason, action=Action.RETRY)


def _doubtful(outcome: Outcome, *, again: bool) -> Outcome:
    """How the platform answers a stream that is finished already is not documented: this may be just that."""
    if again and isinstance(outcome, Refused) and outcome.permanent:
        reason = f"{outcome.reason} (an earlier try may have arrived: look at the chat)"
        return Refused(reason=reason, action=Action.GIVE_UP, code=outcome.code)
    return outcome
