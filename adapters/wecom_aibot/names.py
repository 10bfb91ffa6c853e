"""What is kept between the processes, by name. All of it lives an hour (:data:`adapters.growth.KEPT`)."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one channel."""

    channel: str

    def answer(self, stream_id: str) -> str:
        """The answer that grows."""
        return f"{self.channel}:aibot:{stream_id}"

    def asked(self, stream_id: str) -> str:
        """When the platform asked for that answer last."""
        return f"{self.channel}:aibot-asked:{stream_id}"

    def used(self, url: str) -> str:
        """Which reply uses a response_url, without the address itself."""
        return f"{self.channel}:aibot-url:{hashlib.sha256(url.encode()).hexdigest()[:32]}"

    def pushed(self, key: str) -> str:
        """How often a part was pushed over the long connection."""
        return f"{self.channel}:aibot-push:{key}"
