"""What can go wrong at a platform's edge.

AdapterError
├── Unverified      the request is not the platform's: 401 with a fixed body, nothing else happens
├── Malformed       verified, but not readable: 400 with a fixed body
├── Unsupported     a feature that this channel does not have, by name
├── MediaLost       what a customer attached cannot be fetched: expired, too large, or not what it claims to be
└── NotKept         the desk could not make an event safe now: do not acknowledge it, so that it comes again

The text of an error is for the operator's log; it never reaches the caller and never holds a message's words.
A failed send is not an error but an :data:`~adapters.values.Outcome`.
"""


class AdapterError(Exception):
    """The root of this package's errors."""


class Unverified(AdapterError):
    """The request carries no valid proof that it comes from the platform. *status* is the HTTP answer's, where a
    platform's own documents name another than 401."""

    def __init__(self, text: str, *, status: int = 401) -> None:
        super().__init__(text)
        self.status = status


class Malformed(AdapterError):
    """The request is the platform's, but its body cannot be read."""


class Unsupported(AdapterError):
    """The channel does not have this feature."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"this channel does not support {feature}")
        self.feature = feature


class MediaLost(AdapterError):
    """An attachment cannot be had, now or ever. The text says why, and names nobody."""


class NotKept(AdapterError):
    """The events of a long connection were not accepted: no acknowledgement may go out."""
