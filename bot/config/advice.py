"""What no single value can show: tables that contradict each other, secrets that are empty or short, plain http."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, SecretStr

from adapters.channel import ChannelSettings
from bot.config.sections import Assistant, from_json, is_private
from bot.config.tools import tool_advice, tool_problems

SHORT = 8
"""Characters under which a secret can be guessed by trying."""


def contradictions(values: Mapping[str, Any], platforms: Mapping[str, type[ChannelSettings]]) -> list[str]:
    """Problems of the raw *values*, so that they are told together with those of single values."""
    assistants = values.get("assistants")
    known = sorted(assistants) if isinstance(assistants, dict) else []
    found: list[str] = []
    for name, channel in _tables(values.get("channels")):
        found += _stranger(f"channels.{name}.assistant", channel.get("assistant", "default"), "assistant", known)
        settings = platforms.get(str(channel.get("platform")))
        if settings is not None:
            found += _empty_secrets(f"channels.{name}", channel, settings)
            found += _open_roads(f"channels.{name}", channel, settings)
    known = sorted(name for name, _ in _tables(values.get("tools")))
    for name, assistant in _tables(assistants):
        for tool in _listed(assistant.get("tools")):
            found += _stranger(f"assistants.{name}.tools", tool, "tool", known)
    return found + list(tool_problems(values))


def _stranger(key: str, named: object, kind: str, known: list[str]) -> Iterator[str]:
    if isinstance(named, str) and named not in known:
        close = get_close_matches(named, known, n=1)
        use = f", or use one of {', '.join(known)}" if known else ""
        step = f"did you mean {close[0]}?" if close else f"add [{kind}s.<name>]{use}"
        article = "an" if kind[0] in "aeiou" else "a"
        yield f"{key}: names {article} {kind} that is not configured; {step}"


def _listed(value: Any) -> Iterator[object]:
    """The members of a list, which the environment gives as JSON."""
    try:
        value = from_json(value)
    except ValueError:
        return
    if isinstance(value, list | tuple):
        yield from value


def _empty_secrets(key: str, channel: Mapping[str, Any], settings: type[ChannelSettings]) -> Iterator[str]:
    """An empty secret verifies nobody, and a platform rejects an empty one."""
    for name, field in settings.model_fields.items():
        if field.annotation is SecretStr and field.is_required() and channel.get(name) == "":
            yield f"{key}.{name}: is empty; copy it from the platform's console"


def _open_roads(key: str, channel: Mapping[str, Any], settings: type[ChannelSettings]) -> Iterator[str]:
    """Every call to a platform carries a token: over plain http only to this machine or its private network."""
    for name in settings.model_fields:
        url = channel.get(name)
        if name.endswith(("_base", "_url")) and isinstance(url, str) and not is_private(url):
            plain, safe = ("ws", "wss") if url.startswith("ws:") else ("http", "https")
            yield f"{key}.{name}: would send the access token over plain {plain}; write {safe}://"


def _ignorant(assistants: Mapping[str, Assistant]) -> Iterator[str]:
    """Where there is no model, and no table either: only the example shop has one of its own."""
    for name, assistant in assistants.items():
        if assistant.faq is None and assistant.company_name != Assistant().company_name:
            yield f"assistants.{name}.faq: none either, so every question is handed over; name a CSV file"


def advice(config: Any) -> Iterator[str]:
    """What is allowed, but better said aloud at start."""
    public_url = config.server.public_url
    if public_url and not is_private(public_url):
        yield "server.public_url: is plain http; platforms call only https addresses"
    for name, assistant in config.assistants.items():
        if assistant.priority and not config.model.priority:
            yield f"assistants.{name}.priority: has no effect until model.priority is true"
    if config.redis.allow_volatile:
        yield "redis.allow_volatile: accepted messages may be lost when Redis stops"
    if config.redis.fsync == "everysec":
        yield "redis.fsync: a power cut may lose up to a second of accepted messages"
    if not config.model.replicas:
        yield "model.replicas: none, so the FAQ alone answers"
        yield from _ignorant(config.assistants)
    yield from tool_advice(config.tools)
    for name, channel in config.channels.items():
        for secret in _short_secrets(channel):
            yield f"channels.{name}.{secret}: has under {SHORT} characters and can be guessed; choose a longer one"


def _short_secrets(channel: BaseModel) -> Iterator[str]:
    for name in type(channel).model_fields:
        value = getattr(channel, name)
        if isinstance(value, SecretStr) and 0 < len(value.get_secret_value()) < SHORT:
            yield name


def _tables(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, dict):
        yield from ((name, each) for name, each in value.items() if isinstance(each, dict))
