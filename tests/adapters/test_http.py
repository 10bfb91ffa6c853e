"""One HTTP call over real sockets: what was heard, what may have been heard, and what no exception says."""

import datetime as dt
import ipaddress
import logging
import socket
import ssl
import struct
import time
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from adapters import connection
from adapters.http import (
    LARGEST_ANSWER,
    LONGEST_RETRY_AFTER,
    HttpAnswer,
    MaybeSent,
    NotSent,
    PlatformHttp,
    TooLarge,
)
from tests.adapters.raw_server import RawServer, answering, http
from tests.fakes import RecordingServer, json_answer

SECRET = "session=0123456789abcdef"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BODY = b'{"errcode":0,"errmsg":"ok","detail":"' + b"x" * 160 + b'"}'
WITH_LENGTH = http(BODY, "200 OK", "Content-Type: application/json", "Date: Fri, 20 Nov 2026 12:00:00 GMT")
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"64\r\n" + BODY[:100] + b"\r\n" + f"{len(BODY) - 100:x}".encode() + b"\r\n" + BODY[100:] + b"\r\n0\r\n\r\n"
)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + BODY


def platform_http(seconds: float = 5, connect: float = 5, authorities: Path | None = None) -> PlatformHttp:
    return PlatformHttp(
        connect=timedelta(seconds=connect), total=timedelta(seconds=seconds), authorities=authorities
    )


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_refused_connection_was_surely_not_sent() -> None:
    with pytest.raises(NotSent):
        platform_http().call("POST", f"http://127.0.0.1:{closed_port()}/?{SECRET}", body=b"{}")


def test_a_name_that_does_not_exist_was_surely_not_sent() -> None:
    with pytest.raises(NotSent):
        platform_http().call("POST", f"http://frontdesk.invalid/?{SECRET}", body=b"{}")


@pytest.mark.parametrize(
    "url", ["", "no-scheme", "ftp://example.org/", "http://", "http://[::1", "http://a b/", "http://*.x/"]
)
def test_an_address_that_is_none_was_surely_not_sent(url: str) -> None:
    with pytest.raises(NotSent):
        platform_http().call("POST", url, body=b"{}")


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "在此填写"])
def test_a_header_that_can_be_none_was_surely_not_sent_and_is_in_no_text(value: str) -> None:
    with RecordingServer(lambda _: json_answer({})) as server:
        with pytest.raises(NotSent) as caught:
            platform_http().call("GET", server.url, headers={"Authorization": value})
        assert server.calls == []
    assert value not in f"{caught.value!r}"


def test_a_connect_that_takes_too_long_was_surely_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with pytest.raises(NotSent):
            platform_http(connect=0.3).call("POST", f"http://127.0.0.1:{port}/", body=b"{}")
        for each in waiting:
            each.close()


def test_a_server_that_speaks_no_tls_was_surely_not_sent() -> None:
    with RawServer(answering(b"")) as server, pytest.raises(NotSent):
        platform_http(connect=0.5).call("POST", f"https://127.0.0.1:{server.port}/", body=b"secret")
    assert not any(b"secret" in each for each in server.requests)


def test_a_server_with_a_strange_certificate_was_surely_not_sent(tmp_path: Path) -> None:
    with RawServer(answering(WITH_LENGTH), tls=tls_context(tmp_path)) as server, pytest.raises(NotSent):
        platform_http().call("POST", f"{server.url}/", body=b"secret")
    assert server.requests == []


def test_a_tls_error_after_the_request_may_have_been_sent(tmp_path: Path) -> None:
    """urllib3 calls this an SSLError as well as the failed handshake."""

    def breaks_the_tunnel(client: socket.socket) -> None:
        raw = socket.socket(fileno=client.detach())
        raw.sendall(b"this is no TLS record at all, and it is long enough to be read")
        raw.close()

    with RawServer(breaks_the_tunnel, tls=tls_context(tmp_path)) as server:
        client = platform_http(authorities=tmp_path / "cert.pem")
        with pytest.raises(MaybeSent):
            client.call("POST", f"{server.url}/", body=b"{}")
    assert len(server.requests) == 1


def test_a_whole_answer_is_returned_over_tls(tmp_path: Path) -> None:
    with RawServer(answering(WITH_LENGTH), tls=tls_context(tmp_path)) as server:
        client = platform_http(authorities=tmp_path / "cert.pem")
        assert client.call("POST", f"{server.url}/", body=b"{}").body == BODY


def test_an_answer_that_does_not_come_may_have_been_sent() -> None:
    with RawServer(lambda _: time.sleep(0.6)) as server, pytest.raises(MaybeSent):
        platform_http(seconds=0.3).call("POST", f"{server.url}/?{SECRET}", body=b"{}")


