"""The seal against the published vectors, against wechatpy, and against everything that is nearly right."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpy.enterprise.crypto import WeChatCrypto

from adapters.crypto import BadContent, Flaw, NotSealed, Seal, Sealed, callback_key, decrypt_file, file_key
from adapters.errors import Malformed, Unverified
from adapters.payload import read_object
from adapters.wecom.envelope import read_envelope
from adapters.wecom.inbound import read_inner
from tests.adapters.wecom_platform import CORP, KEY, NEW_KEY, TOKEN, Console, request_of, vector, vectors

IN = ("app-get", "app-xml", "aibot-get", "aibot-json")
SEALED = [name for name in vectors(*IN) if vector(name)["expected"]["error"] is None]
REFUSED = [name for name in vectors(*IN) if vector(name)["expected"]["error"] is not None]
REPLIES = vectors("app-reply", "aibot-reply")
MEDIA = vectors("aibot-media")


def seal_of(found: dict[str, Any]) -> Seal:
    return Seal(**found["config"])


def sealed(found: dict[str, Any]) -> Sealed:
    """The vector's envelope, by our own reader of outer envelopes."""
    request = request_of(found)
    encrypt = request.query.get("echostr") or read_envelope(request.body).encrypt
    names = ("msg_signature", "timestamp", "nonce")
    signature, timestamp, nonce = (request.query[name] for name in names)
    return Sealed(encrypt=encrypt, signature=signature, timestamp=timestamp, nonce=nonce)


def read(found: dict[str, Any]) -> str:
    """The whole way in: envelope, seal, content."""
    text = seal_of(found).open(sealed(found))
    if found["mode"] == "app-xml":
        read_inner(text)
    if found["mode"] == "aibot-json":
        try:
            read_object(text.encode())
        except Malformed:
            raise BadContent(Flaw.JSON) from None
    return text


def test_all_vectors_are_here() -> None:
    assert len(SEALED) == 44
    assert len(REFUSED) == 16
    assert len(REPLIES) == 6
    assert len(MEDIA) == 4


@pytest.mark.parametrize("name", SEALED)
def test_a_published_envelope_opens(name: str) -> None:
    found = vector(name)
    assert read(found) == found["expected"]["plaintext"]


@pytest.mark.parametrize("name", SEALED)
def test_a_published_message_encrypts_to_the_same_bytes(name: str) -> None:
    found = vector(name)
    random16 = found["random16"].encode()
    assert seal_of(found).encrypt(found["expected"]["plaintext"], random16=random16) == found["encrypt"]


