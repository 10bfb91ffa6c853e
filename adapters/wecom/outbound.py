"""One part of a reply as a message of the self-built app (WeCom sheet §3.3)."""

from collections.abc import Mapping
from datetime import timedelta

from adapters.markdown import PLAIN
from adapters.shared import Bucket
from adapters.text import Limit, split, utf8_bytes
from adapters.values import Attachment, Part, Reply
from adapters.wecom.cards import card
from adapters.wecom.media import Uploaded

DUPLICATE_CHECK = timedelta(seconds=1800)
"""How long the platform swallows an identical request body when it is asked to."""
_TITLE = Limit(size=128, measure=utf8_bytes)


class Outbound:
    """Shapes what one app says."""

    def __init__(self, *, agent_id: int, markdown: bool) -> None:
        self._agent_id = agent_id
        self._markdown = markdown

    def message(self, reply: Reply, index: int, uploaded: Uploaded | None) -> Mapping[str, object]:
        """The whole request, the same for the same part. Words that are repeated on purpose go without the
        duplicate check."""
        part = reply.parts[index]
        kind, content = self._content(part, reply.part_key(index), uploaded)
        return {
            "touser": reply.conversation.peer,
            "msgtype": kind,
            "agentid": self._agent_id,
            kind: content,
            "enable_duplicate_check": 0 if part.repeated else 1,
            "duplicate_check_interval": int(DUPLICATE_CHECK.total_seconds()),
        }

    def _content(self, part: Part, part_key: str, uploaded: Uploaded | None) -> tuple[str, Mapping[str, object]]:
        if uploaded is not None:
            return uploaded.kind, {"media_id": uploaded.media_id}
        if part.attachment is not None:
            return _linked(part.attachment)
        if part.choices:
            words = PLAIN.render(part.text) if self._markdown else part.text
            return "template_card", card(words, part.choices, part_key=part_key)
        return "markdown" if self._markdown else "text", {"content": part.text}

    def card_update(self, member: str, response_code: str, words: str) -> Mapping[str, object]:
        """Spends a card's button later than in the tap's own exchange; here the receivers are a list."""
        return {
            "userids": [member],
            "agentid": self._agent_id,
            "response_code": response_code,
            "button": {"replace_name": words},
        }


def _linked(attachment: Attachment) -> tuple[str, Mapping[str, object]]:
    """A file that lies on the web: a picture is shown, anything else is a card that leads there."""
    title = split(attachment.name or attachment.url, _TITLE)[0]
    if attachment.kind == "image":
        article = {"title": title, "url": attachment.url, "picurl": attachment.url}
        return "news", {"articles": [article]}
    return "textcard", {"title": title, "description": title, "url": attachment.url}


def pace(account: str, agent_id: int, member: str) -> Bucket:
    """What is over 30 messages a minute or 1,000 an hour to one member is dropped with errcode 0 (D/90454). In any
    minute at most the burst and what comes back meanwhile can pass, 20 and 10; in any hour 20 and 600."""
    name = f"wecom:{account}:{agent_id}:{member.casefold()}"
    return Bucket(name=name, every=timedelta(seconds=6), burst=20)
