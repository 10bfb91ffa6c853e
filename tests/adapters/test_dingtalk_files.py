"""Files out and attachments in (DingTalk sheet §2.4, §6)."""

import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from adapters.dingtalk.lengths import amr_milliseconds, mp4_shape
from adapters.dingtalk.uploads import plain_png
from adapters.errors import MediaLost
from adapters.files import MemoryFiles
from adapters.http import MaybeSent, NotSent
from adapters.sniffing import sniff
from adapters.values import Action, Attachment, Delivered, Media, Message, Outcome, Part, Refused
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk
from tests.fakes import Answer, Call, RecordingServer, json_answer

PNG = plain_png(4, 4)
AMR = b"#!AMR\n" + (b"\x3c" + b"\0" * 31) * 100  # 100 frames of mode 7: two seconds


def box(kind: bytes, inside: bytes) -> bytes:
    return struct.pack(">I", 8 + len(inside)) + kind + inside


MVHD = b"\0" * 12 + struct.pack(">II", 1000, 4600) + b"\0" * 80
TKHD = b"\0" * 76 + struct.pack(">II", 720 << 16, 1280 << 16)
MP4 = box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", box(b"mvhd", MVHD) + box(b"trak", box(b"tkhd", TKHD)))
FILES = {
    "a/photo.png": PNG,
    "voice.amr": AMR,
    "film.mp4": MP4,
    "报价.pdf": b"%PDF-1.7",
    "notes.txt": b"x",
    "empty.pdf": b"",
}


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk.open(RecordingServer(kit.platform, lambda call: call.path == kit.UPLOAD)) as desk:
        desk.files = MemoryFiles(FILES)
        desk.robot = desk.another()
        yield desk


def send(desk: Desk, attachment: Attachment, body: dict[str, Any] | None = None) -> Outcome:
    reply = replace(desk.reply(body or kit.body(), "x"), parts=(Part(text="", attachment=attachment),))
    return desk.robot.send(reply, 0)


def param(desk: Desk) -> tuple[str, Any]:
    sent = desk.sends()[-1].json
    return sent["msgKey"], json.loads(sent["msgParam"])


def test_a_picture_is_uploaded_and_shown_by_the_webhook(desk: Desk) -> None:
    assert send(desk, Attachment(kind="image", file="a/photo.png", name="新品"), desk.with_session()) == Delivered()
    (upload,) = desk.calls(kit.UPLOAD)
    assert upload.query["type"] == "image"
    assert upload.query["access_token"].startswith(kit.TOKEN)
    assert b'name="media"; filename="\xe6\x96\xb0\xe5\x93\x81.png"' in upload.body
    assert PNG in upload.body
    assert kit.shown(desk.sends()[0]) == "![新品.png](@lKit)"


def test_a_picture_goes_by_the_openapi_where_no_webhook_is_open(desk: Desk) -> None:
    assert isinstance(send(desk, Attachment(kind="image", file="a/photo.png")), Delivered)
    assert param(desk) == ("sampleImageMsg", {"photoURL": "@lKit"})


def test_a_document_has_its_name_and_type(desk: Desk) -> None:
    for body, way in ((desk.with_session(), kit.ONE_TO_ONE), (desk.group_with_session(), kit.TO_GROUP)):
        assert isinstance(send(desk, Attachment(kind="document", file="报价.pdf"), body), Delivered)
        assert desk.ways()[-1] == way
        assert param(desk) == ("sampleFile", {"mediaId": "@lKit", "fileName": "报价.pdf", "fileType": "pdf"})
    assert desk.calls(kit.UPLOAD)[0].query["type"] == "file"


def test_a_voice_file_has_its_length(desk: Desk) -> None:
    assert isinstance(send(desk, Attachment(kind="audio", file="voice.amr")), Delivered)
    assert param(desk) == ("sampleAudio", {"mediaId": "@lKit", "duration": "2000"})
    assert desk.calls(kit.UPLOAD)[0].query["type"] == "voice"


def test_a_video_has_its_shape_and_a_cover(desk: Desk) -> None:
    assert isinstance(send(desk, Attachment(kind="video", file="film.mp4")), Delivered)
    key, values = param(desk)
    assert key == "sampleVideo"
    assert (values["duration"], values["width"], values["height"]) == ("5", "720", "1280")
    assert values["picMediaId"] == "@lKit"
    assert all(isinstance(value, str) for value in values.values())
    assert [call.query["type"] for call in desk.calls(kit.UPLOAD)] == ["video", "image"]


def test_a_file_is_uploaded_once_in_a_while(desk: Desk) -> None:
    for _ in range(3):
        send(desk, Attachment(kind="document", file="报价.pdf"))
    assert len(desk.calls(kit.UPLOAD)) == 1
    assert len(desk.sends()) == 3


