"""One business number, and what its customers and Meta tell the bot: every webhook of the Cloud API (§1, §2)."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from bot.sandbox.simulator.journal import EMPTY, Delivery, Said
from bot.sandbox.simulator.media import File
from bot.sandbox.simulator.platform import Platform, Post
from bot.sandbox.simulator.seen import Seen
from bot.sandbox.whatsapp import account, incoming
from bot.sandbox.whatsapp.envelopes import Envelopes, message_value
from bot.sandbox.whatsapp.graph import meta_json, sign
from bot.sandbox.whatsapp.media import MediaDesk
from bot.sandbox.whatsapp.people import People, Person
from bot.sandbox.whatsapp.statuses import Habits, status

RETRY_FOR = 24
"""Attempts: doubling from a second to six hours, these fill about the 7 days of §1.4."""


class WhatsAppNumber(Platform[dict[str, Any]]):
    """A *user* is a phone number in digits, or a business-scoped user id."""

    name = "whatsapp"
    patience = timedelta(seconds=10)
    kinds = incoming.KINDS

    def __init__(
        self,
        *,
        phone_number_id: str = "106540352242922",
        access_token: str = "EAAsandboxaccesstoken",  # noqa: S107 - a fake's fixed credentials
        app_secret: str = "sandbox-app-secret",  # noqa: S107
        verify_token: str = "sandbox-verify-token",  # noqa: S107
        waba_id: str = "102290129340398",
        display_phone_number: str = "15550783881",
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(webhook_url=webhook_url, strangers=strangers)
        self.phone_number_id = phone_number_id
        self.access_token = access_token
        self.app_secret = app_secret
        self.verify_token = verify_token
        self.waba_id = waba_id
        self.display_phone_number = display_phone_number
        self.habits = Habits()
        self.profiles = True
        """Whether contacts carry a profile."""
        self.batch = 1
        """How many messages share one webhook; *batch_shape*: how (see `BATCHES`)."""
        self.batch_shape = "messages"
        self.media = MediaDesk(self.shelf, self.clock.now, lambda: self.url)
        self.people = People()
        self._envelopes = Envelopes(
            waba_id=waba_id, phone_number_id=phone_number_id, display_phone_number=display_phone_number
        )
        self._pool: list[dict[str, Any]] = []
        self._shown: dict[str, tuple[Person, Seen]] = {}

    @property
    def statuses(self) -> bool:
        """Whether an accepted reply is followed by `sent` and `delivered` webhooks."""
        return not self.habits.off

    @statuses.setter
    def statuses(self, on: bool) -> None:
        self.habits.off = not on

    @property
    def reads(self) -> bool:
        """Whether `read` follows too, as when the customer looks at the chat."""
        return self.habits.reads

    @reads.setter
    def reads(self, on: bool) -> None:
        self.habits.reads = on

    def again_after(self, attempt: int) -> timedelta | None:
        return timedelta(seconds=min(2.0 ** (attempt - 1), 21600.0)) if attempt < RETRY_FOR else None

    def oversized(self) -> int:
        return 3 * 1024 * 1024 + 1

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "14155550123", "name": "Ana Torres", "hint": "phone"},
            {"user": "US.8f2d41c07bb34a", "name": "Wei Chen", "hint": "hidden"},
            {"user": "5215512345678", "name": "Luz Reyes", "hint": "two_forms"},
        )

    # ------------------------------------------------------------------ a customer writes

    def say(
        self,
        text: str,
        *,
        user: str = "14155550123",
        name: str = "Ana Torres",
        message_id: str | None = None,
        user_ids: bool = True,
    ) -> Delivery:
        """Posts one text message. A *user* of the form `US.…` hides the phone number; without *user_ids* the
        webhook has the shape from before those ids (§2.4)."""
        person = self.people.meet(user, name, user_ids=user_ids)
        return self._from(person, user, {"type": "text", "text": {"body": text}}, text, message_id)

    def write(self, kind: str, *, user: str = "", name: str = "Ana Torres", **fields: Any) -> Delivery:
        person = self.people.meet(user or "14155550123", name)
        given = {**incoming.KINDS[kind], **fields}
        if kind == "number_changed":
            return self._changes_number(person, str(fields.get("new") or incoming.KINDS[kind]["new"]))
        if kind not in incoming.FILES:
            words = str(given.get("text") or given.get("title") or "")
            message = incoming.content(kind, fields)
            return self._from(person, person.user, message, words, None, style=kind, fields=given)
        held, mime, filename = incoming.FILES[kind]
        id_ = self.media.keep(held, mime, filename, uploaded=False)
        file = File(content=held, mime=mime, name=filename, at=self.clock.now())
        message = incoming.media_content(kind, id_, file, given)
        words, told = str(given.get("caption", "")), {"filename": filename, **given}
        return self._from(person, person.user, message, words, None, style=kind, media=id_, fields=told)

    def tap(self, message_id: str, choice: str, *, user: str = "") -> Delivery:
        person, seen = self._shown[message_id]
        picked = {each.id: each for each in seen.choices}[choice]
        kind = "list_reply" if len(seen.choices) > 3 or picked.description else "button_reply"
        if choice == "send_location":
            message = incoming.content("location", {})
        else:
            fields = {"id": picked.id, "title": picked.title}
            message = incoming.content(kind, fields | {"description": picked.description})
        message["context"] = {"from": self.display_phone_number, "id": message_id}
        told = {"message_id": message_id, "choice": choice}
        return self._from(person, person.user, message, picked.title, None, style="tap", fields=told)

    def _from(
        self,
        person: Person,
        user: str,
        message: dict[str, Any],
        words: str,
        message_id: str | None,
        *,
        style: str = "text",
        media: str = "",
        fields: Mapping[str, Any] = EMPTY,
    ) -> Delivery:
        at = self.clock.now()
        if message["type"] not in ("reaction", "system"):
            person.wrote_at = at
            known = self.people.find(user)
            if known:
                known.wrote_at = at
        whole = {"id": message_id or self._new_id(), "timestamp": str(int(at.timestamp())), **message}
        value = message_value(person, whole, profiles=self.profiles)
        said = Said(
            user=user,
            name=person.name,
            text=words,
            message_id=whole["id"],
            place="",
            at=at,
            style=style,
            media=media,
            fields=fields,
        )
        if self.batch <= 1:
            return self._deliver(said, self._envelopes.of(**value))
        self._remember(whole["id"], self._envelopes.of(**value))
        self._pool.append(value)
        if len(self._pool) < self.batch:
            self.journal.add(said)
            return Delivery(
                status=0, body=b"", elapsed=timedelta(), message_id=whole["id"], error="waits for its batch"
            )
        pool, self._pool = self._pool, []
        self.journal.add(said)
        body = self._envelopes.batch(pool, self.batch_shape)
        return self._carry(lambda: self.compose(body))

    def _changes_number(self, person: Person, new: str) -> Delivery:
        """A system message, under the old number, and then the customer is known by the new one (§2.2)."""
        former = Person(user=person.user, name=person.name, wa_id=person.wa_id, user_id=person.user_id)
        old = self.people.move(person, new)
        system = {
            "body": f"User {person.name} changed from {old} to {person.user_id}",
            "type": "user_changed_user_id",
            "wa_id": new,
            "user_id": person.user_id,
            "previous_user_id": old,
        }
        return self._from(
            former, person.user, {"type": "system", "system": system}, "[number changed]", None, style="event"
        )

    def report(self, field: str, value: Mapping[str, Any]) -> Delivery:
        """A webhook that is about the account: a restriction, a template's fate, a quality (§2.6)."""
        body = self._envelopes.account(field, value)
        return self._post(lambda: self.compose(body))

    def standby(self, text: str, *, user: str = "14155550123") -> Delivery:
        """A customer's text while another owns the thread: only a copy (§2.7)."""
        person = self.people.meet(user, "Ana Torres")
        at = str(int(self.clock.now().timestamp()))
        message = {"id": self._new_id(), "timestamp": at, "type": "text", "text": {"body": text}}
        body = self._envelopes.standby(**message_value(person, message))
        return self._post(lambda: self.compose(body))

    def hand_over(self, kind: str, new_owner: str, *, user: str = "14155550123") -> Delivery:
        """*kind*: control_passed or control_taken (§2.7)."""
        body = account.handover(
            self._envelopes, self.people.meet(user, "Ana Torres"), kind, new_owner, self.clock.now()
        )
        return self._post(lambda: self.compose(body))

    def echo(self, text: str, *, user: str = "14155550123") -> Delivery:
        """A colleague answers from the business app (§2.6)."""
        body = account.echo(
            self._envelopes, self.people.meet(user, "Ana Torres"), text, self._new_id(), self.clock.now()
        )
        return self._post(lambda: self.compose(body))

    def verify(self) -> Delivery:
        """The check of the webhook URL (§1.1): the challenge must come back, alone, with 200."""
        challenge = str(secrets.randbelow(10**10))
        query = urlencode(
            {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": self.verify_token}
        )
        heard = self._post(lambda: Post(what="check", message_id="", method="GET", query=query), again=False)
        if heard.status == 200 and heard.body != challenge.encode():
            self.breach("challenge_not_echoed", "the URL check wants the challenge and nothing else")
            return Delivery(status=0, body=heard.body, elapsed=heard.elapsed, message_id="", error="challenge")
        return heard

    def envelope(self, **value: Any) -> dict[str, Any]:
        """*value* (contacts, messages, statuses) as the `messages` field of one webhook (§2.1)."""
        return self._envelopes.of(**value)

    def compose(self, message: dict[str, Any]) -> Post:
        value = message["entry"][0]["changes"][0]["value"]
        kind = next((name for name in ("messages", "statuses") if name in value), "")
        post = Post(
            what={"messages": "message", "statuses": "status"}.get(kind, "event"),
            message_id=value[kind][0]["id"] if kind else "",
        )
        return self.sealed(post, meta_json(message))

    def sealed(self, post: Post, body: bytes) -> Post:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": f"sha256={sign(self.app_secret, body)}",
        }
        return replace(post, headers=headers, body=body)

    def forged(self, post: Post) -> Post:
        return replace(post, headers={**post.headers, "X-Hub-Signature-256": f"sha256={sign('wrong', post.body)}"})

    def report_status(
        self,
        message_id: str,
        state: str,
        *,
        person: Person,
        key: str = "",
        pricing: Mapping[str, Any] | None = None,
        error: int = 0,
    ) -> Delivery:
        """Posts one status webhook (§2.5)."""
        at = int(self.clock.now().timestamp())
        told = status(message_id, state, person, at=at, key=key, pricing=pricing, error=error)
        self._sign(state, person.user, message_id)
        envelope = self.envelope(statuses=[told])
        return self._post(lambda: self.compose(envelope))

    def _new_id(self) -> str:
        """Opaque base64 with characters that careless code mangles (§2.1)."""
        number = f"{self._new_number():012x}".encode()
        return "wamid." + base64.b64encode(secrets.token_bytes(18) + number).decode()
