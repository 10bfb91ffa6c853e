"""The clock holds on every byte, with TLS and without."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from inference.deadline import Clock, DeadlineAdapter


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its own certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Dripping:
    """Answers each connection with *head* at once and then a byte every 50 ms until it is stopped."""

    def __init__(self, head: bytes, tls: ssl.SSLContext | None) -> None:
        self._head = head
        self._tls = tls
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/"

    def _serve(self) -> None:
        plain, _ = self._listener.accept()
        with self._tls.wrap_socket(plain, server_side=True) if self._tls else plain as connection:
            connection.recv(4096)
            try:
                connection.sendall(self._head)
                while not self._stop.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return  # the client has given up, as it should

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, certificate: Path) -> ssl.SSLContext | None:
    if request.param == "plain":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def session(certificate: Path) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(certificate)
        session.mount("http://", DeadlineAdapter(connections=4))
        session.mount("https://", DeadlineAdapter(connections=4))
        yield session


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_drip_of_bytes_ends_at_the_deadline(
    session: requests.Session, tls: ssl.SSLContext | None, head: bytes
) -> None:
    server = Dripping(head, tls)
    started = time.monotonic()
    with pytest.raises((requests.Timeout, requests.ConnectionError)), Clock(timedelta(seconds=0.5)).running():
        session.get(server.url, timeout=10)
    assert 0.4 < time.monotonic() - started < 1.5
    server.stop()


def test_an_expected_sign_of_life_that_does_not_come_ends_it_before_the_deadline(session: requests.Session) -> None:
    server = Dripping(b"", None)
    clock = Clock(timedelta(seconds=30))
    clock.expect(timedelta(seconds=0.3))
    started = time.monotonic()
    with pytest.raises(requests.Timeout), clock.running():
        session.get(server.url, timeout=10)
    assert time.monotonic() - started < 1.3
    assert clock.left > timedelta(seconds=20)
    server.stop()


def test_what_is_expected_never_passes_the_end() -> None:
    clock = Clock(timedelta(seconds=1))
    clock.expect(timedelta(seconds=100))
    assert clock.until == clock.end


def test_without_a_clock_the_ordinary_timeout_holds(session: requests.Session) -> None:
    server = Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", None)
    assert session.get(server.url, timeout=10).text == "xxx"
    server.stop()


LARGE = bytes(32 * 1024 * 1024)
"""More than a connection's buffers take."""


class Gulping(Dripping):
    """Reads nothing for *pause* seconds, and then all."""

    def __init__(self, pause: float, tls: ssl.SSLContext | None) -> None:
        self._pause = pause
        super().__init__(b"", tls)

    def _serve(self) -> None:
        plain, _ = self._listener.accept()
        with self._tls.wrap_socket(plain, server_side=True) if self._tls else plain as connection:
            if self._stop.wait(self._pause):
                return
            left = len(LARGE)
            while left > 0 and (piece := connection.recv(1024 * 1024)):
                left -= len(piece)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nThere")


def test_a_large_body_has_the_clocks_time_and_not_that_of_connecting(
    session: requests.Session, tls: ssl.SSLContext | None
) -> None:
    server = Gulping(0.8, tls)
    with Clock(timedelta(seconds=30)).running():
        assert session.post(server.url, data=LARGE, timeout=(0.3, 30)).text == "There"
    server.stop()


def test_a_body_that_nobody_takes_ends_at_the_deadline(
    session: requests.Session, tls: ssl.SSLContext | None
) -> None:
    server = Gulping(60, tls)
    started = time.monotonic()
    with pytest.raises((requests.Timeout, requests.ConnectionError)), Clock(timedelta(seconds=0.5)).running():
        session.post(server.url, data=LARGE, timeout=10)
    assert 0.4 < time.monotonic() - started < 2
    server.stop()