def test_a_reset_after_the_request_may_have_been_sent() -> None:
    def reset(client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    with RawServer(reset) as server, pytest.raises(MaybeSent):
        platform_http().call("POST", f"{server.url}/?{SECRET}", body=b"{}")


@pytest.mark.parametrize("whole", [WITH_LENGTH, CHUNKED, UNTIL_CLOSE], ids=["length", "chunked", "until-close"])
def test_an_answer_cut_at_any_byte_may_have_been_sent(whole: bytes) -> None:
    """Cut inside the last chunk's own end, nothing of the answer is missing any more: that much is given away."""
    end_of_content = whole.rindex(b"}") + 1
    end = whole.index(b"0\r\n\r\n", end_of_content) if whole is CHUNKED else end_of_content
    offsets = iter(range(end))

    def cut(client: socket.socket) -> None:
        client.sendall(whole[: next(offsets)])
        client.shutdown(socket.SHUT_RDWR)

    client = platform_http()
    with RawServer(cut) as server:
        for offset in range(end):
            with pytest.raises(MaybeSent):
                assert client.call("POST", f"{server.url}/", body=b"{}") is None, f"cut at byte {offset}"
    with RawServer(answering(whole)) as server:
        answer = client.call("POST", f"{server.url}/", body=b"{}")
        assert (answer.status, answer.body) == (200, BODY)


def test_a_page_without_a_length_may_have_been_cut() -> None:
    page = b"HTTP/1.0 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>"
    with RawServer(answering(page)) as server, pytest.raises(MaybeSent):
        platform_http().call("POST", f"{server.url}/", body=b"{}")


def test_an_answer_without_content_is_whole() -> None:
    with RawServer(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as server:
        assert platform_http().call("POST", f"{server.url}/", body=b"{}").status == 204


@pytest.mark.parametrize(
    "whole", [WITH_LENGTH, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" * 12], ids=["length", "chunked", "1xx"]
)
def test_an_answer_that_drips_ends_at_the_deadline(whole: bytes) -> None:
    """The headers alone take longer than the deadline, one byte at a time."""

    def drip(client: socket.socket) -> None:
        for byte in whole:
            client.sendall(bytes([byte]))
            time.sleep(0.02)

    with RawServer(drip) as server:
        started = time.monotonic()
        with pytest.raises(MaybeSent):
            platform_http(seconds=0.5).call("POST", f"{server.url}/", body=b"{}")
        assert 0.4 < time.monotonic() - started < 1.5


def test_a_body_that_drips_ends_at_the_deadline() -> None:
    head, _, body = WITH_LENGTH.partition(b"\r\n\r\n")

    def drip(client: socket.socket) -> None:
        client.sendall(head + b"\r\n\r\n")
        for byte in body:
            client.sendall(bytes([byte]))
            time.sleep(0.02)

    with RawServer(drip) as server:
        started = time.monotonic()
        with pytest.raises(MaybeSent):
            platform_http(seconds=0.5).call("POST", f"{server.url}/", body=b"{}")
        assert 0.4 < time.monotonic() - started < 1.5


def test_a_request_that_nobody_reads_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        started = time.monotonic()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(MaybeSent):
            platform_http(seconds=0.5).call("POST", url, body=b"x" * 64 * 1024 * 1024)
        assert time.monotonic() - started < 3


def test_a_deadline_of_one_call_does_not_shorten_the_next() -> None:
    def slow(client: socket.socket) -> None:
        time.sleep(0.3)
        client.sendall(WITH_LENGTH)

    client = platform_http(seconds=5)
    with RawServer(slow) as server:
        for _ in range(2):
            short = timedelta(seconds=0.6)
            assert client.call("POST", f"{server.url}/", body=b"{}", total=short).status == 200
        assert server.connections == 1
        client.close()


def test_sending_has_the_time_of_the_whole_exchange() -> None:
    """urllib3 gives it the time of the connect."""

    def deaf_for_a_while(client: socket.socket) -> None:
        client.sendall(WITH_LENGTH)
        time.sleep(0.8)

    client = platform_http(connect=0.2)
    with RawServer(deaf_for_a_while) as server:
        client.call("POST", f"{server.url}/", body=b"{}")
        assert client.call("POST", f"{server.url}/", body=b"x" * 16 * 1024 * 1024).status == 200
        assert server.connections == 1
        client.close()


def test_a_connection_is_kept_for_the_next_call() -> None:
    client = platform_http()
    with RawServer(lambda connection: connection.sendall(WITH_LENGTH)) as server:
        for _ in range(5):
            assert client.call("POST", f"{server.url}/", body=b"{}").json == {
                "errcode": 0,
                "errmsg": "ok",
                "detail": "x" * 160,
            }
        assert server.connections == 1
        client.close()


def test_a_connection_that_rested_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_IDLE", 0.05)
    client = platform_http()
    with RawServer(lambda connection: connection.sendall(WITH_LENGTH)) as server:
        client.call("POST", f"{server.url}/", body=b"{}")
        time.sleep(0.1)
        client.call("POST", f"{server.url}/", body=b"{}")
        assert server.connections == 2
        client.close()


def test_an_answer_larger_than_any_real_one_is_not_read_to_its_end() -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {LARGEST_ANSWER * 20}\r\n\r\n".encode()

    def flood(client: socket.socket) -> None:
        client.sendall(head)
        for _ in range(20):
            client.sendall(b" " * LARGEST_ANSWER)

    with RawServer(flood) as server, pytest.raises(MaybeSent, match="larger"):
        platform_http().call("POST", f"{server.url}/", body=b"{}")


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with RawServer(answering(WITH_LENGTH)) as other:
        moved = http(b"", "307 Temporary Redirect", f"Location: {other.url}/elsewhere")
        with RawServer(answering(moved)) as server:
            assert platform_http().call("POST", f"{server.url}/", body=b"{}").status == 307
        assert other.requests == []


def test_the_environment_names_no_proxy_and_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password netrc-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with RawServer(answering(WITH_LENGTH)) as proxy, RawServer(answering(WITH_LENGTH)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert platform_http().call("POST", f"{server.url}/", body=b"{}").status == 200
        assert proxy.requests == []
        assert b"authorization" not in server.requests[0].lower()


def test_a_cookie_is_not_kept() -> None:
    client = platform_http()
    tracking = http(b"{}", "200 OK", "Set-Cookie: a=tracked; Path=/")
    with RawServer(lambda connection: connection.sendall(tracking)) as server:
        client.call("POST", f"{server.url}/", body=b"{}")
        client.call("POST", f"{server.url}/", body=b"{}")
        client.close()
    assert b"tracked" not in server.requests[1]


def test_nothing_is_asked_for_twice() -> None:
    with RawServer(answering(http(b"{}", "503 Service Unavailable", "Retry-After: 0"))) as server:
        assert platform_http().call("POST", f"{server.url}/", body=b"{}").status == 503
        assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", WITH_LENGTH[:-3]], ids=["nothing", "garbage", "cut"])
def test_no_failure_says_the_address(
    answer: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer(answering(answer)) as server:
        with pytest.raises(MaybeSent) as caught:
            platform_http().call("POST", f"{server.url}/?{SECRET}", body=b"{}", params={"token": "hidden"})
        said = f"{''.join(traceback.format_exception(caught.value))}{caplog.text}{capfd.readouterr()}"
        assert SECRET not in said
        assert str(server.port) not in said


def test_odd_headers_put_no_address_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\n\r\n{}")) as server:
        platform_http().call("POST", f"{server.url}/?{SECRET}", body=b"{}")
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        ("0", timedelta()),
        ("7", timedelta(seconds=7)),
        (" 7 ", timedelta(seconds=7)),
        ("2.5", timedelta(seconds=2.5)),
        ("99999999", LONGEST_RETRY_AFTER),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("Fri, 20 Nov 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Fri, 20 Nov 2026 11:59:00 GMT", timedelta()),
        ("Fri, 20 Nov 2026 12:00:30 -0000", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("soon", None),
        ("7 seconds", None),
        ("Fri, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(given: str, wait: timedelta | None) -> None:
    assert HttpAnswer(429, {"retry-after": given}, b"").retry_after(NOW) == wait


def test_an_answer_without_retry_after_asks_for_no_wait() -> None:
    assert HttpAnswer(429, {}, b"").retry_after(NOW) is None


@given(st.text())
def test_no_retry_after_raises(given: str) -> None:
    wait = HttpAnswer(429, {"retry-after": given}, b"").retry_after(NOW)
    assert wait is None or timedelta() <= wait <= LONGEST_RETRY_AFTER


def test_a_page_is_no_json() -> None:
    assert HttpAnswer(200, {}, b"<html></html>").json is None


def tls_context(folder: Path) -> ssl.SSLContext:
    """A server's context for 127.0.0.1 with a certificate of its own, which lies at *folder*/cert.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(dt.datetime.now(UTC) + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_caller_may_want_more_bytes_or_fewer() -> None:
    large = http(b"x" * (LARGEST_ANSWER + 1), "200 OK", "Content-Type: image/png")
    with RawServer(answering(large)) as server:
        answer = platform_http().call("GET", server.url, most=LARGEST_ANSWER + 1)
        assert len(answer.body) == LARGEST_ANSWER + 1
        with pytest.raises(TooLarge):
            platform_http().call("GET", server.url, most=1000)
