"""One part of a reply, from its limits to its outcome (sheet §3, §4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from adapters.channel import Services
from adapters.patience import Patience
from adapters.rules import honest
from adapters.shared import Bucket
from adapters.values import Action, Delivered, Outcome, Part, Refused, Reply, Unknown
from adapters.whatsapp.attachments import Attachments, Ready
from adapters.whatsapp.bodies import Body, encoded, interactive, media_message, reaction, text_message
from adapters.whatsapp.graph import Graph
from adapters.whatsapp.limits import CALLBACK
from adapters.whatsapp.numbers import Forms
from adapters.whatsapp.paces import PACES, THRICE
from adapters.whatsapp.refusal import Refusal
from adapters.whatsapp.settings import WhatsAppSettings
from adapters.whatsapp.templates import template
from adapters.whatsapp.verdict import known_as, outcome

SLOWER_FOR = timedelta(minutes=1)
"""After the platform found the number too fast: what comes in counts too, and only the platform sees all."""
PAIR_EVERY, PAIR_BURST = timedelta(seconds=6), 45
"""To one customer (sheet §4.5): ten a minute, and up to 45 at once that are paid back afterwards."""
_OTHER_FORM_MAY_WORK = frozenset({"131026", "131030"})
_UPLOAD_MAY_BE_GONE = frozenset({"100", "131009", "131053"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """What a part becomes. *upload* is the file that it carries, if there is one."""

    content: Body
    upload: Ready | None = None


class Sending:
    """Sends for one number. Thread-safe."""

    def __init__(self, channel: str, settings: WhatsAppSettings, services: Services, graph: Graph) -> None:
        self._channel = channel
        self._settings = settings
        self._services = services
        self._graph = graph
        self._attachments = Attachments(graph, services.files, services.now)
        self._patience = Patience(PACES, otherwise=THRICE)
        self._forms = Forms()
        self._slower_until = services.now()

    def send(self, reply: Reply, index: int) -> Outcome:
        """Nothing leaves that the platform would surely refuse, nor faster than it allows."""
        try:
            prepared = self._prepared(reply, reply.parts[index])
        except Refusal as refusal:
            return self._patience.judged(reply.part_key(index), refusal.refused)
        if wait := self._wait(reply.conversation.key):
            reason = "as fast as the number, or this customer, may be written to: the next one waits"
            return Refused(reason=reason, action=Action.RETRY, retry_after=wait)
        self._count("templates" if reply.parts[index].template else "messages")
        return self._judged(reply, index, prepared, self._either_form(reply, index, prepared.content))

    def react(self, route: Mapping[str, str], conversation: str, emoji: str) -> None:
        """A reaction counts like any message for the rates, and is left out when they are used up."""
        if self._wait(conversation):
            return
        body = {"recipient_type": "individual", **addressee(route), **reaction(route["message_id"], emoji)}
        self._graph.send(encoded(body))

    def _prepared(self, reply: Reply, part: Part) -> _Prepared:
        if part.template:
            language, name = self._settings.reminder_template_language, self._settings.reminder_template_parameter
            return _Prepared(content=template(part.template, language, part.text, parameter_name=name))
        ready = self._attachments.ready(part.attachment) if part.attachment else None
        return _Prepared(content={**self._content(part, ready), **self._quote(reply)}, upload=ready)

    def _content(self, part: Part, ready: Ready | None) -> Body:
        if part.choices:
            header = {"type": ready.kind, ready.kind: ready.reference} if ready else None
            return interactive(part, list_button=self._settings.list_button, header=header)
        if ready:
            return media_message(ready.kind, ready.reference, part.text)
        return text_message(part.text, preview=self._settings.link_preview)

    def _quote(self, reply: Reply) -> Body:
        """The quoted message, which a template does not show (sheet §3.2)."""
        wanted = self._settings.reply_context and "message_id" in reply.route
        return {"context": {"message_id": reply.route["message_id"]}} if wanted else {}

    def _wait(self, conversation: str) -> timedelta:
        """The number's throughput counts what comes in, too; only what goes out is held back here, since nothing
        can be done about the rest. A coexistence number's 20 a second is a setting."""
        name, rate = f"whatsapp:{self._settings.phone_number_id}", self._rate()
        number = Bucket(name=name, every=timedelta(seconds=1) / rate, burst=rate)
        pair = Bucket(name=f"whatsapp:pair:{conversation}", every=PAIR_EVERY, burst=PAIR_BURST)
        return self._services.throttle.take([number, pair])

    def _rate(self) -> int:
        """Messages a second; half as many for a while after 130429 (sheet §4.4)."""
        rate = self._settings.throughput
        return rate if self._services.now() >= self._slower_until else max(1, rate // 2)

    def _either_form(self, reply: Reply, index: int, content: Body) -> Outcome:
        """Numbers of three countries have two forms: where WhatsApp does not know the one, the other is tried once,
        and the one that went through is tried first from then on."""
        phone = reply.route.get("to", "")
        first, other = self._forms.of(phone)
        result = self._post(reply, index, content, {**reply.route, "to": first})
        if other and isinstance(result, Refused) and result.code in _OTHER_FORM_MAY_WORK:
            second = self._post(reply, index, content, {"to": other})
            if isinstance(second, Delivered):
                self._forms.told(phone, other)
            return second if isinstance(second, Delivered | Unknown) else result
        return result

    def _post(self, reply: Reply, index: int, content: Body, route: Mapping[str, str]) -> Outcome:
        """`biz_opaque_callback_data` comes back in the statuses (sheet §3.4)."""
        account = self._settings.messaging_account_id
        body = {
            "recipient_type": "individual",
            **addressee(route),
            **content,
            "biz_opaque_callback_data": reply.part_key(index)[:CALLBACK],
            **({"messaging_account_id": account} if account else {}),
        }
        whole = encoded(body)
        answer = honest("WhatsApp", lambda: self._graph.send(whole))
        if isinstance(answer, Refused | Unknown):
            return answer
        self._forms.told(reply.route.get("to", ""), known_as(answer))
        return outcome(answer, self._services.now())

    def _judged(self, reply: Reply, index: int, prepared: _Prepared, result: Outcome) -> Outcome:
        key = reply.part_key(index)
        if not isinstance(result, Refused):
            self._patience.forget(key)
            return result
        if result.code == "130429":
            self._slower_until = self._services.now() + SLOWER_FOR
        if prepared.upload and result.code in _UPLOAD_MAY_BE_GONE:
            self._attachments.forget(prepared.upload)
        return self._patience.judged(key, result)

    def _count(self, what: str) -> None:
        """What is tried; before it is, so that a store that fails now costs no second message. What is billed comes
        with the statuses. In UTC: in which zone Meta's free thousand of a month begins is not published."""
        month = f"{self._services.now():%Y-%m}"
        self._services.meter.add(self._channel, what, month=month)


def addressee(route: Mapping[str, str]) -> dict[str, str]:
    """By phone number where it is known, else by business-scoped user id (sheet §2.4). Without the `+` the
    platform may put the business's own country code in front (sheet §3.2)."""
    phone = route.get("to", "")
    if phone:
        return {"to": f"+{phone}" if phone.isdecimal() else phone}
    return {"recipient": route.get("recipient", "")}
