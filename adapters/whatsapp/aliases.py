"""Which user id belongs to a phone number: a conversation is keyed by the former, some events only name the latter.

Learned from what passes by (sheet §2.4). Where it is not known, the phone number itself is the key, as it is for a
customer who never showed a user id.
"""

from adapters.aliases import Aliases, MemoryAliases


class People:
    """What this process has seen, in front of what all processes know. Thread-safe."""

    def __init__(self, account: str, shared: Aliases) -> None:
        self._account = account
        self._seen = MemoryAliases()
        self._told = MemoryAliases()
        self._shared = shared

    def see(self, phone: str, user_id: str) -> None:
        """For this process: a webhook is answered without a further question to the store."""
        if phone and user_id:
            self._seen.learn(phone, user_id)

    def tell(self, phone: str, user_id: str) -> None:
        """For all processes, once from each. May raise what the shared aliases raise."""
        if phone and user_id and self._told.find(phone) != user_id:
            self._shared.learn(f"whatsapp:{self._account}:{phone}", user_id)
            self._told.learn(phone, user_id)

    def user_id(self, phone: str) -> str:
        """ "" where none is known. May raise what the shared aliases raise."""
        if not phone:
            return ""
        return self._seen.find(phone) or self._shared.find(f"whatsapp:{self._account}:{phone}")

    def user_ids(self, phone: str) -> tuple[str, ...]:
        """All that *phone* stands for, the newest first: what just passed by here, and what all knew before. May
        raise what the shared aliases raise."""
        if not phone:
            return ()
        return tuple(filter(None, (self._seen.find(phone), self._shared.find(f"whatsapp:{self._account}:{phone}"))))