@pytest.mark.parametrize("code", [40014, 40001])
def test_where_the_new_token_does_not_count_an_old_one_is_used(desk: Desk, code: int) -> None:
    desk.server.faults.extend([kit.old_error(code)] * 2)  # the new one, and a fresh new one
    assert isinstance(send(desk, Attachment(kind="document", file="报价.pdf")), Delivered)
    tokens = [call.query["access_token"] for call in desk.calls(kit.UPLOAD)]
    assert tokens[-1] == "kit-old-token-1"
    assert desk.calls(kit.OLD_TOKEN)[0].query == {"appkey": kit.ROBOT, "appsecret": kit.SECRET}


@pytest.mark.parametrize(
    ("attachment", "said"),
    [
        (Attachment(kind="document", file="none.pdf"), "none.pdf"),
        (Attachment(kind="document", file="notes.txt"), "docx"),
        (Attachment(kind="document", file="empty.pdf"), "20 MB"),
        (Attachment(kind="image", file="报价.pdf"), "png"),
        (Attachment(kind="audio", file="film.mp4"), "amr"),
        (Attachment(kind="video", file="voice.amr"), "mp4"),
    ],
)
def test_what_dingtalk_does_not_take_is_refused_before_any_call(
    desk: Desk, attachment: Attachment, said: str
) -> None:
    refused = send(desk, attachment)
    assert isinstance(refused, Refused)
    assert refused.action is Action.GIVE_UP
    assert said in refused.reason
    assert desk.server.calls == []


def test_too_large_a_file_is_refused_before_any_call(desk: Desk) -> None:
    desk.files = MemoryFiles({"big.amr": AMR + b"\0" * 2 * 1024 * 1024})
    desk.robot = desk.another()
    refused = send(desk, Attachment(kind="audio", file="big.amr"))
    assert isinstance(refused, Refused)
    assert "2 MB" in refused.reason


@pytest.mark.parametrize("fault", [Answer(cut=True), Answer(status=500), kit.old_error(-1)])
def test_an_upload_that_came_to_nothing_was_no_message(desk: Desk, fault: Answer) -> None:
    desk.server.faults.extend([fault] * 2)
    outcome = send(desk, Attachment(kind="document", file="报价.pdf"))
    assert desk.sends() == []
    assert not isinstance(outcome, Delivered)
    assert not (isinstance(outcome, Refused) and outcome.permanent)


@pytest.mark.parametrize("code", [40004, 40006])
def test_a_refused_file_is_final(desk: Desk, code: int) -> None:
    desk.server.faults.append(kit.old_error(code))
    refused = send(desk, Attachment(kind="document", file="报价.pdf"))
    assert isinstance(refused, Refused)
    assert (refused.action, refused.code) == (Action.GIVE_UP, str(code))


def test_a_guest_hears_of_a_file_that_cannot_reach_them(desk: Desk) -> None:
    body = desk.with_session(senderStaffId=None)
    assert isinstance(send(desk, Attachment(kind="document", file="报价.pdf"), body), Delivered)
    assert kit.shown(desk.sends()[0]) == "📎 报价.pdf"


def test_a_public_picture_is_shown_and_any_other_address_is_a_button(desk: Desk) -> None:
    url = "https://example.com/a.png"
    send(desk, Attachment(kind="image", url=url, name="图"), desk.with_session())
    assert kit.shown(desk.sends()[-1]) == f"![图]({url})"
    send(desk, Attachment(kind="image", url=url))
    assert param(desk) == ("sampleImageMsg", {"photoURL": url})
    send(desk, Attachment(kind="document", url=url, name="价目[表]"), desk.with_session())
    card = desk.sends()[-1].json["actionCard"]
    assert (card["singleURL"], card["singleTitle"], card["text"]) == (url, "打开", "📎 价目 表")
    assert 0 < len(card["title"]) <= 20
    send(desk, Attachment(kind="document", url=url))
    key, values = param(desk)
    assert (key, values["singleURL"]) == ("sampleActionCard", url)


def test_a_name_ends_no_header_line(desk: Desk) -> None:
    send(desk, Attachment(kind="document", file="报价.pdf", name='a"\r\nX: y/../b'))
    assert b'filename="a___X: y_.._b.pdf"' in desk.calls(kit.UPLOAD)[0].body


def test_lengths_of_odd_files_are_still_some() -> None:
    assert amr_milliseconds(b"#!AMR\n") == 20
    for cut in range(len(MP4)):
        assert mp4_shape(MP4[:cut]).seconds >= 1
    assert sniff(PNG) == "image/png"


