"""A WeCom AI bot as the platform plays it: answers that are polled until they end (WeCom sheet §4, §9.7).

By URL: the first answer within five seconds opens a stream, then the platform asks every second what the whole text
is now, until it is finished or six minutes have passed. By long connection: see `aibot_socket`.
"""

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

from bot.sandbox.simulator.calls import Exchange, Refusal, Route, route
from bot.sandbox.simulator.courier import Heard
from bot.sandbox.simulator.envelope import Envelope, Spoiled
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import Delivery, SentMessage
from bot.sandbox.simulator.media import File
from bot.sandbox.simulator.platform import Post, member
from bot.sandbox.simulator.serving import Answer, answer_json
from bot.sandbox.wecom import aibot_messages as messages
from bot.sandbox.wecom import cards
from bot.sandbox.wecom.aibot_interaction import Interaction
from bot.sandbox.wecom.aibot_members import AiBot
from bot.sandbox.wecom.callbacks import compact
from bot.sandbox.wecom.errors import errcode, ok, refusal

STREAM_LIFE = timedelta(minutes=6)
RESPONSE_LIFE = timedelta(hours=1)


class WeComAiBotPlatform(AiBot):
    """One AI bot, and what becomes of its answers."""

    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("response", Fault(cut_after_accept=True)),
        "busy": ("response", Fault(status=200, json=errcode(-1, "system busy"))),
    }

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/cgi-bin/aibot/response", "response", self._on_response),
            route("GET", r"/aibot/media/[^/]+", "download", self._on_media),
        )

    def unknown_path(self) -> Answer:
        return answer_json(errcode(40066, "invalid url"))

    def forget_tokens(self) -> None:
        """There are none: the address that a message brings is the credential."""
        self.responses.clear()

    # ------------------------------------------------------------------ the bot's answers, and the polls

    def check_answer(self, post: Post, heard: Heard) -> None:
        interaction = self.interactions.get(post.message_id)
        if interaction is None or post.what == "check":
            return
        try:
            answer = self._opened(heard.body, parse_qs(post.query)["nonce"][0]) if heard.body.strip() else None
            self._take(interaction, post.what, answer)
        except messages.BadAnswer as bad:
            self.breach(bad.rule, str(bad))
            interaction.finished = True

    def _opened(self, body: bytes, nonce: str) -> Any:
        """The encrypted JSON; its nonce must be that of the callback's address (§4.1)."""
        try:
            outer = json.loads(body)
            encrypted = str(member(outer, "encrypt"))
            clear = Envelope(token=self.token, key=self.encoding_aes_key, receive_id="").open(encrypted)
            answer = json.loads(clear)
        except (ValueError, Spoiled) as error:
            raise messages.BadAnswer("answer_unreadable", str(error)) from error
        signed = self.envelope.signature(str(member(outer, "timestamp")), nonce, encrypted)
        if member(outer, "nonce") != nonce or member(outer, "msgsignature") != signed:
            raise messages.BadAnswer("answer_signature", "nonce of the address, and a signature over it")
        return answer

    def _take(self, interaction: Interaction, what: str, answer: Any) -> None:
        if what == "feedback_event":
            if answer is not None:
                raise messages.BadAnswer("answer_to_feedback", "only an empty answer is allowed")
        elif what == "enter_chat":
            self._welcomed(interaction, answer)
        elif what == "template_card_event":
            self._updated(answer)
        elif answer is None:
            raise messages.BadAnswer("message_without_answer", "the first answer opens a stream")
        else:
            self._streamed(interaction, messages.of_answer(answer))

    def _welcomed(self, interaction: Interaction, answer: Any) -> None:
        if answer is None:
            return
        if member(answer, "msgtype") not in ("text", "template_card"):
            raise messages.BadAnswer("welcome_wrong", "text or template_card")
        words = member(answer, "text", "content") or cards.words(member(answer, "template_card"))
        self._show(interaction, str(words), answer)

    def _updated(self, answer: Any) -> None:
        if answer is not None and member(answer, "response_type") != "update_template_card":
            raise messages.BadAnswer("card_update_wrong", "response_type is update_template_card")

    def _streamed(self, interaction: Interaction, told: messages.Streamed) -> None:
        if interaction.finished:  # a second delivery of the message: the bubble is there already
            return
        first = not interaction.stream
        if first:
            interaction.stream = told.id or interaction.message_id
        elif told.id and told.id != interaction.stream:
            raise messages.BadAnswer("stream_id_changed", "the stream has another id now")
        if told.card is not None:
            interaction.carded = told.card
        if told.finished and not told.text.strip() and not told.card and not told.images:
            raise messages.BadAnswer("stream_ended_empty", "nothing was ever said")
        self._check_growth(interaction, told.text)
        interaction.shown, interaction.finished = told.text, told.finished
        self.grown(interaction)
        if told.finished:
            self._show(interaction, told.text, {"stream": interaction.stream}, choices=told.choices)
            for number, image in enumerate(told.images):
                self._show_image(interaction, image, number)
            interaction.done.set()
        elif first:
            threading.Thread(target=self._poll, args=(interaction,), name="aibot-polls", daemon=True).start()

    def _check_growth(self, interaction: Interaction, text: str) -> None:
        """Each answer holds the whole text (§4.4). That it begins anew may happen, once behind a waiting line and
        once behind a model that broke off; a bot that sends pieces does it every time."""
        begun = interaction.shown[: len(interaction.shown) // 2]
        interaction.replaced += not text.startswith(begun)
        if interaction.replaced > 2:
            raise messages.BadAnswer("stream_not_cumulative", "the text became another a third time")

    def _poll(self, interaction: Interaction) -> None:
        while not interaction.done.wait(self.poll_every.total_seconds() / self.speed):
            if self.clock.now() - interaction.began > STREAM_LIFE:
                self.breach("stream_never_finished", "six minutes after the message it was still open")
                interaction.finished = True
                return
            interaction.polls += 1
            self._ask(interaction)
            if interaction.finished:
                return

    def _ask(self, interaction: Interaction) -> Delivery:
        """One poll: it brings no response_url (§4.2). A bot that does not answer is asked again."""
        body = {
            "msgid": f"CAIQ{secrets.token_urlsafe(8)}",
            "aibotid": self.bot_id,
            "chattype": "group" if interaction.place else "single",
            "from": {"userid": interaction.user},
            "msgtype": "stream",
            "stream": {"id": interaction.stream},
        }
        post = self.sealed(Post(what="poll", message_id=interaction.message_id), compact(body).encode())
        return self._post(lambda: post, again=False)

    def ask_for(self, stream: str) -> Delivery:
        """A poll for *stream*, known or not."""
        interaction = Interaction(
            user="ZhangWei", place="", message_id=stream, began=self.clock.now(), stream=stream
        )
        self.interactions.setdefault(stream, interaction)
        return self._ask(self.interactions[stream])

    def _show(self, interaction: Interaction, text: str, raw: Any, *, choices: Any = ()) -> None:
        self.journal.add(
            SentMessage(
                to=interaction.place or interaction.user,
                text=text,
                key=interaction.stream,
                at=self.clock.now(),
                raw=raw,
                platform_id=interaction.stream,
                style="markdown",
                choices=choices,
            )
        )

    def _show_image(self, interaction: Interaction, content: bytes, number: int) -> None:
        id_ = f"{interaction.stream}-{number}"
        self.shelf.put(id_, File(content=content, mime="image/png", name="", at=self.clock.now()))
        self.journal.add(
            SentMessage(
                to=interaction.place or interaction.user,
                text="",
                key=interaction.stream,
                at=self.clock.now(),
                raw={},
                platform_id=id_,
                media=id_,
                media_kind="image",
            )
        )

    # ------------------------------------------------------------------ the bot calls

    def _on_response(self, exchange: Exchange) -> Answer:
        """One call, within an hour, plain JSON (§4.5)."""
        at, interaction = self.responses.pop(exchange.incoming.argument("response_code"), (None, None))
        if at is None or interaction is None or self.clock.now() - at > RESPONSE_LIFE:
            raise refusal(40058, "response_code was used, or is too old")
        body = exchange.incoming.json()
        content = member(body, "markdown", "content")
        if member(body, "msgtype") != "markdown" or not isinstance(content, str) or not content.strip():
            raise refusal(40008, "markdown with content", rule="unknown_type")
        if len(content.encode()) > messages.LARGEST_TEXT:
            raise refusal(45002, "content too long", rule="too_long")
        self._show(interaction, content, body)
        return answer_json(ok())

    def _on_media(self, exchange: Exchange) -> Answer:
        link, until, key = self.links.get(exchange.incoming.path.rsplit("/", 1)[1], ("", self.clock.now(), ""))
        file = self.shelf.get(link)
        if file is None or until <= self.clock.now():
            raise Refusal(Answer(status=404), "the address lived five minutes")
        named = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        body = messages.sealed(file.content, key)
        return Answer(body=body, content_type="application/octet-stream", headers=named)