@pytest.mark.parametrize("name", REPLIES)
def test_a_published_answer_is_closed_to_the_same_bytes(name: str) -> None:
    found = vector(name)
    given = found["input"]
    closed = seal_of(found).close(
        given["plaintext"],
        timestamp=given["timestamp"],
        nonce=given["nonce"],
        random16=given["random16"].encode(),
    )
    assert closed.encrypt == found["encrypt"]
    assert closed.signature == found["expected"]["signature"]
    assert closed.encrypt in found["response"]["body"]
    assert closed.signature in found["response"]["body"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_published_bad_envelope_is_refused_by_its_name(name: str) -> None:
    found = vector(name)
    with pytest.raises((NotSealed, BadContent)) as caught:
        read(found)
    error = caught.value
    assert isinstance(error, NotSealed | BadContent)
    assert error.flaw.value in found["expected"]["error"].split("|")


@pytest.mark.parametrize("name", MEDIA)
def test_a_published_file_decrypts(name: str) -> None:
    found = vector(name)
    content = base64.b64decode(found["ciphertext_b64"])
    plain = decrypt_file(content, file_key(found["key"]["aeskey"]))
    assert plain == base64.b64decode(found["expected"]["plaintext_b64"])
    assert hashlib.sha256(plain).hexdigest() == found["expected"]["sha256"]


@pytest.mark.parametrize("cut", [0, 1, 15, 33])
def test_a_cut_file_is_refused(cut: int) -> None:
    found = vector("media_png_callback_key")
    content = base64.b64decode(found["ciphertext_b64"])[:cut]
    with pytest.raises(BadContent):
        decrypt_file(content, file_key(found["key"]["aeskey"]))


@pytest.mark.parametrize("text", ["", "x", "你好 😀", "a" * 5000, "]]>", "\x00"])
@pytest.mark.parametrize("receive_id", [CORP, ""])
def test_wechatpy_opens_what_we_close_and_we_open_what_it_closes(text: str, receive_id: str) -> None:
    ours, theirs = (
        Seal(token=TOKEN, encoding_aes_key=KEY, receive_id=receive_id),
        WeChatCrypto(TOKEN, KEY, receive_id),
    )
    closed = ours.close(text, timestamp="1", nonce="n")
    envelope = {"Encrypt": closed.encrypt}
    assert theirs.decrypt_message(envelope, closed.signature, closed.timestamp, closed.nonce) == text
    outer = read_envelope(theirs.encrypt_message(text, "n", "1").encode())
    signature = ours.signature(timestamp="1", nonce="n", encrypt=outer.encrypt)
    assert ours.open(Sealed(encrypt=outer.encrypt, signature=signature, timestamp="1", nonce="n")) == text


def test_two_seals_of_the_same_text_differ() -> None:
    seal = Seal(token=TOKEN, encoding_aes_key=KEY, receive_id=CORP)
    assert seal.encrypt("x") != seal.encrypt("x")


def test_a_random_prefix_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="15 bytes"):
        Seal(token=TOKEN, encoding_aes_key=KEY, receive_id=CORP).encrypt("x", random16=b"x" * 15)


@pytest.mark.parametrize("pad", range(1, 33))
def test_every_padding_length_opens(pad: int) -> None:
    seal = Seal(token=TOKEN, encoding_aes_key=KEY, receive_id="")
    text = "x" * (32 * 2 - 20 - pad)
    assert seal.decrypt(seal.encrypt(text)) == text


def changed_by_one_bit(encrypt: str) -> Iterator[tuple[int, str]]:
    content = base64.b64decode(encrypt)
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            yield place, base64.b64encode(changed).decode()


def test_every_change_of_a_ciphertext_is_refused_as_a_wrong_signature() -> None:
    seal = Seal(token=TOKEN, encoding_aes_key=KEY, receive_id=CORP)
    closed = seal.close("<xml>" + "你好" * 40 + "</xml>", timestamp="1", nonce="n")
    flaws = []
    for _, encrypt in changed_by_one_bit(closed.encrypt):
        with pytest.raises(Unverified) as caught:
            seal.open(replace(closed, encrypt=encrypt))
        assert isinstance(caught.value, NotSealed)
        flaws.append(caught.value.flaw)
    assert len(flaws) > 2000
    assert set(flaws) == {Flaw.SIGNATURE}


