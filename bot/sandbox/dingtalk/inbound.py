"""What people send to a robot, as its `content` (§1.3): every type, each with an example."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox.simulator.media import PNG

AMR = b"#!AMR\n" + bytes(32)
PDF = b"%PDF-1.4\n%an example\n%%EOF\n"
MP4 = bytes(4) + b"ftypisom" + bytes(64)

FILES: Mapping[str, tuple[bytes, str, str]] = {
    "picture": (PNG, "image/png", "photo.png"),
    "richText": (PNG, "image/png", "photo.png"),
    "audio": (AMR, "audio/amr", "voice.amr"),
    "video": (MP4, "video/mp4", "clip.mp4"),
    "file": (PDF, "application/pdf", "invoice.pdf"),
}

KINDS: Mapping[str, Mapping[str, Any]] = {
    "picture": {},
    "richText": {"text": "这个坏了"},
    "audio": {"recognition": "我的包裹在哪里", "duration": 4000},
    "video": {"duration": 4000},
    "file": {"fileName": "invoice.pdf"},
    "quoted": {"text": "这个呢", "quoted": "我们明天发货"},
    "chatRecord": {"summary": "张三: 你好", "title": "聊天记录"},
    "interactiveCard": {},
    "unknownMsgType": {},
    "quota": {},
}
"""What people can send besides text, with the fields of an example. `quota` is a frame without words (20001)."""
GROUPS_LACK = frozenset({"audio", "file", "video", "picture"})
"""Never delivered from groups; a picture comes as richText there (§1.3)."""


def content(kind: str, code: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The body's own members; *code* is the download code of its file."""
    return BUILDERS[kind](code, given)


def _quoted(_: str, given: Mapping[str, Any]) -> dict[str, Any]:
    replied = {"msgType": "text", "msgId": "msgQuoted==", "senderId": "", "content": {"text": given["quoted"]}}
    text = {"content": given["text"], "isReplyMsg": True, "repliedMsg": replied}
    return {"msgtype": "text", "text": text, "originalMsgId": "msgQuoted=="}


def _rich(code: str, given: Mapping[str, Any]) -> dict[str, Any]:
    items = [
        {"text": given["text"]},
        {"text": "\n"},
        {"type": "picture", "downloadCode": code, "pictureDownloadCode": code},
    ]
    return {"msgtype": "richText", "content": {"richText": items}}


def _file(code: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"downloadCode": code, "fileName": given["fileName"], "fileId": "f1", "spaceId": "s1"}


def _of(kind: str, make: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    return lambda code, given: {"msgtype": kind, "content": make(code, given)}


BUILDERS: Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
    "picture": _of("picture", lambda code, _: {"downloadCode": code, "pictureDownloadCode": code}),
    "richText": _rich,
    "audio": _of("audio", lambda code, given: {"downloadCode": code, **{k: v for k, v in given.items() if v}}),
    "video": _of("video", lambda code, given: {"downloadCode": code, "videoType": "mp4", **given}),
    "file": _of("file", _file),
    "quoted": _quoted,
    "chatRecord": _of("chatRecord", lambda _, given: dict(given)),
    "interactiveCard": _of("interactiveCard", lambda *_: {"biz_custom_action_url": "https://example.com/card"}),
    "unknownMsgType": _of("unknownMsgType", lambda *_: {"unknownMsgType": "unknownMsgType"}),
    "quota": lambda *_: {"msgtype": "text", "errorCode": 20001, "errorMessage": "本月消息数已用完"},
}
