"""Five messages after each of the customer's: how many of them are spent (WeCom sheet §5.3).

The platform counts as well, and its word is final; this count saves the calls, and keeps the operator from reading
of a message as sent that a `msg_send_fail` takes back a moment later.
"""

from collections.abc import Sequence
from dataclasses import replace

from adapters.growth import Growth
from adapters.text import Limit, split
from adapters.values import Action, Part, Refused, Reply
from adapters.wecom_kf.events import message_id

MOST = 5
MOST_OF_A_REPLY = 4
"""One is kept back: for the words with which a conversation is given to a human, or a reminder."""
SPENT = Refused(
    reason="95001: 5 messages since the customer's last; wait until the customer writes",
    action=Action.WINDOW,
    code="95001",
)


class Budget:
    """The messages that were said since the customer's last, by their ids: a part that is sent again counts once. A
    conversation has one turn at a time, so nobody else counts meanwhile."""

    def __init__(self, growth: Growth, open_kfid: str) -> None:
        self._growth = growth
        self._open_kfid = open_kfid

    def allows(self, reply: Reply, index: int) -> bool:
        said = self._said(reply)
        return message_id(reply.part_key(index)) in said or len(said) < MOST

    def spend(self, reply: Reply, index: int) -> None:
        said = self._said(reply) | {message_id(reply.part_key(index))}
        self._growth.grow(self._name(reply), " ".join(sorted(said)))

    def _said(self, reply: Reply) -> frozenset[str]:
        return frozenset(self._growth.open(self._name(reply)).text.split())

    def _name(self, reply: Reply) -> str:
        last = reply.route.get("last", "")
        return f"wecom-kf:{self._open_kfid}:said:{reply.conversation.key}:{last}"


def within(parts: Sequence[Part], most: int, limit: Limit) -> tuple[Part, ...]:
    """*parts*, or *most* of them: a long text is cut, visibly, before a file or a question is left out. The
    platform would refuse what is over altogether."""
    if len(parts) <= most:
        return tuple(parts)
    special = [place for place, part in enumerate(parts) if part.attachment or part.choices][: most - 1]
    texts = [place for place, part in enumerate(parts) if not (part.attachment or part.choices)]
    kept = texts[: most - len(special)]
    shown = {place: parts[place] for place in (*special, *kept)}
    if kept and len(kept) < len(texts):
        shown[kept[-1]] = replace(parts[kept[-1]], text=_cut(parts[kept[-1]].text, limit))
    return tuple(shown[place] for place in sorted(shown))


def _cut(text: str, limit: Limit) -> str:
    ellipsis = " …"
    room = Limit(size=limit.size - limit.measure(ellipsis), measure=limit.measure)
    return split(text, room)[0] + ellipsis