# ---- attachments in ----


class Store:
    """A DingTalk whose download addresses lead to *url*, where *answer* lies."""

    def __init__(self, answer: Answer, url: str = "") -> None:
        self.answer = answer
        self.url = url
        self.server = RecordingServer(self.platform)

    def platform(self, call: Call) -> Answer:
        if call.path == kit.DOWNLOAD:
            return json_answer({"downloadUrl": self.url or f"{self.server.url}/store/x.file?sig=1"})
        return self.answer if call.path.startswith("/store") else kit.platform(call)

    def fetch(self, media: Media) -> tuple[Any, list[Call]]:
        with Desk.open(self.server) as desk:
            (message,) = desk.robot.parse(kit.signed(kit.body()))
            assert isinstance(message, Message)
            try:
                return desk.robot.fetch(media, message), list(self.server.calls)
            except (MediaLost, NotSent, MaybeSent) as error:
                return error, list(self.server.calls)


PHOTO = Media(kind="image", id="dl1+/==")


def test_an_attachment_is_fetched_in_two_steps_and_only_the_first_has_the_token() -> None:
    found, calls = Store(Answer(body=PNG)).fetch(PHOTO)
    assert (found.content, found.mime) == (PNG, "image/png")
    asked, fetched = calls[-2:]
    assert asked.json == {"downloadCode": "dl1+/==", "robotCode": kit.ROBOT}
    assert fetched.query == {"sig": "1"}
    assert kit.TOKEN not in repr(fetched)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/store/x",
        "https://169.254.169.254/store/x",
        "https://evil.example/store/x",
        "https://x.oss-cn-hangzhou-internal.aliyuncs.com/store/x",
        "https://oapi.dingtalk.com@evil.example/store/x",
        "https://evil.example#.dingtalk.com/",
        "https://x.aliyuncs.com:8443/x",
        "file:///etc/passwd",
        "",
        "//x",
    ],
)
def test_no_other_address_is_ever_fetched(url: str) -> None:
    lost, calls = Store(Answer(body=PNG), url or " ").fetch(PHOTO)
    assert isinstance(lost, MediaLost)
    assert not any(call.path.startswith("/store") for call in calls)


def test_a_redirect_is_not_followed() -> None:
    away = Answer(status=302, headers={"Location": "http://169.254.169.254/"})
    lost, _ = Store(away).fetch(PHOTO)
    assert isinstance(lost, MediaLost)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(status=404), MediaLost),
        (Answer(status=403), MediaLost),
        (Answer(body=b""), MediaLost),
        (Answer(body=b"<html>expired</html>"), MediaLost),
        (Answer(body=b'{"code":"x"}'), MediaLost),
        (Answer(body=b"\0" * (10 * 1024 * 1024 + 1)), MediaLost),
        (Answer(status=503), MaybeSent),
        (Answer(cut=True), MaybeSent),
    ],
)
def test_what_cannot_be_had_is_lost_and_what_may_come_is_tried_again(answer: Answer, kind: type[Exception]) -> None:
    found, _ = Store(answer).fetch(PHOTO)
    assert isinstance(found, kind)


def test_nothing_that_a_customer_sends_or_a_store_says_stops_our_calls() -> None:
    for answer in (Answer(body=b'{"status":1111,"punish":"deny"}'), Answer(status=403, body=b"<?xml?><Error/>")):
        store = Store(answer)
        with Desk.open(store.server) as desk:
            (message,) = desk.robot.parse(kit.signed(kit.body()))
            assert isinstance(message, Message)
            with suppress(MediaLost):
                desk.robot.fetch(Media(kind="file", id="f"), message)
            assert isinstance(desk.send(kit.body()), Delivered)


def test_a_file_may_be_anything() -> None:
    found, _ = Store(Answer(body=b'{"a":1}')).fetch(Media(kind="file", id="f", filename="../../etc/passwd"))
    assert found.mime == "application/json"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalidParameter.robotCode.downloadCode", MediaLost),
        ("invalidParameter.robotCode.auth", MediaLost),
        ("Forbidden.AccessDenied.QpsLimitForApi", NotSent),
    ],
)
def test_a_refused_download_code_is_lost_unless_it_is_only_too_soon(code: str, kind: type[Exception]) -> None:
    def platform(call: Call) -> Answer:
        refused = kit.api_error(code, status=403 if "Forbidden" in code else 400)
        return refused if call.path == kit.DOWNLOAD else kit.platform(call)

    with Desk.open(RecordingServer(platform)) as desk:
        (message,) = desk.robot.parse(kit.signed(kit.body()))
        assert isinstance(message, Message)
        with pytest.raises(kind):
            desk.robot.fetch(PHOTO, message)
