"""The contract of what lies beyond text: choices, files, answers that grow, customers' attachments."""

import base64
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.channel import Channel
from adapters.errors import MediaLost, Unsupported
from adapters.files import MemoryFiles
from adapters.http import MaybeSent, NotSent
from adapters.surface import Content, Menu
from adapters.text import Limit
from adapters.tokens import NoToken
from adapters.values import Attachment, Choice, Delivered, Media, Part, Reply, Unknown, reply_key
from tests.contracts.channel_kit import NOWHERE, ChannelKit, fuzz
from tests.fakes import Call, RecordingServer

MARK = b"frontdesk contract 4471"
FILES = {
    "image": ("plan.png", b"\x89PNG\r\n\x1a\n" + MARK, "image/png"),
    "audio": ("tune.amr", b"#!AMR\n" + MARK, "audio/amr"),
    "video": ("film.mp4", b"\x00\x00\x00\x18ftypmp42" + MARK, "video/mp4"),
    "document": ("prices.pdf", b"%PDF-1.7\n" + MARK, "application/pdf"),
}
KINDS = [*FILES, "sticker", "file"]
words = st.text(alphabet="ab中é \n*_[]()<&😀1", max_size=60)
lengthy = st.sampled_from(["", "Which one?", "x" * 113, "字" * 700, "word " * 900])
choices = st.lists(st.tuples(words, words), max_size=22)
attachments = st.lists(
    st.builds(
        Attachment,
        kind=st.sampled_from([*FILES, "other"]),
        file=st.sampled_from(["plan.png", "a b.pdf"]),
        url=st.sampled_from(["", "https://cdn.example.com/a.pdf"]),
        name=words,
    ),
    max_size=3,
)


def fits(text: str, limit: Limit) -> bool:
    return limit.measure(text) <= limit.size


