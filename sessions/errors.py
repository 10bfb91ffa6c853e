"""What can go wrong with our state.

SessionError
├── StoreDown      Redis did not answer, or not in time: nothing may be assumed, ask again later (503 at the edge)
├── LeaseLost      another worker holds this turn now: do nothing more, no commit, no send
├── HumanOwns      a human took the conversation while its turn ran: say nothing
├── UnsafeStore    this Redis may lose data (eviction, no append-only file, too old): refused at start
└── NoServer       no redis-server or valkey-server is to be found for the embedded default
"""


class SessionError(Exception):
    """The root of this package's errors."""


class StoreDown(SessionError):
    """Redis did not answer in time."""


class LeaseLost(SessionError):
    """The turn's lease is no longer ours."""


class HumanOwns(SessionError):
    """A human took the conversation over: the reply was not stored, and is not to be sent."""


class UnsafeStore(SessionError):
    """This Redis may lose accepted messages."""


class NoServer(SessionError):
    """The embedded default needs a server binary, and none was found."""
