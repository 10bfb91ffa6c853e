"""One part of a reply as a message of customer service (WeCom sheet §5.3)."""

from collections.abc import Mapping

from adapters.surface import Menu
from adapters.text import Limit, utf8_bytes
from adapters.values import Choice, Part, Reply
from adapters.wecom.media import Uploaded
from adapters.wecom_kf.events import message_id

MENU = Menu(most=10, title=Limit(size=128, measure=utf8_bytes), body=Limit(size=1024, measure=utf8_bytes))
_LONGEST_ID = 64


def message(reply: Reply, index: int, uploaded: Uploaded | None, *, open_kfid: str) -> Mapping[str, object]:
    """The whole request, the same for the same part: `msgid` keeps it from being shown twice."""
    kind, content = _content(reply.parts[index], uploaded)
    return {
        "touser": reply.conversation.peer,
        "open_kfid": open_kfid,
        "msgid": message_id(reply.part_key(index)),
        "msgtype": kind,
        kind: content,
    }


def _content(part: Part, uploaded: Uploaded | None) -> tuple[str, Mapping[str, object]]:
    if uploaded is not None:
        return uploaded.kind, {"media_id": uploaded.media_id}
    if part.attachment is not None:
        name, url = part.attachment.name, part.attachment.url
        return "text", {"content": f"{name}\n{url}" if name else url}
    if part.choices:
        lines = [
            {"type": "click", "click": {"id": _id(choice, number), "content": choice.title}}
            for number, choice in enumerate(part.choices, 1)
        ]
        return "msgmenu", {"head_content": part.text, "list": lines}
    return "text", {"content": part.text}


def _id(choice: Choice, number: int) -> str:
    """What a tap brings back beside the title."""
    return choice.id if 0 < utf8_bytes(choice.id) <= _LONGEST_ID else str(number)
