"""The configuration: one TOML file, any value also from the environment, all problems reported at once.

`FRONTDESK__CHANNELS__SHOP__ACCESS_TOKEN` is `access_token` of `[channels.shop]`; the environment wins. Any string
may be `env:NAME` or `file:/path`. `frontdesk.example.toml` explains every key.
"""

import os
from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, PrivateAttr, SerializeAsAny, Tag, ValidationError, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from adapters.channel import ChannelSettings
from bot.config.advice import advice, contradictions
from bot.config.errors import ConfigError
from bot.config.problems import Explainer, Platforms
from bot.config.sections import (
    Assistant,
    Log,
    Model,
    Name,
    Redis,
    Serve,
    Server,
    Sessions,
    Worker,
    channel_tag,
)
from bot.config.sources import Sources, find_file
from bot.config.tools import Tool

__all__ = [
    "Assistant", "Config", "ConfigError", "Log", "Model", "Redis", "Serve", "Server", "Sessions", "Tool", "Worker",
    "load",
]  # fmt: skip


class Config(BaseSettings):
    """The whole configuration, validated. *path* is the file it came from; *warnings* is what `run` says aloud."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    server: Server = Server()
    redis: Redis = Redis()
    sessions: Sessions = Sessions()
    model: Model = Model()
    assistants: dict[Name, Assistant] = Field(default_factory=lambda: {"default": Assistant()})
    channels: dict[Name, SerializeAsAny[ChannelSettings]] = Field(default_factory=dict)
    tools: dict[Name, Tool] = Field(default_factory=dict)
    worker: Worker = Worker()
    log: Log = Log()

    _path: Path | None = PrivateAttr(default=None)
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def path(self) -> Path | None:
        return self._path

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but what is passed in: `load` alone reads the file and the environment."""
        return (init_settings,)


def load(path: Path | None, *, platforms: Platforms, env: Mapping[str, str] = os.environ) -> Config:
    """The configuration of *path*, else of `FRONTDESK_CONFIG`, else of ./frontdesk.toml, else of the environment
    alone (then `Config.path` is None). Channels are read with the settings model of their platform in *platforms*.
    Raises :class:`ConfigError` with every problem that there is."""
    found = find_file(path, env)
    model = _with_channels(platforms)
    sources = Sources(model, found, env)
    explainer = Explainer(model, platforms, sources, found)
    values = sources()
    assistants = values.setdefault("assistants", {})
    if isinstance(assistants, dict):
        assistants.setdefault("default", {})
    # BaseSettings takes arguments of its own by such names: _cli_parse_args would read our command line
    foreign = [key for key in values if key.startswith("_")]
    for key in foreign:
        del values[key]
    problems = explainer.broken() + [f"{key}: is no setting; remove it" for key in foreign]
    told = contradictions(values, platforms)
    try:
        config = model(**values)
    except ValidationError as error:
        better = {each.split(": ")[0] for each in told}
        problems += [each for each in explainer.problems(error) if each.split(": ")[0] not in better]
        raise ConfigError(problems + told) from None
    if problems or told:
        raise ConfigError(problems + told)
    config._path = found
    config._warnings = tuple(advice(config))
    return config


def _with_channels(platforms: Platforms) -> type[Config]:
    """Config whose channels are told apart by their `platform`."""
    if not platforms:
        return Config
    tagged: list[Any] = [Annotated[settings, Tag(name)] for name, settings in platforms.items()]
    nobody: Any = Annotated[ChannelSettings, Tag("\0")]  # a union needs two members; no table can have this tag
    table: Any = Annotated[reduce(or_, tagged, nobody), Discriminator(channel_tag)]
    channels: Any = (dict[Name, table], Field(default_factory=dict))
    return create_model("Config", __base__=Config, channels=channels)
