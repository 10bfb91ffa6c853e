"""The notice that customer service has something to fetch (WeCom sheet §5.1)."""

import hashlib
from datetime import datetime
from xml.etree.ElementTree import Element

from adapters.values import NOTICE, ConversationId, Message

KF_EVENT = "kf_msg_or_event"
NOTICES = "~notices"
"""The peer of the conversation that an account's notices come in."""


def notice(inner: str, root: Element, *, channel: str, account: str, at: datetime) -> Message:
    """*inner* is the decrypted XML, *root* what is read of it. The same notice, told again, has the same id; its
    token is good for ten minutes."""
    digest = hashlib.sha256(inner.encode()).hexdigest()[:40]
    token = root.findtext("Token", "")
    return Message(
        id=f"notice:{digest}",
        conversation=ConversationId(channel=channel, account=account, peer=NOTICES),
        sender=NOTICES,
        text="",
        sent_at=at,
        kind=NOTICE,
        route={"token": token} if token else {},
    )
