"""Files in and out of a WeCom app, and the pace of what goes to one member (WeCom sheet §3.3 and §7)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.errors import MediaLost
from adapters.files import MemoryFiles
from adapters.growth import MemoryGrowth
from adapters.http import NotSent
from adapters.surface import Content
from adapters.throttle import MemoryThrottle
from adapters.values import Action, Attachment, ConversationId, Delivered, Media, Message, Part, Unknown
from adapters.wecom import WeComApp
from adapters.wecom.media import MEGABYTE, ascii_name
from adapters.wecom.outbound import pace
from tests.adapters.wecom_app import app, services
from tests.adapters.wecom_fake import SEND, Platform, error, paths, refused, reply, sent
from tests.adapters.wecom_platform import ACCESS_TOKEN, CORP, NOW, vector
from tests.fakes import Answer, RecordingServer, html_answer, json_answer

GET, UPLOAD = "/cgi-bin/media/get", "/cgi-bin/media/upload"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64
JPEG = b"\xff\xd8\xff" + b"0" * 64
AMR = b"#!AMR\n" + b"0" * 64
MP4 = b"\x00\x00\x00\x18ftypisom" + b"0" * 64
PDF = b"%PDF-1.7\n" + b"0" * 64


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def server(platform: Platform) -> Iterator[RecordingServer]:
    with RecordingServer(platform) as server:
        yield server


def file_answer(content: bytes, mime: str = "image/png", *, status: int = 200, **headers: str) -> Answer:
    named = {"Content-Type": mime, "Content-Disposition": 'attachment; filename="a"', **headers}
    return Answer(status=status, body=content, headers=named)


def message() -> Message:
    talk = ConversationId(channel="staff", account=CORP, peer="zhangsan")
    return Message(id="1", conversation=talk, sender="zhangsan", text="", sent_at=NOW, kind="image")


def fetched(server: RecordingServer, kind: str = "image") -> tuple[bytes, str]:
    download = app(api_base=server.url).fetch(Media(kind=kind, id="MEDIA 1+/="), message())
    return download.content, download.mime


# ---- in ----


@pytest.mark.parametrize(
    ("kind", "content", "mime"),
    [
        ("image", PNG, "image/png"),
        ("image", JPEG, "image/jpeg"),
        ("audio", AMR, "audio/amr"),
        ("video", MP4, "video/mp4"),
        ("file", PDF, "application/pdf"),
        ("file", b"plain words", "text/plain"),
    ],
)
def test_a_member_s_file_is_fetched_and_looked_at(
    server: RecordingServer, platform: Platform, kind: str, content: bytes, mime: str
) -> None:
    platform.will(GET, file_answer(content, "application/octet-stream"))
    assert fetched(server, kind) == (content, mime)
    assert server.calls[-1].query == {"media_id": "MEDIA 1+/=", "access_token": f"{ACCESS_TOKEN}-1"}


def test_an_expired_file_is_told_by_json_with_200(server: RecordingServer, platform: Platform) -> None:
    found = vector("media_get_expired")["response"]
    platform.will(GET, json_answer(found["json"], status=found["status"]))
    with pytest.raises(MediaLost, match="40007"):
        fetched(server)


def test_json_under_another_type_is_an_error_too(server: RecordingServer, platform: Platform) -> None:
    body = b'{"errcode":40007,"errmsg":"invalid media_id"}'
    platform.will(GET, Answer(body=body, headers={"Content-Type": "text/plain"}))
    with pytest.raises(MediaLost, match="40007"):
        fetched(server, "file")


def test_a_member_s_own_json_is_a_file(server: RecordingServer, platform: Platform) -> None:
    body = b'{"errcode": 7}'
    platform.will(GET, file_answer(body, "application/json"))
    assert fetched(server, "file") == (body, "application/json")


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_what_is_no_picture_is_none(server: RecordingServer, platform: Platform, kind: str) -> None:
    platform.will(GET, file_answer(b"<html>not yours</html>", f"{kind}/x"))
    with pytest.raises(MediaLost, match="text/html"):
        fetched(server, kind)


def test_an_empty_file_is_lost(server: RecordingServer, platform: Platform) -> None:
    platform.will(GET, file_answer(b""))
    with pytest.raises(MediaLost):
        fetched(server, "file")


def test_an_ended_token_is_replaced_for_a_file_too(server: RecordingServer, platform: Platform) -> None:
    platform.will(GET, error(42001), file_answer(PNG))
    assert fetched(server) == (PNG, "image/png")
    assert paths(server) == ["gettoken", "media/get", "gettoken", "media/get"]


@pytest.mark.parametrize(
    "answer", [Answer(cut=True), html_answer(502), error(-1), error(45009), error(60020), html_answer(404)]
)
def test_another_try_may_find_the_file(server: RecordingServer, platform: Platform, answer: Answer) -> None:
    platform.will(GET, answer)
    with pytest.raises(NotSent):
        fetched(server)


def test_a_file_over_ten_megabytes_is_left_where_it_is(server: RecordingServer, platform: Platform) -> None:
    platform.will(GET, file_answer(PNG + b"0" * 10 * MEGABYTE))
    with pytest.raises(MediaLost, match="larger"):
        fetched(server)


def test_a_file_that_wants_ranges_is_asked_for_by_range(server: RecordingServer, platform: Platform) -> None:
    last = len(PNG) - 1
    part = {"Content-Range": f"bytes 0-{last}/{len(PNG)}"}
    platform.will(GET, error(830002), file_answer(PNG, status=206, **part))
    assert fetched(server) == (PNG, "image/png")
    first, second = (call.headers.get("range") for call in server.calls if call.path == GET)
    assert (first, second) == (None, f"bytes=0-{10 * MEGABYTE - 1}")


@pytest.mark.parametrize("total", ["99999999", "*", ""])
def test_the_rest_of_a_larger_file_is_left_where_it_is(
    server: RecordingServer, platform: Platform, total: str
) -> None:
    part = {"Content-Range": f"bytes 0-{len(PNG) - 1}/{total}"}
    platform.will(GET, error(830002), file_answer(PNG, status=206, **part))
    with pytest.raises(MediaLost, match="larger"):
        fetched(server)


# ---- out ----


FILES = {
    "plan.png": PNG,
    "价目 表.pdf": PDF,
    "song.mp3": b"ID3" + b"0" * 64,
    "hello.amr": AMR,
    "tiny.txt": b"12345",
}


def desk(server: RecordingServer, files: dict[str, bytes] | None = None, **lent: Any) -> WeComApp:
    lent.setdefault("growth", MemoryGrowth(lambda: datetime.now(UTC)))
    return app(api_base=server.url, lent=services(files=MemoryFiles(files or FILES), **lent))


def part(kind: str, file: str, **more: str) -> Part:
    return Part(text="", attachment=Attachment(kind=kind, file=file, **more))


def uploads(server: RecordingServer) -> list[tuple[str, str, bytes]]:
    """The kind, the filename and the content of each upload."""
    found = []
    for call in server.calls:
        if call.path == UPLOAD:
            boundary = call.headers["content-type"].removeprefix("multipart/form-data; boundary=").encode()
            head, _, content = call.body.removeprefix(b"--" + boundary + b"\r\n").partition(b"\r\n\r\n")
            name = re.search(rb'form-data; name="media"; filename="([^"]*)"', head)
            assert name is not None
            assert content.endswith(b"\r\n--" + boundary + b"--\r\n")
            content = content.removesuffix(b"\r\n--" + boundary + b"--\r\n")
            found.append((call.query["type"], name.group(1).decode("ascii"), content))
    return found


@pytest.fixture
def uploading(platform: Platform) -> Platform:
    platform.will(
        UPLOAD, *(json_answer({"errcode": 0, "media_id": f"MEDIA{n}", "created_at": "1"}) for n in range(9))
    )
    return platform


@pytest.mark.parametrize(
    ("kind", "file", "sent_as", "filename"),
    [
        ("image", "plan.png", "image", "plan.png"),
        ("document", "价目 表.pdf", "file", "file.pdf"),
        ("audio", "hello.amr", "voice", "hello.amr"),
        ("audio", "song.mp3", "file", "song.mp3"),
        ("video", "plan.png", "file", "plan.png"),
    ],
)
def test_a_file_is_uploaded_and_sent_as_what_wecom_takes(
    server: RecordingServer, uploading: Platform, kind: str, file: str, sent_as: str, filename: str
) -> None:
    assert isinstance(desk(server).send(reply(part(kind, file)), 0), Delivered)
    assert uploads(server) == [(sent_as, filename, FILES[file])]
    (body,) = sent(server)
    assert (body["msgtype"], body[sent_as]) == (sent_as, {"media_id": "MEDIA0"})


@pytest.mark.parametrize(
    ("name", "file", "shown"),
    [
        ("", "a/b/plan.png", "plan.png"),
        ("Price list", "x.pdf", "Price list.pdf"),
        ("价目表", "x.pdf", "file.pdf"),
        ("价目表2026.pdf", "x.pdf", "2026.pdf"),
        ('a"b\r\nX: y', "x.pdf", "a_b_X_ y.pdf"),
        ("../../etc/passwd", "x", "passwd"),
    ],
)
def test_a_filename_is_plain_letters(name: str, file: str, shown: str) -> None:
    assert ascii_name(Attachment(kind="document", file=file, name=name)) == shown


@pytest.mark.parametrize(
    ("content", "kind", "filename"),
    [(PNG, "image", "x.png"), (JPEG, "image", "x.jpg"), (AMR, "audio", "x.amr"), (MP4, "video", "x.mp4")],
)
def test_a_file_s_name_ends_as_its_kind_does(
    server: RecordingServer, uploading: Platform, content: bytes, kind: str, filename: str
) -> None:
    desk(server, {"x.bin": content}).send(reply(part(kind, "x.bin")), 0)
    assert uploads(server)[0][1] == filename


@pytest.mark.parametrize(
    ("content", "kind", "sent_as"),
    [
        (PNG + b"0" * 5 * MEGABYTE, "image", "file"),
        (AMR + b"0" * 2 * MEGABYTE, "audio", "file"),
        (MP4 + b"0" * 10 * MEGABYTE, "video", "file"),
        (MP4, "video", "video"),
    ],
)
def test_what_is_too_large_for_its_kind_is_a_plain_file(
    server: RecordingServer, uploading: Platform, content: bytes, kind: str, sent_as: str
) -> None:
    desk(server, {"x": content}).send(reply(part(kind, "x")), 0)
    assert sent(server)[0]["msgtype"] == sent_as


@pytest.mark.parametrize("code", [40004, 40005, 40006, 45001, 45007])
def test_a_picture_that_wecom_does_not_take_is_a_plain_file(
    server: RecordingServer, platform: Platform, code: int
) -> None:
    platform.will(UPLOAD, error(code), json_answer({"errcode": 0, "media_id": "MEDIA0"}))
    assert isinstance(desk(server).send(reply(part("image", "plan.png")), 0), Delivered)
    assert [kind for kind, _, _ in uploads(server)] == ["image", "file"]
    assert sent(server)[0]["file"] == {"media_id": "MEDIA0"}


def test_a_refusal_of_the_account_is_no_matter_of_the_file(server: RecordingServer, platform: Platform) -> None:
    platform.will(UPLOAD, error(60020))
    assert refused(desk(server).send(reply(part("image", "plan.png")), 0)).account
    assert len(uploads(server)) == 1


@pytest.mark.parametrize("content", [b"12345", b"0" * (20 * MEGABYTE + 1)])
def test_what_wecom_does_not_take_is_not_uploaded(server: RecordingServer, content: bytes) -> None:
    outcome = refused(desk(server, {"x": content}).send(reply(part("document", "x")), 0))
    assert (outcome.code, outcome.action) == ("45001", Action.GIVE_UP)
    assert server.calls == []


def test_a_file_that_is_not_there_is_a_refusal(server: RecordingServer) -> None:
    outcome = refused(desk(server).send(reply(part("document", "gone.pdf")), 0))
    assert outcome.action is Action.GIVE_UP
    assert "gone.pdf" in outcome.reason


def test_a_resend_is_the_same_bytes_though_another_process_sends(
    server: RecordingServer, uploading: Platform
) -> None:
    """Else the duplicate check would let it through a second time."""
    growth = MemoryGrowth(lambda: datetime.now(UTC))
    platform_answer = Answer(cut=True)
    uploading.will(SEND, platform_answer)
    assert isinstance(desk(server, growth=growth).send(reply(part("image", "plan.png")), 0), Unknown)
    again = desk(server, growth=growth).send(reply(part("image", "plan.png")), 0, again=True)
    assert isinstance(again, Delivered)
    first, second = (call.body for call in server.calls if call.path == SEND)
    assert first == second
    assert len(uploads(server)) == 1


def test_a_forgotten_upload_is_replaced_once(server: RecordingServer, uploading: Platform) -> None:
    channel = desk(server)
    channel.send(reply(part("image", "plan.png")), 0)
    uploading.will(SEND, error(40007))
    assert isinstance(channel.send(reply(part("image", "plan.png")), 0), Delivered)
    assert [body["image"]["media_id"] for body in sent(server)] == ["MEDIA0", "MEDIA0", "MEDIA1"]
    channel.send(reply(part("image", "plan.png")), 0)
    assert sent(server)[-1]["image"]["media_id"] == "MEDIA1"


def test_an_upload_that_is_never_known_is_given_up(server: RecordingServer, uploading: Platform) -> None:
    uploading.will(SEND, error(40007), error(40007), error(40007))
    assert refused(desk(server).send(reply(part("image", "plan.png")), 0)).code == "40007"
    assert len(sent(server)) == 2


@pytest.mark.parametrize("answer", [Answer(cut=True), html_answer(502), json_answer({"errcode": 0})])
def test_a_lost_upload_may_be_tried_again(server: RecordingServer, platform: Platform, answer: Answer) -> None:
    platform.will(UPLOAD, answer)
    assert refused(desk(server).send(reply(part("image", "plan.png")), 0)).action is Action.RETRY
    assert sent(server) == []


def test_a_picture_on_the_web_is_shown_and_a_file_there_is_linked(server: RecordingServer) -> None:
    url = "https://example.com/a.png"
    picture = Part(text="", attachment=Attachment(kind="image", url=url, name="平面图"))
    paper = Part(text="", attachment=Attachment(kind="document", url=url))
    channel = desk(server)
    for index in (0, 1):
        channel.send(reply(picture, paper), index)
    news, card = sent(server)
    assert news["news"] == {"articles": [{"title": "平面图", "url": url, "picurl": url}]}
    assert card["textcard"] == {"title": url, "description": url, "url": url}


def test_a_text_and_a_file_are_two_messages() -> None:
    found = app().parts(Content(markdown="Here", attachments=(Attachment(kind="image", file="plan.png"),)))
    assert [(each.text, each.attachment is not None) for each in found] == [("Here", False), ("", True)]


# ---- the pace ----


def test_no_minute_has_more_than_thirty_messages_and_no_hour_a_thousand() -> None:
    """What is over is dropped with errcode 0: whoever says as much as he may is never dropped."""
    now = [NOW]
    throttle = MemoryThrottle(lambda: now[0])
    said: list[datetime] = []
    while now[0] - NOW < timedelta(hours=2):
        wait = throttle.take([pace(CORP, 7, "zhangsan")])
        if wait > timedelta():
            now[0] += wait
        else:
            said.append(now[0])
    for width, most in ((timedelta(minutes=1), 30), (timedelta(hours=1), 1000)):
        fullest = max(sum(begin <= each < begin + width for each in said) for begin in said)
        assert most * 0.5 < fullest <= most


def test_what_would_be_dropped_waits(server: RecordingServer) -> None:
    now = [NOW]
    channel = app(api_base=server.url, lent=services(throttle=MemoryThrottle(lambda: now[0])))
    outcomes = [channel.send(reply("x"), 0) for _ in range(21)]
    assert [type(each) for each in outcomes[:20]] == [Delivered] * 20
    held = refused(outcomes[20])
    assert (held.action, held.retry_after) == (Action.RETRY, timedelta(seconds=6))
    assert len(sent(server)) == 20
    assert isinstance(channel.send(reply("x", to="lisi"), 0), Delivered)
    now[0] += timedelta(seconds=6)
    assert isinstance(channel.send(reply("x"), 0), Delivered)


def test_a_member_is_one_whatever_the_case_of_the_name() -> None:
    assert pace(CORP, 7, "ZhangSan") == pace(CORP, 7, "zhangsan") != pace(CORP, 8, "zhangsan")
