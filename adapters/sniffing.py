"""What bytes are, by their first ones: a name and a Content-Type are only what somebody says.

Magic numbers as in the WHATWG MIME Sniffing Standard and in the formats' own specifications. Formats that people
send to a shop, not all there are.
"""

import json
from collections.abc import Mapping

UNKNOWN = "application/octet-stream"

_STARTS: Mapping[bytes, str] = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
    b"\xff\xf1": "audio/aac",
    b"\xff\xf9": "audio/aac",
    b"#!AMR": "audio/amr",
    b"fLaC": "audio/flac",
    b"#!SILK_V3": "audio/silk",
    b"\x02#!SILK_V3": "audio/silk",
    b"\x1a\x45\xdf\xa3": "video/webm",
    b"%PDF-": "application/pdf",
    b"{\\rtf": "application/rtf",
    b"\x1f\x8b": "application/gzip",
    b"7z\xbc\xaf\x27\x1c": "application/x-7z-compressed",
    b"Rar!\x1a\x07": "application/vnd.rar",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "application/x-ole-storage",  # .doc, .xls, .ppt
}
_RIFF: Mapping[bytes, str] = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS: Mapping[bytes, str] = {  # the major brand of an ISO base media file
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"avif": "image/avif",
}
_OFFICE: Mapping[bytes, str] = {
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    b"ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_CONTAINERS = frozenset({"audio", "video"})
"""Ogg, MP4 and WebM hold sound as well as pictures: which, only a decoder knows."""
_ANSWERS = frozenset({"application/json", "text/html"})
_LONGEST_JSON = 1024 * 1024


def sniff(content: bytes) -> str:
    """The MIME type of *content*, lower-case and without parameters; `application/octet-stream` where it is none
    of those known here."""
    found = next((mime for start, mime in _STARTS.items() if content.startswith(start)), "")
    return found or _boxed(content) or _zipped(content) or _mpeg(content) or _text(content)


def plausible(claimed: str, found: str) -> bool:
    """Whether bytes that are *found* can be what a platform calls *claimed*: the same family for pictures and
    sounds; for anything else, not a server's own answer (its JSON, an edge's page) in the file's place."""
    family, found_family = claimed.lower().partition("/")[0], found.partition("/")[0]
    if family in _CONTAINERS:
        return found_family in _CONTAINERS
    if family == "image":
        return found_family == "image"
    return found not in _ANSWERS or claimed.lower().partition(";")[0].strip() == found


def _boxed(content: bytes) -> str:
    if content[:4] == b"RIFF":
        return _RIFF.get(content[8:12], "")
    if content[4:8] != b"ftyp":
        return ""
    brand = content[8:12]
    return "video/3gpp" if brand.startswith(b"3g") else _BRANDS.get(brand, "video/mp4")


def _zipped(content: bytes) -> str:
    if not content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ""
    if b"[Content_Types].xml" in content:
        return next((mime for folder, mime in _OFFICE.items() if folder in content), "application/zip")
    return "application/zip"


def _mpeg(content: bytes) -> str:
    """An MPEG audio frame, layer III: eleven set bits, then the version and the layer."""
    return "audio/mpeg" if content[:1] == b"\xff" and content[1:2] in (b"\xfa", b"\xfb", b"\xf2", b"\xf3") else ""


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return UNKNOWN
    if not text or "\x00" in text:
        return UNKNOWN
    head = text[:256].lstrip().lower()
    if head.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "text/html"
    return "application/json" if head.startswith(("{", "[")) and _is_json(text) else "text/plain"


def _is_json(text: str) -> bool:
    if len(text) > _LONGEST_JSON:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
