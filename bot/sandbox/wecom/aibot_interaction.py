"""One member's message to an AI bot, and the stream that answers it (§4.4)."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Interaction:
    """One member's message and the stream that answers it."""

    user: str
    place: str
    message_id: str
    began: datetime
    stream: str = ""
    shown: str = ""
    finished: bool = False
    carded: Any = None
    polls: int = 0
    replaced: int = 0
    """How often the text became another instead of growing."""
    done: threading.Event = field(default_factory=threading.Event)
