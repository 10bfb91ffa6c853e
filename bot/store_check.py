"""Redis is looked at before it is trusted: at the start, or as soon as one that was down then answers."""

import os
import threading
import time

from bot.cli.exits import CONFIG
from bot.logs import log, log_crash
from sessions.errors import StoreDown, UnsafeStore
from sessions.store import RedisStore

LOOK_EVERY = 1.0
"""Seconds."""


def trust(store: RedisStore, *, allow_volatile: bool) -> None:
    """Raises :class:`~sessions.errors.UnsafeStore` if *store* may lose accepted messages. One that is down now is
    looked at later; if it is unsafe then, this process ends, and its next start meets the refusal."""
    try:
        _look(store, allow_volatile)
    except StoreDown as error:
        log("store_down", level="warning", where="start", reason=str(error))
        threading.Thread(target=_look_later, args=(store, allow_volatile), name="store-check", daemon=True).start()


def _look(store: RedisStore, allow_volatile: bool) -> None:
    for warning in store.check_durable(allow_volatile=allow_volatile):
        log("redis_warning", level="warning", reason=warning)


def _look_later(store: RedisStore, allow_volatile: bool) -> None:
    while True:
        time.sleep(LOOK_EVERY)
        try:
            return _look(store, allow_volatile)
        except StoreDown:
            continue
        except UnsafeStore as error:
            log_crash("redis_unsafe", error)
            os._exit(CONFIG)
