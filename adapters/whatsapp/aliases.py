"""Which user id belongs to a phone number: a conversation is keyed by the former, some events only name the latter.

Learned from what passes by (sheet §2.4), in this process only. Where it is not known, the phone number itself is
the key, as it is for a customer who never showed a user id.
"""

import threading
from collections import OrderedDict

REMEMBERED = 50_000


class Aliases:
    """Thread-safe and bounded: the one seen longest ago is forgotten first."""

    def __init__(self) -> None:
        self._user_ids: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()

    def learn(self, phone: str, user_id: str) -> None:
        if not phone or not user_id:
            return
        with self._guard:
            self._user_ids[phone] = user_id
            self._user_ids.move_to_end(phone)
            if len(self._user_ids) > REMEMBERED:
                self._user_ids.popitem(last=False)

    def user_id(self, phone: str) -> str:
        """ "" where none is known."""
        with self._guard:
            return self._user_ids.get(phone, "")
