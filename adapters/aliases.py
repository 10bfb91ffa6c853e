"""Who is meant by a name that a platform uses beside the one that a conversation is keyed by.

WhatsApp keys people by a user id, but some of its events name a phone number alone (WhatsApp sheet §2.4).
"""

import threading
from collections import OrderedDict
from typing import Protocol

REMEMBERED = 50_000


class Aliases(Protocol):
    """Implemented in Redis (shared, kept for some months) and in memory (the twin)."""

    def learn(self, alias: str, name: str) -> None:
        """From now on *alias* means *name*. An *alias* is unique among all channels."""
        ...

    def find(self, alias: str) -> str:
        """What *alias* means; "" if nobody ever said."""
        ...


class MemoryAliases:
    """The twin, for one process. Bounded: what was learned longest ago is forgotten first."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()

    def learn(self, alias: str, name: str) -> None:
        with self._guard:
            self._names[alias] = name
            self._names.move_to_end(alias)
            if len(self._names) > REMEMBERED:
                self._names.popitem(last=False)

    def find(self, alias: str) -> str:
        with self._guard:
            return self._names.get(alias, "")
