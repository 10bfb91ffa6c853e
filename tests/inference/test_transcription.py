"""Voice messages before a scripted speech server: what was said, or an error in time that repeats nothing of it."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.sandbox.model import ScriptedModelServer
from inference.errors import ModelBusy, ModelError, ModelFailed, ModelRefused
from inference.transcription import LARGEST_ANSWER, Transcriber

OGG = b"OggS\x00\x02 a voice message \r\n--boundary\r\n\x00\xff"
SAID = "My card number is 4111 1111"
SECOND = timedelta(seconds=1)


@pytest.fixture
def transcriber(server: ScriptedModelServer) -> Iterator[Transcriber]:
    made = Transcriber(server.url, "whisper")
    yield made
    made.close()


def test_what_was_said_comes_back_and_the_recording_arrived_whole(
    server: ScriptedModelServer, transcriber: Transcriber
) -> None:
    server.transcript = "我的包裹在哪里？✅"
    assert transcriber.text(OGG, "audio/ogg; codecs=opus", deadline=SECOND * 5) == "我的包裹在哪里？✅"
    [heard] = server.recordings
    assert (heard.name, heard.mime, heard.content) == ("voice.ogg", "audio/ogg", OGG)
    assert heard.fields == {"model": "whisper", "response_format": "json"}


def test_a_known_language_is_told(server: ScriptedModelServer) -> None:
    transcriber = Transcriber(f"{server.url}/", "whisper", language="zh")
    transcriber.text(OGG, "audio/ogg", deadline=SECOND * 5)
    assert server.recordings[0].fields["language"] == "zh"
    transcriber.close()


@pytest.mark.parametrize(
    ("mime", "name", "told"),
    [
        ("audio/amr", "voice.amr", "audio/amr"),
        ("AUDIO/MPEG", "voice.mp3", "audio/mpeg"),
        ("audio/mp4", "voice.m4a", "audio/mp4"),
        ("", "voice.bin", "application/octet-stream"),
        ('audio/ogg"\r\nX-Evil: 1', "voice.bin", "application/octet-stream"),
    ],
)
def test_the_format_is_told_by_name_and_type_and_no_header_comes_of_it(
    server: ScriptedModelServer, transcriber: Transcriber, mime: str, name: str, told: str
) -> None:
    transcriber.text(OGG, mime, deadline=SECOND * 5)
    assert (server.recordings[0].name, server.recordings[0].mime) == (name, told)


def test_silence_is_an_empty_text_and_markup_is_taken_out(
    server: ScriptedModelServer, transcriber: Transcriber
) -> None:
    server.transcript = " \n"
    assert transcriber.text(OGG, "audio/ogg", deadline=SECOND * 5) == ""
    server.transcript = "<|zh|>你好\x00<|end|> "
    assert transcriber.text(OGG, "audio/ogg", deadline=SECOND * 5) == "你好"


@pytest.mark.parametrize("content", [b"", b"x" * 101])
def test_nothing_and_too_much_are_not_sent(server: ScriptedModelServer, content: bytes) -> None:
    transcriber = Transcriber(server.url, "whisper", largest=100)
    with pytest.raises(ModelRefused):
        transcriber.text(content, "audio/ogg", deadline=SECOND)
    assert not server.calls
    transcriber.close()


ERRORS: dict[str, type[ModelError]] = {
    **dict.fromkeys(("400", "401", "403", "404", "404 path", "413", "422", "redirects"), ModelRefused),
    **dict.fromkeys(("408", "429", "busy", "502", "504", "drops"), ModelBusy),
    **dict.fromkeys(("500", "not json", "deeply nested", "html", "empty body", "no choices", "huge"), ModelFailed),
    **dict.fromkeys(("silent", "drips the status line", "drips the headers", "drips the first event"), ModelFailed),
}


@pytest.mark.parametrize("name", ERRORS)
def test_whatever_the_server_does_ends_in_its_error_in_time(
    server: ScriptedModelServer, transcriber: Transcriber, name: str
) -> None:
    server.script(*[name] * 9)
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        transcriber.text(OGG, "audio/ogg", deadline=SECOND)
    assert type(caught.value) is ERRORS[name]
    assert time.monotonic() - started < 3
    assert len(server.calls) <= 3


def test_no_error_repeats_what_was_said(server: ScriptedModelServer, transcriber: Transcriber) -> None:
    said = f'{{"error": {{"message": "{SAID}"}}, "detail": "{SAID}", "words": "{SAID}"}}'.encode()
    for status in (200, 400, 422, 429, 500, 503):
        server.script(*[lambda exchange, status=status: exchange.answer(status, said)] * 3)
        with pytest.raises(ModelError) as caught:
            transcriber.text(OGG, "audio/ogg", deadline=SECOND * 5)
        assert "4111" not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_busy_server_is_asked_again_and_retry_after_is_obeyed(
    server: ScriptedModelServer, transcriber: Transcriber
) -> None:
    server.script("busy", "429 with Retry-After")
    assert transcriber.text(OGG, "audio/ogg", deadline=SECOND * 10)
    first, second, third = server.calls
    assert third.at - second.at >= 1.0 > second.at - first.at


def test_a_wait_beyond_the_deadline_is_passed_on_at_once(
    server: ScriptedModelServer, transcriber: Transcriber
) -> None:
    server.script("429 for an hour")
    started = time.monotonic()
    with pytest.raises(ModelBusy) as caught:
        transcriber.text(OGG, "audio/ogg", deadline=SECOND * 5)
    assert time.monotonic() - started < 1
    assert caught.value.retry_after == timedelta(seconds=110)


@pytest.mark.parametrize("answer", [b"[]", b'{"text": null}', b'{"text": ["a"]}', b'"text"', b'{"text": "a"'])
def test_what_is_no_transcription_is_a_failure(
    server: ScriptedModelServer, transcriber: Transcriber, answer: bytes
) -> None:
    server.script(lambda exchange: exchange.answer(200, answer))
    with pytest.raises(ModelFailed, match="no transcription"):
        transcriber.text(OGG, "audio/ogg", deadline=SECOND * 5)


def test_an_endless_transcript_is_not_read_to_its_end(
    server: ScriptedModelServer, transcriber: Transcriber
) -> None:
    server.script(lambda exchange: exchange.answer(200, b'{"text": "' + b"x" * (LARGEST_ANSWER + 1) + b'"}'))
    with pytest.raises(ModelFailed, match="larger"):
        transcriber.text(OGG, "audio/ogg", deadline=SECOND * 5)


def test_nobody_there_is_busy_and_the_key_is_sent(server: ScriptedModelServer) -> None:
    with pytest.raises(ModelBusy, match=r"127\.0\.0\.1:9"):
        Transcriber("http://127.0.0.1:9/v1", "whisper").text(OGG, "audio/ogg", deadline=SECOND)
    server.api_key = "secret"
    with pytest.raises(ModelRefused, match=r"model\.transcription\.api_key"):
        Transcriber(server.url, "whisper", "wrong").text(OGG, "audio/ogg", deadline=SECOND)
    assert Transcriber(server.url, "whisper", "secret").text(OGG, "audio/ogg", deadline=SECOND * 5)


def test_a_large_recording_may_take_longer_than_connecting(
    server: ScriptedModelServer, transcriber: Transcriber
) -> None:
    content = b"OggS" + bytes(20 * 1024 * 1024)
    assert transcriber.text(content, "audio/ogg", deadline=SECOND * 30)
    assert len(server.recordings[0].content) == len(content)


def test_what_is_no_sound_is_refused_by_the_server(transcriber: Transcriber) -> None:
    with pytest.raises(ModelRefused, match="HTTP 400"):
        transcriber.text(b"GIF89a", "audio/ogg", deadline=SECOND * 5)


def test_a_server_that_does_not_take_the_recording_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transcriber = Transcriber(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "whisper")
        started = time.monotonic()
        with pytest.raises(ModelFailed, match="deadline"):
            transcriber.text(OGG + bytes(20 * 1024 * 1024), "audio/ogg", deadline=SECOND)
        assert time.monotonic() - started < 3
        transcriber.close()