class SurfaceContract(ChannelKit):
    """Inherited by the test class of every channel that sends over HTTP. A channel that shows something only where
    it is configured for it (a template, a mode) is tested as its `settings` say."""

    def reply_of(self, channel: Channel[Any], parts: tuple[Part, ...]) -> Reply:
        return replace(self.reply(channel, "x"), parts=parts)

    def stocked(self, url: str, files: Mapping[str, bytes]) -> Channel[Any]:
        """A channel whose operator has *files*."""
        channel = self.channel(url)
        services = replace(channel.services, files=MemoryFiles(files))
        return self.channel_type(channel.name, channel.settings, services)

    def bodies(self, server: RecordingServer) -> bytes:
        """All that reached the platform, in the clear."""
        return b"\n".join(_clear(call) for call in server.calls)

    # ---- shaping ----

    @fuzz
    @given(lengthy | words, choices, attachments, words)
    def test_whatever_is_to_be_said_comes_within_the_surface(
        self, markdown: str, offered: list[tuple[str, str]], attached: list[Attachment], prompt: str
    ) -> None:
        channel = self.channel()
        titled = tuple(
            Choice(id=str(number), title=title or "-", description=more)
            for number, (title, more) in enumerate(offered, 1)
        )
        content = Content(markdown=markdown, choices=titled, attachments=tuple(attached), prompt=prompt[:20])
        for part in channel.parts(content):
            self._within(channel, part)

    def _within(self, channel: Channel[Any], part: Part) -> None:
        surface = channel.surface
        assert part.text.strip() or part.attachment is not None
        assert fits(part.text, channel.limit)
        if part.choices:
            assert any(menu and self._taken(part, menu) for menu in (surface.buttons, surface.menu))
        if part.attachment is not None:
            assert part.attachment.kind in surface.attachments
            assert not part.text or (surface.caption and fits(part.text, surface.caption))

    def _taken(self, part: Part, menu: Menu) -> bool:
        return (
            len(part.choices) <= menu.most
            and all(fits(each.title, menu.title) for each in part.choices)
            and fits(part.text, menu.body)
        )

    def test_every_choice_reaches_the_customer_in_order(self, server: RecordingServer) -> None:
        for count in (1, 3, 5, 11, 23):
            channel = self.channel(server.url)
            server.calls.clear()
            titles = [f"Ware {number:02}" for number in range(1, count + 1)]
            offered = tuple(Choice(id=str(number), title=title) for number, title in enumerate(titles, 1))
            parts = channel.parts(Content(markdown="Which one?", choices=offered))
            reply = self.reply_of(channel, parts)
            for index in range(len(parts)):
                outcome = channel.send(reply, index)
                assert isinstance(outcome, Delivered), f"{parts[index]}: {outcome}"
            sent = self.bodies(server)
            places = [sent.find(title.encode()) for title in titles]
            assert -1 not in places, f"{count} choices: {parts}"
            assert places == sorted(places)

    @pytest.mark.parametrize("kind", FILES)
    def test_a_file_is_sent_as_one_or_named(self, server: RecordingServer, kind: str) -> None:
        """The operator's file, whole, where the surface has its kind; else its name."""
        name, content, mime = FILES[kind]
        channel = self.stocked(server.url, {name: content})
        attachment = Attachment(kind=kind, file=name, name=name, mime=mime)
        parts = channel.parts(Content(markdown="Here it is.", attachments=(attachment,)))
        reply = self.reply_of(channel, parts)
        for index in range(len(parts)):
            outcome = channel.send(reply, index)
            assert isinstance(outcome, Delivered), f"{parts[index]}: {outcome}"
        sent = self.bodies(server)
        assert (content in sent) is (kind in channel.surface.attachments and self.files_in_calls)
        assert kind in channel.surface.attachments or name.encode() in sent

    @pytest.mark.parametrize("kind", FILES)
    def test_a_file_that_is_gone_is_refused_for_good(self, server: RecordingServer, kind: str) -> None:
        channel = self.stocked(server.url, {})
        if kind not in channel.surface.attachments or not self.files_in_calls:
            return
        part = Part(text="", attachment=Attachment(kind=kind, file="gone.bin", name="gone.bin"))
        outcome = channel.send(self.reply_of(channel, (part,)), 0)
        assert not isinstance(outcome, Delivered | Unknown)
        assert outcome.permanent
        assert not self.sends(server)

    # ---- customers' attachments ----

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_attachment_is_fetched_from_nobody_else(self, server: RecordingServer, kind: str) -> None:
        """Whoever forges a callback names the place."""
        with RecordingServer(self.platform) as stranger:
            channel = self.channel(server.url)
            message = self.message(channel, self.text_webhook())
            for place in (
                f"{stranger.url}/file",
                stranger.url.replace("http:", "https:"),
                "http://169.254.169.254/latest",
            ):
                with pytest.raises((MediaLost, NotSent, MaybeSent, NoToken, Unsupported)):
                    channel.fetch(Media(kind=kind, id=place, mime="image/png"), message)
            assert stranger.calls == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_kind_that_is_not_heard_is_said_aloud(self, kind: str) -> None:
        channel = self.channel()
        if kind in channel.surface.hears:
            return
        message = self.message(channel, self.text_webhook())
        with pytest.raises((Unsupported, MediaLost, NotSent, MaybeSent, NoToken)):
            channel.fetch(Media(kind=kind, id="1"), message)

    # ---- answers that grow ----

    def test_showing_never_raises_nor_waits_while_the_platform_is_away(self) -> None:
        channel = self.channel(NOWHERE)
        message = self.message(channel, self.text_webhook())
        writing = channel.writing([message], reply_key(message))
        assert writing is None or channel.surface.grows
        if writing is None:
            return
        begun = time.monotonic()
        for text in growing():
            writing.show(text)
        assert time.monotonic() - begun < 1
        writing.end()
        writing.end()
        writing.show("too late")
        assert time.monotonic() - begun < 10

    def test_showing_too_much_is_not_the_platforms_problem(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        message = self.message(channel, self.text_webhook())
        writing = channel.writing([message], reply_key(message))
        if writing is None:
            return
        writing.show("字" * 60_000)
        writing.show("**unfinished [link](htt")
        writing.end()
        for call in server.calls:
            assert len(call.body) < 100_000

    # ---- the account ----

    def test_what_stops_the_whole_account_is_told_apart_from_what_concerns_one_message(
        self, server: RecordingServer
    ) -> None:
        channel = self.channel(server.url)
        reply = self.reply(channel, "x")
        told = dict.fromkeys(self.account_codes, True) | {
            self.permanent_code: False,
            self.temporary_code: False,
        }
        for code, account in told.items():
            server.faults.clear()
            server.faults.extend([self.refusal(code)] * 3)
            outcome = channel.send(reply, 0)
            assert not isinstance(outcome, Delivered | Unknown), code
            assert outcome.account is account, code

    def test_what_stops_the_account_is_for_the_operator(self, server: RecordingServer) -> None:
        """Nobody tries in vain, so it must not be what concerns one customer or one message alone."""
        channel = self.channel(server.url)
        reply = self.reply(channel, "x")
        for code in self.documented_codes:
            server.faults.clear()
            server.faults.extend([self.refusal(code)] * 3)
            outcome = channel.send(reply, 0)
            if not isinstance(outcome, Delivered | Unknown) and outcome.account:
                assert outcome.action.value in ("alert", "token", "retry"), outcome
                assert len(outcome.reason) > len(code) + 10


def growing() -> Iterator[str]:
    for length in range(1, 200):
        yield "One **word** after the other. " * length


def _clear(call: Call) -> bytes:
    """The body as it is, with what JSON escapes and base64 hides."""
    return b"\n".join([call.body, unquote_to_bytes(call.body), *_decoded(call.body)])


def _decoded(body: bytes) -> Iterator[bytes]:
    for word in body.replace(b'"', b" ").split():
        if len(word) > 20 and len(word) % 4 == 0:
            try:
                yield base64.b64decode(word, validate=True)
            except ValueError:
                continue
