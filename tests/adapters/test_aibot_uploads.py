"""Files over the long connection: in pieces, and as what the platform takes."""

from collections.abc import Iterator

import pytest

from adapters.files import MemoryFiles
from adapters.surface import Content
from adapters.values import Action, Attachment, Delivered, Part
from tests.adapters.aibot_kit import PNG, Desk, reply_to
from tests.adapters.aibot_socket import Platform, connected, desk_at, heard, refused


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as platform:
        yield platform


def test_an_image_is_uploaded_in_pieces_and_pushed(platform: Platform) -> None:
    content = PNG + b"\0" * 600_000
    platform.replies["aibot_upload_media_init"] = lambda _frame: {"body": {"upload_id": "U-1"}}
    platform.replies["aibot_upload_media_finish"] = lambda _frame: {"body": {"media_id": "MEDIA-1"}}
    desk = desk_at(platform)
    desk = Desk(settings=desk.settings, files=MemoryFiles({"ways/map.png": content}))
    image = Attachment(kind="image", file="ways/map.png")
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        reply = reply_to(message, parts=desk.bot.parts(Content(markdown="Here.", attachments=(image,))))
        assert [type(desk.bot.send(reply, index)) for index in range(len(reply.parts))] == [Delivered, Delivered]
    (begun,) = platform.commands("aibot_upload_media_init")
    assert (begun["body"]["filename"], begun["body"]["total_size"]) == ("map.png", len(content))
    chunks = platform.commands("aibot_upload_media_chunk")
    assert [(each["body"]["chunk_index"], each["body"]["upload_id"]) for each in chunks] == [(0, "U-1"), (1, "U-1")]
    assert begun["body"]["total_chunks"] == 2
    (pushed,) = platform.commands("aibot_send_msg")
    assert pushed["body"]["image"] == {"media_id": "MEDIA-1"}


@pytest.mark.parametrize(
    ("kind", "file", "content", "sent_as"),
    [
        ("document", "terms.pdf", b"%PDF-1.7 terms", "file"),
        ("video", "film.mp4", b"\x00\x00\x00\x20ftypisom", "video"),
        ("audio", "hello.amr", b"#!AMR\n0123", "voice"),
        ("audio", "hello.mp3", b"ID3\x04 0123", "file"),
        ("image", "map.gif", b"GIF89a 0123", "file"),
    ],
)
def test_each_kind_of_file_is_sent_as_what_the_platform_takes(
    kind: str, file: str, content: bytes, sent_as: str, platform: Platform
) -> None:
    platform.replies["aibot_upload_media_init"] = lambda _frame: {"upload_id": "U-1"}
    platform.replies["aibot_upload_media_finish"] = lambda _frame: {"media_id": "MEDIA-1"}
    desk = Desk(settings=desk_at(platform).settings, files=MemoryFiles({file: content}))
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        parts = desk.bot.parts(Content(markdown="", attachments=(Attachment(kind=kind, file=file),)))
        assert [type(desk.bot.send(reply_to(message, parts=parts), 0))] == [Delivered]
    (begun,) = platform.commands("aibot_upload_media_init")
    assert begun["body"]["type"] == sent_as
    (pushed,) = platform.commands("aibot_send_msg")
    assert (pushed["body"]["msgtype"], pushed["body"][sent_as]) == (sent_as, {"media_id": "MEDIA-1"})


@pytest.mark.parametrize(
    ("file", "content"), [("gone.png", None), ("tiny.png", b"x"), ("large.pdf", b"x" * 21 * 1024**2)]
)
def test_a_file_that_cannot_be_sent_is_refused_for_good(
    file: str, content: bytes | None, platform: Platform
) -> None:
    files = MemoryFiles({} if content is None else {file: content})
    desk = Desk(settings=desk_at(platform).settings, files=files)
    with connected(desk) as inbox:
        part = Part(text="", attachment=Attachment(kind="document", file=file))
        outcome = refused(desk.bot.send(reply_to(heard(platform, inbox), parts=[part]), 0))
    assert outcome.action is Action.GIVE_UP
    assert file in outcome.reason


def test_an_upload_that_breaks_off_is_tried_again(platform: Platform) -> None:
    platform.replies["aibot_upload_media_chunk"] = lambda _frame: {"errcode": -1}
    platform.replies["aibot_upload_media_init"] = lambda _frame: {"upload_id": "U-1"}
    desk = Desk(settings=desk_at(platform).settings, files=MemoryFiles({"map.png": PNG}))
    with connected(desk) as inbox:
        part = Part(text="", attachment=Attachment(kind="image", file="map.png"))
        outcome = refused(desk.bot.send(reply_to(heard(platform, inbox), parts=[part]), 0))
    assert outcome.action is Action.RETRY
    assert platform.commands("aibot_send_msg") == []
