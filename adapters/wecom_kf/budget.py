"""Five messages after each of the customer's: how many of them are spent (WeCom sheet §5.3).

The platform counts as well, and its word is final; this count saves the calls, and keeps the operator from reading
of a message as sent that a `msg_send_fail` takes back a moment later.
"""

from adapters.growth import Growth
from adapters.values import Action, Refused, Reply
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