def test_who_knows_the_token_but_not_the_key_cannot_tell_padding_from_receive_id() -> None:
    """CBC has no integrity of its own, so a re-signed change may garble the text; but what touches the receive
    id or the padding is one class of error, whatever the bit."""
    seal = Seal(token=TOKEN, encoding_aes_key=KEY, receive_id=CORP)
    encrypt = seal.encrypt("<xml>" + "你好" * 40 + "</xml>", random16=b"0123456789abcdef")
    size = len(base64.b64decode(encrypt))
    end = len("<xml></xml>") + 40 * 6 + 20
    flaws = set()
    for place, changed in changed_by_one_bit(encrypt):
        if place >= end - 16:  # garbles the receive id or what follows it
            with pytest.raises(Unverified) as caught:
                seal.decrypt(changed)
            assert isinstance(caught.value, NotSealed)
            flaws.add(caught.value.flaw)
    assert size - end > 16
    assert flaws == {Flaw.PADDING, Flaw.RECEIVE_ID}


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_change_anywhere_in_a_signed_envelope_is_unverified(data: st.DataObject) -> None:
    """Without the token, every change ends at the signature."""
    seal = Seal(token=TOKEN, encoding_aes_key=KEY, receive_id=CORP)
    closed = seal.close("<xml/>", timestamp="1795100001", nonce="300007919", random16=b"0123456789abcdef")
    field = data.draw(st.sampled_from(["encrypt", "signature", "timestamp", "nonce"]))
    given_text: str = getattr(closed, field)
    place = data.draw(st.integers(0, len(given_text) - 1))
    letter = data.draw(st.characters().filter(lambda each: each != given_text[place]))
    fields = {name: getattr(closed, name) for name in ("encrypt", "signature", "timestamp", "nonce")}
    fields[field] = given_text[:place] + letter + given_text[place + 1 :]
    with pytest.raises(NotSealed) as caught:
        seal.open(Sealed(**fields))
    assert caught.value.flaw is Flaw.SIGNATURE


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200).map(lambda raw: base64.b64encode(raw).decode()) | st.text(max_size=60))
def test_any_signed_ciphertext_is_refused_as_unverified(encrypt: str) -> None:
    seal = Seal(token=TOKEN, encoding_aes_key=KEY, receive_id=CORP)
    signature = seal.signature(timestamp="1", nonce="n", encrypt=encrypt)
    with pytest.raises(Unverified):
        seal.open(Sealed(encrypt=encrypt, signature=signature, timestamp="1", nonce="n"))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "0 characters"),
        (KEY[:-1], "42 characters"),
        (KEY + "=", "44 characters"),
        ("!" * 43, "not base64"),
        ("密" * 43, "not base64"),
    ],
)
def test_a_wrong_key_is_an_error_that_names_the_setting_but_not_the_key(key: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        Seal(token=TOKEN, encoding_aes_key=key, receive_id=CORP)
    assert "encoding_aes_key" in str(caught.value)
    assert not key or key not in str(caught.value)


def test_an_empty_token_is_an_error() -> None:
    with pytest.raises(ValueError, match="token is empty"):
        Seal(token="", encoding_aes_key=KEY, receive_id=CORP)


def test_unused_bits_of_the_last_letter_are_no_matter() -> None:
    """The platform's own sample key ends in C; canonical base64 would end in A."""
    assert callback_key(NEW_KEY) == callback_key(NEW_KEY[:-1] + "A")


def test_a_wrong_key_points_at_the_key_and_a_wrong_token_at_the_token() -> None:
    request = Console().text("hi")
    envelope = read_envelope(request.body)
    closed = Sealed(
        encrypt=envelope.encrypt,
        signature=request.query["msg_signature"],
        timestamp=request.query["timestamp"],
        nonce=request.query["nonce"],
    )
    with pytest.raises(NotSealed, match="encoding_aes_key"):
        Seal(token=TOKEN, encoding_aes_key=NEW_KEY, receive_id=CORP).open(closed)
    with pytest.raises(NotSealed, match="token"):
        Seal(token="another", encoding_aes_key=KEY, receive_id=CORP).open(closed)
    with pytest.raises(NotSealed, match="corp_id"):
        Seal(token=TOKEN, encoding_aes_key=KEY, receive_id="wwother").open(closed)


def test_no_vector_is_opened_by_the_other_channels_secrets() -> None:
    app, bot = vector("app_text"), vector("aibot_text_single")
    for found, config in ((app, bot["config"]), (bot, app["config"])):
        with pytest.raises(NotSealed):
            Seal(**config).open(sealed(found))


def test_the_stream_answers_are_json_inside() -> None:
    for name in vectors("aibot-reply"):
        assert isinstance(json.loads(vector(name)["input"]["plaintext"]), dict)
