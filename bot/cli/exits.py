"""How a command ends: every exit code has a name here, and `frontdesk --help` lists them.

The numbers from 64 on are those of BSD's sysexits.h, which service managers know.
"""

OK = 0
"""Done; for `run`, `web` and `worker`: stopped because a signal asked for it."""

FAILED = 1
"""`check` found something that does not hold, or the command could not do all that was asked."""

USAGE = 2
"""The command line itself is wrong (click's own code)."""

UNAVAILABLE = 69
"""Something that the command needs is not there: a port is taken, Redis does not answer, vLLM is not installed."""

CONFIG = 78
"""The configuration is wrong; every problem was printed, each with its next step."""

INTERRUPTED = 130
"""A second signal came, and the command left at once."""

MEANINGS = {
    OK: "done, or stopped as asked",
    FAILED: "a check failed, or not all that was asked could be done",
    USAGE: "the command line is wrong",
    UNAVAILABLE: "a port is taken, Redis or a server is not there, something is not installed",
    CONFIG: "the configuration is wrong (every problem is printed)",
    INTERRUPTED: "a second signal: left at once",
}
