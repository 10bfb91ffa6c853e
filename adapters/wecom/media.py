"""Files in and out: `media/get` and `media/upload`, for the app and for customer service (WeCom sheet §7)."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from adapters.channel import Download, Services
from adapters.errors import MediaLost
from adapters.files import NoFile
from adapters.http import HttpAnswer, NotSent
from adapters.multipart import multipart
from adapters.payload import text
from adapters.sniffing import UNKNOWN, plausible, sniff
from adapters.values import Action, Attachment, Media, Refused, Unknown
from adapters.wecom.api import TOO_LARGE, WeComApi

LARGEST_DOWNLOAD = 10 * 1024 * 1024
"""Bytes of a customer's file that we take: plenty for a model."""
MEGABYTE = 1024 * 1024
SMALLEST = 6
NEEDS_RANGE = "830002"
STALE = "40007"
OF_ANOTHER_KIND = frozenset({"40004", "40005", "40006", "45001", "45007"})
"""Refusals of a picture, a sound or a film that a plain file need not meet."""
_TOTAL = re.compile(r"bytes 0-\d+/(\d+)")
_FAMILIES = {"image": "image/*", "audio": "audio/*", "video": "video/*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How WeCom takes a file that is of one of *mimes* (none: of any) and has at most *most* bytes."""

    mimes: frozenset[str]
    most: int


FORMS: Mapping[str, Form] = {
    # Two pages disagree about pictures, 10 MB and 5 MB: the smaller is safe.
    "image": Form(mimes=frozenset({"image/jpeg", "image/png"}), most=5 * MEGABYTE),
    "voice": Form(mimes=frozenset({"audio/amr"}), most=2 * MEGABYTE),
    "video": Form(mimes=frozenset({"video/mp4"}), most=10 * MEGABYTE),
    "file": Form(mimes=frozenset(), most=20 * MEGABYTE),
}
_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", "audio/amr": ".amr", "video/mp4": ".mp4"}
_PREFERRED = {"image": "image", "audio": "voice", "video": "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that WeCom has: *kind* is the message type that carries it."""

    kind: str
    media_id: str


def fetched(api: WeComApi, media: Media) -> Download:
    """Raises :class:`~adapters.errors.MediaLost`, or NotSent where another try may help."""
    path, most = "/cgi-bin/media/get", LARGEST_DOWNLOAD
    answer = api.file(path, most=most, media_id=media.id)
    if isinstance(answer, Refused) and answer.code == NEEDS_RANGE:
        answer = api.file(path, most=most, span=f"bytes=0-{most - 1}", media_id=media.id)
    if isinstance(answer, Unknown):
        raise NotSent(answer.reason)  # nothing is changed by asking: it may be asked again
    if isinstance(answer, Refused):
        final = answer.action is Action.GIVE_UP or answer.code == TOO_LARGE
        raise MediaLost(answer.reason) if final else NotSent(answer.reason)
    return _checked(answer, media)


def _checked(answer: HttpAnswer, media: Media) -> Download:
    total = _TOTAL.match(answer.headers.get("content-range", ""))
    if answer.status == 206 and (total is None or int(total.group(1)) != len(answer.body)):
        raise MediaLost(f"larger than {LARGEST_DOWNLOAD} bytes")
    mime = sniff(answer.body)
    claimed = _FAMILIES.get(media.kind) or answer.headers.get("content-type", "")
    if not answer.body or not plausible(claimed, mime):
        raise MediaLost(f"{mime} is not what {media.kind} should be")
    return Download(content=answer.body, mime=mime)


class Uploads:
    """Puts the operator's files onto the platform. A media_id is good for all apps of a company for three days; it
    is used again for an hour, so that a message that is sent again is the same byte for byte."""

    def __init__(self, api: WeComApi, services: Services, corp_id: str) -> None:
        self._api = api
        self._services = services
        self._corp_id = corp_id

    def media(self, attachment: Attachment, *, anew: bool = False) -> Uploaded | Refused:
        """*anew*: the platform knows the media_id no longer (40007). A lost answer is a refusal: nothing reached
        the customer yet."""
        try:
            content = self._services.files.read(attachment)
        except NoFile as error:
            return Refused(reason=f"attachment: {error}", action=Action.GIVE_UP)
        found = sniff(content)
        mime = attachment.mime if found == UNKNOWN and attachment.mime else found
        outcome: Uploaded | Refused = _unfit(content)
        for kind in _kinds(attachment, content, mime):
            outcome = self._as(kind, attachment, content, mime, anew=anew)
            if isinstance(outcome, Uploaded) or outcome.code not in OF_ANOTHER_KIND:
                break
        return outcome

    def _as(
        self, kind: str, attachment: Attachment, content: bytes, mime: str, *, anew: bool
    ) -> Uploaded | Refused:
        filename = ascii_name(attachment, "" if kind == "file" else mime)
        named = hashlib.sha256(f"{filename}\n".encode() + content).hexdigest()
        name = f"wecom:{self._corp_id}:media:{kind}:{named}"
        known = None if anew else self._services.growth.read(name)
        if known is not None:
            return Uploaded(kind=kind, media_id=known.text)
        return self._uploaded(name, kind, filename, content, mime)

    def _uploaded(self, name: str, kind: str, filename: str, content: bytes, mime: str) -> Uploaded | Refused:
        body, content_type = multipart("media", content, filename=filename, mime=mime or UNKNOWN, with_length=True)
        result = self._api.upload("/cgi-bin/media/upload", body, content_type, type=kind)
        if isinstance(result, Unknown):
            return Refused(reason=f"upload: {result.reason}", action=Action.RETRY)
        if isinstance(result, Refused):
            return result
        media_id = text(result, "media_id")
        if not media_id:
            return Refused(reason="upload: WeCom's answer holds no media_id", action=Action.RETRY)
        growth = self._services.growth
        if not growth.grow(name, media_id):
            growth.open(name, media_id)
        return Uploaded(kind=kind, media_id=media_id)


def _kinds(attachment: Attachment, content: bytes, mime: str) -> Iterator[str]:
    """The types to send it as: its own where WeCom takes it so, then a plain file."""
    for kind in dict.fromkeys((_PREFERRED.get(attachment.kind, "file"), "file")):
        form = FORMS[kind]
        if SMALLEST <= len(content) <= form.most and (not form.mimes or mime in form.mimes):
            yield kind


def _unfit(content: bytes) -> Refused:
    limits = f"{SMALLEST} bytes to {FORMS['file'].most // MEGABYTE} MB"
    reason = f"45001: the attachment has {len(content)} bytes, not {limits}"
    return Refused(reason=reason, action=Action.GIVE_UP, code="45001")


def ascii_name(attachment: Attachment, mime: str = "") -> str:
    """Whether WeCom reads other names is unconfirmed (WeCom sheet §7); never with a quote or a line break. With
    *mime* the name ends as such files do."""
    path = PurePosixPath(attachment.name or attachment.file)
    suffix = _ENDINGS.get(mime) or PurePosixPath(attachment.file).suffix or path.suffix
    stem = re.sub(r"[^A-Za-z0-9._ -]+", "_", path.name.removesuffix(path.suffix)).strip("_. ")
    return f"{stem[:60] or 'file'}{re.sub(r'[^A-Za-z0-9.]', '', suffix)[:10]}"
