"""What members write to an AI bot, as its callbacks have it (§4.2, §4.3), and what it may answer (§4.4, §4.6)."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from bot.sandbox.simulator.journal import Choice
from bot.sandbox.simulator.platform import member
from bot.sandbox.wecom import cards

LARGEST_TEXT = 20_480
"""Bytes of a stream's content, and of a message by response_url."""
KINDS: Mapping[str, Mapping[str, Any]] = {
    "image": {},
    "mixed": {"text": "这个坏了"},
    "voice": {"content": "我的包裹在哪里"},
    "file": {},
    "video": {},
    "quoted": {"text": "这个呢", "quoted": "我们明天发货"},
    "enter_chat": {},
    "feedback": {"type": 1},
}


class BadAnswer(Exception):
    """Why the platform does not take what the bot answered; *rule* is a snake_case word."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What one answer to a message or a poll says. *images* are the numbers of pictures that came with the end."""

    id: str = ""
    text: str = ""
    finished: bool = True
    choices: tuple[Choice, ...] = ()
    card: Any = None
    images: tuple[bytes, ...] = ()


def of_answer(answer: Any) -> Streamed:
    """Raises :class:`BadAnswer`. Kinds: stream, template_card, stream_with_template_card."""
    kind = member(answer, "msgtype")
    if kind not in ("stream", "template_card", "stream_with_template_card"):
        raise BadAnswer("unknown_type", f"msgtype {kind}")
    card = member(answer, "template_card")
    try:
        choices = cards.choices(card) if card is not None else ()
    except cards.BadCard as bad:
        raise BadAnswer("card_wrong", str(bad)) from bad
    if kind == "template_card":
        return Streamed(text=cards.words(card), choices=choices, card=card)
    stream = member(answer, "stream")
    id_, text, finished = (member(stream, name) for name in ("id", "content", "finish"))
    if not isinstance(id_, str) or not id_:
        raise BadAnswer("stream_id_missing", "stream.id")
    if not isinstance(finished, bool):
        raise BadAnswer("parameter_invalid", "stream.finish is true or false")
    text = text if isinstance(text, str) else ""
    if len(text.encode()) > LARGEST_TEXT:
        raise BadAnswer("too_long", f"{len(text.encode())} bytes instead of {LARGEST_TEXT}")
    return Streamed(
        id=id_, text=text, finished=finished, choices=choices, card=card, images=_images(stream, finished)
    )


def _images(stream: Any, finished: bool) -> tuple[bytes, ...]:
    items = member(stream, "msg_item") or []
    if items and not finished:
        raise BadAnswer("image_before_the_end", "msg_item comes with finish alone")
    if len(items) > 10:
        raise BadAnswer("too_many_images", f"{len(items)} instead of 10")
    return tuple(_image(item) for item in items)


def _image(item: Any) -> bytes:
    content = base64.b64decode(str(member(item, "image", "base64")))
    if hashlib.md5(content).hexdigest() != member(item, "image", "md5"):  # noqa: S324 - the platform's own check
        raise BadAnswer("image_wrong", "md5 of the raw bytes")
    return content


def sealed(content: bytes, key: str) -> bytes:
    """A file as its address serves it (§4.2): AES-256-CBC, padded to blocks of 32; *key* as EncodingAESKey."""
    raw = base64.b64decode(key + "=" * (-len(key) % 4))
    pad = 32 - len(content) % 32
    encryptor = Cipher(AES(raw), CBC(raw[:16])).encryptor()
    return encryptor.update(content + bytes([pad]) * pad) + encryptor.finalize()


def new_key() -> str:
    """A file's own key, as the long connection gives it: 43 characters, no padding sign."""
    return base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
