"""What the control interface can turn and do on single platforms beyond their common settings.

Switches are attributes of a platform and of its parts, by dotted names; acts are methods of people and of the
platform itself.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

SWITCHES: Mapping[str, type] = {
    "mischief.late": timedelta,
    "habits.early": bool,
    "habits.skips": bool,
    "habits.fails": int,
    "media.hidden_type": str,
    "media.slow": timedelta,
    "second_app": str,
    "token_life": timedelta,
    "access.several": bool,
    "access.latency": timedelta,
    "access.trusted_ip": bool,
    "appchats.root_visible": bool,
    "poll_every": timedelta,
    "socket.late": timedelta,
    "socket.ping_within": timedelta,
    "socket.silent": bool,
    "tokens.legacy_apart": bool,
    "skew": timedelta,
    "custom_keyword": str,
    "quotas.api_calls": int,
    "quotas.webhook_messages": int,
    "quotas.punished": bool,
    "quotas.missing_scope": str,
    "cards.fails_delivery": bool,
    "cards.busy_finals": int,
    "sends.quoted_codes": bool,
    "media.private_redirect": bool,
    "gateway.again_after": timedelta,
}
"""Dotted attributes of platforms; times are seconds."""

ACTS = (
    *("echo", "hand_over", "standby", "report"),  # WhatsApp
    "garbage",  # WeCom, all three
    *("take_over", "end_session"),  # WeCom customer service
    "socket.cut",  # WeCom AI bot
    *("event", "gateway.cut", "gateway.ping", "gateway.disconnect"),  # DingTalk
)
"""Methods of platforms, with their arguments."""


class NoSuch(Exception):
    """The platform has no such switch or act, or the value is of another type; the text says so."""


def switches(platform: object) -> dict[str, Any]:
    """Those that *platform* has, and their values as JSON."""
    held = {name: _find(platform, name) for name in SWITCHES}
    return {name: _plain(getattr(found[0], found[1])) for name, found in held.items() if found}


def turn(platform: object, values: Mapping[str, Any]) -> None:
    """Sets all of *values*, or none."""
    found = [(_found(platform, name), _typed(name, value)) for name, value in values.items()]
    for (holder, attribute), value in found:
        setattr(holder, attribute, value)


def act(platform: object, name: str) -> Callable[..., Any]:
    """The method that *name* stands for."""
    found = _find(platform, name) if name in ACTS else None
    if found is None:
        raise NoSuch(f"acts are {', '.join(each for each in ACTS if _find(platform, each)) or 'none here'}")
    return getattr(*found)  # type: ignore[no-any-return]


def _find(platform: object, name: str) -> tuple[object, str] | None:
    """Who holds the attribute, and its last name."""
    *path, last = name.split(".")
    holder: object = platform
    for step in path:
        holder = getattr(holder, step, None)
    return (holder, last) if hasattr(holder, last) else None


def _found(platform: object, name: str) -> tuple[object, str]:
    found = _find(platform, name) if name in SWITCHES else None
    if found is None:
        raise NoSuch(f"no switch {name} here; there are {', '.join(switches(platform))}")
    return found


def _typed(name: str, value: Any) -> Any:
    kind = SWITCHES[name]
    if kind is timedelta:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NoSuch(f"{name} must be seconds")
        return timedelta(seconds=value)
    if type(value) is not kind:
        raise NoSuch(f"{name} must be {kind.__name__}")
    return value


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value
