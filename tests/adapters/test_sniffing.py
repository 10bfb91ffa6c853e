"""What bytes are, whatever their sender calls them."""

import io
import json
import zipfile

import pytest

from adapters.sniffing import UNKNOWN, plausible, sniff


def office(folder: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{folder}/document.xml", "<w/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"OggS\x00\x02", "audio/ogg"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"#!AMR\n\x3c", "audio/amr"),
        (b"\x02#!SILK_V3", "audio/silk"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x20ftyp3gp5", "video/3gpp"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"\x00\x00\x00\x20ftypheic", "image/heic"),
        (b"%PDF-1.7\n", "application/pdf"),
        (office("word"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (office("xl"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (office("other"), "application/zip"),
        (b'{"url":"https://example.com"}', "application/json"),
        (b"\n<!DOCTYPE html><html>", "text/html"),
        ("name;price\nPan;3 €".encode(), "text/plain"),
        (b"{not json", "text/plain"),
        (b"\x00\x01\x02", UNKNOWN),
        (b"", UNKNOWN),
        (b"\xfe\xfe\xfe", UNKNOWN),
    ],
)
def test_bytes_are_known_by_their_beginning(content: bytes, mime: str) -> None:
    assert sniff(content) == mime


@pytest.mark.parametrize(
    ("claimed", "found", "fits"),
    [
        ("image/jpeg", "image/webp", True),  # platforms recode pictures
        ("image/jpeg", "application/json", False),
        ("image/png", "text/html", False),
        ("audio/mp4", "video/mp4", True),
        ("video/mp4", "audio/mp4", True),
        ("audio/ogg", "text/plain", False),
        ("application/pdf", "application/pdf", True),
        ("application/pdf", "application/json", False),
        ("application/json; charset=utf-8", "application/json", True),
        ("application/msword", "application/x-ole-storage", True),
        ("text/csv", "text/plain", True),
        ("", "image/png", True),
        ("", "text/html", False),
    ],
)
def test_a_platforms_word_for_a_file_is_held_against_what_it_is(claimed: str, found: str, fits: bool) -> None:
    assert plausible(claimed, found) is fits


def test_deep_and_long_json_does_no_harm() -> None:
    assert sniff(b"[" * 100_000) == "text/plain"
    assert sniff(json.dumps(["x" * 80] * 20_000).encode()) == "text/plain"
