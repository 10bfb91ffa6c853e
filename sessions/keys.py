"""The names of everything in Redis, in one place.

Every key carries its shard as a hash tag (`fd:{3}:ready`), so that all keys of one script (but for
`scripts.SPANNING`) lie in one slot of a Redis Cluster. A conversation's shard never changes, as long as *shards*
does not; change it only when every mailbox is empty.
"""

from binascii import crc32
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

from adapters.values import LONGEST_ID, ConversationId

GROUP = "workers"
"""The consumer group of every ready stream; the scripts' prelude names it too."""


_REMINDER = "reminder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderId:
    """Names a scheduled message: *name* is unique within its conversation. Raises ValueError for an empty or
    over-long name."""

    conversation: ConversationId
    name: str

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= LONGEST_ID:
            raise ValueError(f"a reminder's name has {len(self.name)} characters, not 1 to {LONGEST_ID}")

    @property
    def member(self) -> str:
        """In `later`, where no conversation's key has a slash."""
        return f"{_REMINDER}/{self.conversation.key}/{quote(self.name, safe='')}"

    @classmethod
    def of(cls, member: str) -> Self | None:
        """None for a ticket's member."""
        kind, _, rest = member.partition("/")
        conversation, _, name = rest.partition("/")
        return cls(conversation=ConversationId.of(conversation), name=unquote(name)) if kind == _REMINDER else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The keys of one shard.

    seen:<message>              string   this platform message was accepted (expires after the dedupe horizon);
                                         seen:<reminder>: it came or was called off (expires after a day)
    mail:<conversation>         list     accepted, not yet settled messages, in accept order
    turn:<conversation>         hash     the ticket, the lease's fence, the pinned size, the committed reply
    conversation:<conversation> list     the session id, then the history (expires with the session)
    recent:<conversation>       zset     digests of the texts sent lately, by time in ms (expires; outlives `/new`)
    ready                       stream   tickets; the pending entries of group `workers` are the leases
    later                       zset     what waits, by due time in ms: a ticket is its conversation, a reminder
                                         `reminder/<conversation>/<name>`
    reminders                   hash     the message of each reminder in `later`
    dead                        stream   parked turns
    journal                     stream   one entry a turn
    observed:<part>             string   the platform spoke of this part (expires after a day)
    status:<digest>             string   how far a message of ours got, twice, plus one if it was priced (8 days)
    pause:<conversation>        string   a human owns the conversation (expires)
    bookmark:<name>             string   where the next page of a platform that is asked begins
    token:<name>, gate:<name>   string   a platform's access token, and who is fetching it
    bucket:<name>               string   when a token bucket is full again, in microseconds (expires then); all of
                                         them, and the alarms, are in the first shard
    alarms                      hash     what is known of each channel that cannot send
    meter:<channel>:<month>     hash     counts (expires after 400 days)
    growth:<name>               hash     an answer that is being written (expires an hour after it was begun)
    alias:<name>                string   who is meant by it (expires after 90 days)
    leader:<name>               string   who does what only one process may do (expires with its lease)
    connected:<channel>         string   a process holds the channel's connection (expires after 5 s)
    errands:<channel>           list     what it is asked to say (expires with the last errand)
    answers:<process>           list     what it was answered (expires after a minute)
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
    def reminders(self) -> str:
        return self._named("reminders")

    @property
    def dead(self) -> str:
        return self._named("dead")

    @property
    def journal(self) -> str:
        return self._named("journal")

    def observed(self, part: str) -> str:
        return self._named("observed", part)

    def status(self, digest: str) -> str:
        return self._named("status", digest)

    def pause(self, conversation: str) -> str:
        return self._named("pause", conversation)

    def bookmark(self, name: str) -> str:
        return self._named("bookmark", name)

    def token(self, name: str) -> str:
        return self._named("token", name)

    def gate(self, name: str) -> str:
        return self._named("gate", name)

    def bucket(self, name: str) -> str:
        return self._named("bucket", name)

    @property
    def alarms(self) -> str:
        return self._named("alarms")

    def meter(self, channel: str, month: str) -> str:
        return self._named("meter", quote(channel, safe=""), month)

    def growth(self, name: str) -> str:
        return self._named("growth", name)

    def alias(self, name: str) -> str:
        return self._named("alias", name)

    def leader(self, name: str) -> str:
        return self._named("leader", name)

    def connected(self, channel: str) -> str:
        return self._named("connected", channel)

    def errands(self, channel: str) -> str:
        return self._named("errands", channel)

    def answers(self, process: str) -> str:
        return self._named("answers", process)


class Keys:
    """Finds the shard of a name: `crc32(name) % shards`."""

    def __init__(self, shards: int) -> None:
        if shards < 1:
            raise ValueError(f"{shards} shards: at least one is needed")
        self.shards = tuple(Shard(number=number) for number in range(shards))

    @property
    def first(self) -> Shard:
        """Where lies what is looked at together, whatever its names."""
        return self.shards[0]

    def of(self, name: str) -> Shard:
        return self.shards[crc32(name.encode()) % len(self.shards)]

    def home(self, conversation: ConversationId) -> Shard:
        return self.of(conversation.key)
