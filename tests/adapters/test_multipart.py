"""Forms with a file, read back by the standard library's own parser."""

from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.policy import HTTP

import pytest

from adapters.multipart import multipart


def parsed(body: bytes, content_type: str) -> list[MIMEPart]:
    whole = BytesParser(EmailMessage, policy=HTTP).parsebytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + body
    )
    assert not whole.defects
    return list(whole.iter_parts())


def test_fields_and_the_file_are_parts_of_their_own() -> None:
    told, file = parsed(
        *multipart(
            "media", b"\x00\r\n--x\xff", filename="价目.pdf", mime="application/pdf", fields={"type": "file"}
        )
    )
    assert told.get_param("name", header="content-disposition") == "type"
    assert told.get_payload() == "file"
    assert file.get_param("name", header="content-disposition") == "media"
    assert file.get_content_type() == "application/pdf"
    assert file.get_payload(decode=True) == b"\x00\r\n--x\xff"


@pytest.mark.parametrize("name", ['a"; name="type', "a\r\nX-Injected: 1", "a\nb", "\ud800"])
def test_no_name_ends_its_header_line(name: str) -> None:
    body, content_type = multipart("media", b"x", filename=name, mime="image/png")
    (file,) = parsed(body, content_type)
    assert set(file.keys()) == {"Content-Disposition", "Content-Type"}
    assert file.get_param("name", header="content-disposition") == "media"


def test_the_same_file_gives_the_same_bytes_and_may_tell_its_length() -> None:
    first, second = (multipart("media", b"abc", filename="a", mime="image/png", with_length=True) for _ in range(2))
    assert first == second
    assert b"; filelength=3\r\n" in first[0]
