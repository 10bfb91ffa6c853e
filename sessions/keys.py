"""The names of everything in Redis, in one place.

Every key carries its shard as a hash tag (`fd:{3}:ready`), so that all keys of one script lie in one slot of a
Redis Cluster. A conversation's shard never changes, as long as *shards* does not; change it only when every
mailbox is empty.
"""

from binascii import crc32
from dataclasses import dataclass

from adapters.values import ConversationId

GROUP = "workers"
"""The consumer group of every ready stream; the scripts' prelude names it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The keys of one shard.

    seen:<message>              string   this platform message was accepted (expires after the dedupe horizon)
    mail:<conversation>         list     accepted, not yet settled messages, in accept order
    turn:<conversation>         hash     the ticket, the lease's fence, the pinned size, the committed reply
    conversation:<conversation> list     the session id, then the history (expires with the session)
    recent:<conversation>       zset     digests of the texts sent lately, by time in ms (expires; outlives `/new`)
    ready                       stream   tickets; the pending entries of group `workers` are the leases
    later                       zset     tickets that wait, by due time in ms
    dead                        stream   parked turns
    journal                     stream   one entry a turn
    observed:<part>             string   the platform spoke of this part (expires after a day)
    token:<name>, gate:<name>   string   a platform's access token, and who is fetching it
    """

    number: int

    def _named(self, *parts: str) -> str:
        return ":".join((f"fd:{{{self.number}}}", *parts))

    def seen(self, message: str) -> str:
        return self._named("seen", message)

    def mail(self, conversation: str) -> str:
        return self._named("mail", conversation)

    def turn(self, conversation: str) -> str:
        return self._named("turn", conversation)

    def conversation(self, conversation: str) -> str:
        return self._named("conversation", conversation)

    def recent(self, conversation: str) -> str:
        return self._named("recent", conversation)

    @property
    def ready(self) -> str:
        return self._named("ready")

    @property
    def later(self) -> str:
        return self._named("later")

    @property
    def dead(self) -> str:
        return self._named("dead")

    @property
    def journal(self) -> str:
        return self._named("journal")

    def observed(self, part: str) -> str:
        return self._named("observed", part)

    def token(self, name: str) -> str:
        return self._named("token", name)

    def gate(self, name: str) -> str:
        return self._named("gate", name)


class Keys:
    """Finds the shard of a name: `crc32(name) % shards`."""

    def __init__(self, shards: int) -> None:
        if shards < 1:
            raise ValueError(f"{shards} shards: at least one is needed")
        self.shards = tuple(Shard(number=number) for number in range(shards))

    def of(self, name: str) -> Shard:
        return self.shards[crc32(name.encode()) % len(self.shards)]

    def home(self, conversation: ConversationId) -> Shard:
        return self.of(conversation.key)
