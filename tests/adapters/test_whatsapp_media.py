"""Files of customers, fetched in two steps; and files of ours, uploaded and sent."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import HTTP
from typing import Any

import pytest

from adapters.channel import Channel, Services
from adapters.errors import MediaLost
from adapters.files import MemoryFiles
from adapters.http import MaybeSent, NotSent
from adapters.values import (
    Action,
    Attachment,
    Choice,
    ConversationId,
    Delivered,
    Media,
    Outcome,
    Part,
    Refused,
    Reply,
)
from adapters.whatsapp import WhatsApp
from tests.adapters.whatsapp_kit import ANA, NUMBER, PHONE, TOKEN, WhatsAppKit, graph_error
from tests.fakes import Answer, Call, RecordingServer, html_answer, json_answer

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"picture" * 30
OGG = b"OggS\x00\x02" + b"\x00" * 22 + b"OpusHead" + b"\x00" * 40
FILE = Media(kind="image", id="9011", mime="image/jpeg")
FILES = MemoryFiles(
    {
        "menu.jpg": JPEG,
        "menu.webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
        "large.jpg": JPEG + bytes(6 * 1024 * 1024),
        "hello.ogg": OGG,
        "song.m4a": b"\x00\x00\x00\x20ftypisom",
        "clip.mp4": b"\x00\x00\x00\x20ftypisom",
        "prices.csv": b"bread;3",
        "terms.pdf": b"%PDF-1.7",
        "empty.pdf": b"",
    }
)


class MediaKit(WhatsAppKit):
    """The platform's two steps: `described` is what the first answers besides the address, `files` what the second
    does, in turn; the last one again."""

    def platform(self, call: Call) -> Answer:
        if call.path == "/v26.0/9011":
            return json_answer({"url": f"{self.base()}/file?hash=1", **self.described, "id": "9011"})
        if call.path == "/file":
            return self.files.pop(0) if len(self.files) > 1 else self.files[0]
        if call.path.endswith("/media"):
            return json_answer({"id": f"media-{len(self.uploads())}"})
        return super().platform(call)

    @pytest.fixture(autouse=True)
    def two_steps(self, server: RecordingServer) -> None:
        self.described: dict[str, Any] = {"mime_type": "image/jpeg", "file_size": "200"}
        self.files = [Answer(body=JPEG)]
        self.calls = server.calls
        self.base: Callable[[], str] = lambda: server.url

    def services(self, patience: float = 5) -> Services:
        return replace(super().services(patience), files=FILES, now=lambda: self.clock())

    clock: Callable[[], datetime] = staticmethod(lambda: WhatsAppKit.now)

    def uploads(self) -> list[Call]:
        return [call for call in self.calls if call.path.endswith("/media")]


class TestFetching(MediaKit):
    def fetched(self, media: Media = FILE, **settings: Any) -> tuple[bytes, str]:
        channel = self.channel(self.base(), **settings)
        found = channel.fetch(media, self.message(channel, self.text_webhook()))
        return found.content, found.mime

    def test_an_id_gives_an_address_and_the_address_gives_the_bytes(self) -> None:
        assert self.fetched() == (JPEG, "image/jpeg")
        first, second = self.calls
        assert (first.path, first.query) == ("/v26.0/9011", {"phone_number_id": NUMBER})
        assert second.path == "/file"
        assert {call.headers["authorization"] for call in self.calls} == {f"Bearer {TOKEN}"}
        assert all(call.headers["user-agent"] for call in self.calls)

    @pytest.mark.parametrize("encode", [lambda d: base64.b64encode(d).decode(), lambda d: d.hex().upper()])
    def test_the_digest_may_be_base64_or_hex_and_is_checked(self, encode: Callable[[bytes], str]) -> None:
        right, wrong = hashlib.sha256(JPEG).digest(), hashlib.sha256(b"other").digest()
        assert self.fetched(replace(FILE, sha256=encode(right)))
        with pytest.raises(MediaLost, match="announced"):
            self.fetched(replace(FILE, sha256=encode(wrong)))
        self.described["sha256"] = encode(wrong)
        with pytest.raises(MediaLost, match="announced"):
            self.fetched()

    def test_an_address_that_died_is_asked_for_once_more(self) -> None:
        self.files = [html_answer(404), Answer(body=JPEG)]
        assert self.fetched()[0] == JPEG
        assert len(self.calls) == 4

    def test_an_address_that_died_twice_is_the_end(self) -> None:
        self.files = [html_answer(404)]
        with pytest.raises(MediaLost, match="access_token"):
            self.fetched()
        assert len(self.calls) == 4

    @pytest.mark.parametrize(
        "answer", [json_answer({"url": "x", "mime_type": "image/jpeg"}), html_answer(200), Answer(body=b"")]
    )
    @pytest.mark.parametrize("kind", ["image", "audio", "video", "document"])
    def test_json_and_pages_are_never_taken_for_the_file(self, answer: Answer, kind: str) -> None:
        self.files = [answer]
        with pytest.raises(MediaLost):
            self.fetched(
                Media(kind=kind, id="9011", mime="application/pdf" if kind == "document" else f"{kind}/mp4")
            )

    def test_what_a_file_is_decides_and_not_what_it_is_called(self) -> None:
        self.files = [Answer(body=b"\x89PNG\r\n\x1a\n")]
        assert self.fetched()[1] == "image/png"
        self.files = [Answer(body=b"\x00\x00\x00\x20ftypisom")]
        assert self.fetched(Media(kind="audio", id="9011", mime="audio/mp4"))[1] == "audio/mp4"

    @pytest.mark.parametrize(
        "url",
        [
            "https://example.com/file",
            "http://lookaside.fbsbx.com/file",
            "https://lookaside.fbsbx.com.example.com/file",
            "https://user@lookaside.fbsbx.com/file",
            "https://lookaside.fbsbx.com:8443/file",
            "https://fbsbx.com@example.com/",
            "file:///etc/passwd",
            "//lookaside.fbsbx.com/",
            "",
        ],
    )
    def test_the_token_goes_to_no_address_but_metas(self, url: str) -> None:
        self.described["url"] = url
        with pytest.raises(MediaLost, match="media_hosts"):
            self.fetched()
        assert len(self.calls) == 1

    def test_a_redirect_is_followed_to_allowed_hosts_only(self) -> None:
        self.files = [Answer(status=302, headers={"Location": "/file"}), Answer(body=JPEG)]
        assert self.fetched()[0] == JPEG
        self.files = [Answer(status=302, headers={"Location": "https://example.com/"})]
        with pytest.raises(MediaLost, match="media_hosts"):
            self.fetched()
        self.files = [Answer(status=302, headers={"Location": "/file"})]
        with pytest.raises(MediaLost, match="on and on"):
            self.fetched()

    def test_a_file_that_is_too_large_is_not_fetched(self) -> None:
        self.described["file_size"] = 5000
        with pytest.raises(MediaLost, match="larger"):
            self.fetched(largest_media=4096)
        assert len(self.calls) == 1

    def test_a_size_that_was_not_told_is_measured_while_it_streams(self) -> None:
        self.described = {}
        self.files = [Answer(body=JPEG + bytes(5000))]
        with pytest.raises(MediaLost, match="larger"):
            self.fetched(largest_media=4096)

    @pytest.mark.parametrize(
        ("code", "error"),
        [(100, MediaLost), (190, NotSent), (131000, NotSent), (33, MediaLost), (10, NotSent), (131052, MediaLost)],
    )
    def test_a_refused_id_is_final_unless_the_account_or_the_platform_is_at_fault(
        self, code: int, error: type[Exception]
    ) -> None:
        with RecordingServer(lambda _: graph_error(code)) as refusing:
            channel = self.channel(refusing.url)
            with pytest.raises(error):
                channel.fetch(FILE, self.message(channel, self.text_webhook()))

    @pytest.mark.parametrize(
        ("status", "error"), [(401, NotSent), (403, NotSent), (500, MaybeSent), (429, MaybeSent)]
    )
    def test_what_may_pass_is_tried_again_later(self, status: int, error: type[Exception]) -> None:
        self.files = [html_answer(status)]
        with pytest.raises(error):
            self.fetched()

    @pytest.mark.parametrize("media_id", ["", "../me", "1?fields=x", "1/2", "x" * 300])
    def test_an_id_that_is_none_calls_nobody(self, media_id: str) -> None:
        with pytest.raises(MediaLost):
            self.fetched(replace(FILE, id=media_id))
        assert self.calls == []


class TestSendingFiles(MediaKit):
    def channel_at(self, **settings: Any) -> Channel[Any]:
        return self.channel(self.base(), **settings)

    def send(self, part: Part, channel: Channel[Any] | None = None) -> Outcome:
        conversation = ConversationId(channel="shop", account=NUMBER, peer=ANA)
        reply = Reply(key="k" * 32, conversation=conversation, parts=(part,), route={"to": PHONE})
        return (channel or self.channel_at()).send(reply, 0)

    def sent(self, attachment: Attachment, text: str = "") -> Mapping[str, Any]:
        assert isinstance(self.send(Part(text=text, attachment=attachment)), Delivered)
        body: Mapping[str, Any] = self.calls[-1].json
        return body

    def refused(self, part: Part) -> Refused:
        outcome = self.send(part)
        assert isinstance(outcome, Refused)
        return outcome

    @pytest.mark.parametrize(
        ("kind", "file", "sent"),
        [
            ("image", "menu.jpg", {"type": "image", "image": {"id": "media-1"}}),
            ("image", "menu.webp", {"type": "document", "document": {"id": "media-1", "filename": "menu.webp"}}),
            ("image", "large.jpg", {"type": "document", "document": {"id": "media-1", "filename": "large.jpg"}}),
            ("audio", "hello.ogg", {"type": "audio", "audio": {"id": "media-1", "voice": True}}),
            ("audio", "song.m4a", {"type": "audio", "audio": {"id": "media-1"}}),
            ("video", "clip.mp4", {"type": "video", "video": {"id": "media-1"}}),
            ("document", "terms.pdf", {"type": "document", "document": {"id": "media-1", "filename": "terms.pdf"}}),
        ],
    )
    def test_a_file_is_uploaded_and_sent_by_its_id(self, kind: str, file: str, sent: dict[str, Any]) -> None:
        body = self.sent(Attachment(kind=kind, file=file))
        assert {name: body[name] for name in sent} == sent
        assert body["biz_opaque_callback_data"] == "k" * 32

    @pytest.mark.parametrize(
        ("kind", "file", "mime"),
        [
            ("image", "menu.jpg", "image/jpeg"),
            ("audio", "song.m4a", "audio/mp4"),
            ("document", "prices.csv", "text/csv"),
        ],
    )
    def test_an_upload_is_a_form_that_says_what_the_file_is(self, kind: str, file: str, mime: str) -> None:
        self.sent(Attachment(kind=kind, file=file, name='a "b"\r\n.x' if kind == "image" else ""))
        [upload] = self.uploads()
        assert upload.path == f"/v26.0/{NUMBER}/media"
        head = f"Content-Type: {upload.headers['content-type']}\r\n\r\n".encode()
        fields = {
            part.get_param("name", header="content-disposition"): part
            for part in message_from_bytes(head + upload.body, policy=HTTP).iter_parts()
        }
        assert fields["messaging_product"].get_content().strip() == "whatsapp"
        assert fields["type"].get_content().strip() == mime
        assert fields["file"].get_content_type() == mime
        assert fields["file"].get_payload(decode=True) == FILES.read(Attachment(kind=kind, file=file))
        assert b'filename="a %22b%22 .x"' in upload.body or kind != "image"

    def test_a_caption_goes_with_the_file(self) -> None:
        assert self.sent(Attachment(kind="image", file="menu.jpg"), "our menu")["image"]["caption"] == "our menu"

    def test_a_public_address_is_fetched_by_the_platform(self) -> None:
        body = self.sent(Attachment(kind="document", url="https://shop.example/t.pdf", name="Terms.pdf"))
        assert body["document"] == {"link": "https://shop.example/t.pdf", "filename": "Terms.pdf"}
        assert self.uploads() == []

    @pytest.mark.parametrize("url", ["http://shop.example/t.pdf", "https://u@shop.example/", "ftp://x/", ""])
    def test_another_address_is_refused(self, url: str) -> None:
        outcome = self.refused(Part(text="", attachment=Attachment(kind="image", url=url)))
        assert (outcome.action, self.calls) == (Action.GIVE_UP, [])

    @pytest.mark.parametrize("file", ["missing.pdf", "empty.pdf"])
    def test_a_file_that_is_not_there_or_empty_is_given_up(self, file: str) -> None:
        outcome = self.refused(Part(text="", attachment=Attachment(kind="document", file=file)))
        assert (outcome.action, self.calls) == (Action.GIVE_UP, [])
        assert file in outcome.reason

    def test_the_same_file_is_uploaded_once_in_four_weeks(self) -> None:
        channel, part = self.channel_at(), Part(text="", attachment=Attachment(kind="image", file="menu.jpg"))
        self.send(part, channel)
        self.send(part, channel)
        assert len(self.uploads()) == 1
        later = WhatsAppKit.now + timedelta(days=28)
        self.clock = lambda: later
        self.send(part, channel)
        assert len(self.uploads()) == 2

    def test_an_upload_that_the_platform_lost_is_made_again(self) -> None:
        channel, part = self.channel_at(), Part(text="", attachment=Attachment(kind="image", file="menu.jpg"))
        self.losing = True
        outcome = self.send(part, channel)
        assert isinstance(outcome, Refused)
        assert (outcome.action, outcome.retry_after) == (Action.RETRY, timedelta(seconds=5))
        self.losing = False
        assert isinstance(self.send(part, channel), Delivered)
        assert len(self.uploads()) == 2

    losing = False

    def platform(self, call: Call) -> Answer:
        if self.losing and call.path.endswith("/messages"):
            return graph_error(131053)
        if self.upload_answer and call.path.endswith("/media"):
            return self.upload_answer
        return super().platform(call)

    upload_answer: Answer | None = None

    @pytest.mark.parametrize(
        ("answer", "action"),
        [
            (graph_error(190), Action.TOKEN),
            (graph_error(100), Action.GIVE_UP),
            (graph_error(131000, status=500), Action.RETRY),
            (html_answer(502), Action.RETRY),
            (Answer(cut=True), Action.RETRY),
            (json_answer({}), Action.RETRY),
        ],
    )
    def test_an_upload_that_failed_sends_nothing_and_is_no_unknown_end(
        self, answer: Answer, action: Action
    ) -> None:
        self.upload_answer = answer
        outcome = self.refused(Part(text="", attachment=Attachment(kind="image", file="menu.jpg")))
        assert outcome.action is action
        assert not [call for call in self.calls if call.path.endswith("/messages")]

    def test_a_picture_stands_above_the_buttons(self) -> None:
        part = Part(
            text="Which?",
            choices=(Choice(id="a", title="A"),),
            attachment=Attachment(kind="image", file="menu.jpg"),
        )
        self.send(part)
        assert self.calls[-1].json["interactive"]["header"] == {"type": "image", "image": {"id": "media-1"}}

    def test_a_caption_that_is_too_long_is_refused_before_anything_is_sent(self) -> None:
        part = Part(text="x" * 1025, attachment=Attachment(kind="image", url="https://shop.example/x.png"))
        assert self.refused(part).action is Action.SPLIT
        assert self.calls == []

    def test_the_channel_says_what_it_can_show_and_fetch(self) -> None:
        assert WhatsApp.surface.attachments == {"image", "audio", "video", "document"}
        assert WhatsApp.surface.hears >= {"image", "audio", "sticker"}
