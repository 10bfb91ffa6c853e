"""Where values come from: the file, the environment over it, and `env:` and `file:` references in either."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, TomlConfigSettingsSource

from bot.config.errors import ConfigError

PREFIX = "FRONTDESK__"
DEFAULT_FILE = "frontdesk.toml"
LARGEST_SECRET = 64 * 1024
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Table = dict[str, Any]
Key = tuple[str, ...]


def find_file(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """The file to read: the given one, else `FRONTDESK_CONFIG`, else ./frontdesk.toml if there is one."""
    if path is None and (named := env.get("FRONTDESK_CONFIG")):
        path = Path(named)
    if path is None:
        path = Path(DEFAULT_FILE)
        if not path.exists():
            return None
    return path.absolute()


class Sources(PydanticBaseSettingsSource):
    """The file and the environment as one mapping, references resolved. *origins* remembers which variable set a
    key; *broken* what is wrong with a reference, by key."""

    def __init__(self, settings: type[BaseSettings], path: Path | None, env: Mapping[str, str]) -> None:
        super().__init__(settings)
        self.origins: dict[Key, str] = {}
        self.broken: dict[Key, str] = {}
        self._env = env
        self._base = path.parent if path else Path.cwd()
        self._values = _read(settings, path) if path else {}
        self._overlay()
        self._values = self._resolved(self._values, ())
        self._anchor()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Part of the base's interface; `__call__` gives all values at once."""
        return self._values.get(field_name), field_name, False

    def __call__(self) -> Table:
        return self._values

    def origin(self, key: Key) -> str | None:
        """The environment variable that set *key*, or a part of it."""
        return next((name for found, name in self.origins.items() if found[: len(key)] == key), None)

    def _overlay(self) -> None:
        """Writes `FRONTDESK__A__B` over `a.b`. A name's `_` also stands for `-`, which no shell allows there."""
        for name in sorted(self._env):
            if not name.upper().startswith(PREFIX):
                continue
            steps = name[len(PREFIX) :].lower().split("__")
            table, key = self._values, []
            for step in steps[:-1]:
                key.append(_spelled(step, table))
                inner = table.setdefault(key[-1], {})
                if not isinstance(inner, dict):
                    inner = table[key[-1]] = {}
                table = inner
            key.append(_spelled(steps[-1], table))
            table[key[-1]] = self._env[name]
            self.origins[tuple(key)] = name

    def _resolved(self, value: Any, key: Key) -> Any:
        if isinstance(value, dict):
            return {name: self._resolved(each, (*key, name)) for name, each in value.items()}
        if isinstance(value, list):
            return [self._resolved(each, (*key, str(index))) for index, each in enumerate(value)]
        if isinstance(value, str) and value.startswith(("env:", "file:")):
            kind, _, rest = value.partition(":")
            try:
                return self._variable(rest) if kind == "env" else self._content(rest)
            except LookupError as problem:
                self.broken[key] = str(problem.args[0])
        return value

    def _variable(self, name: str) -> str:
        if not _VARIABLE.fullmatch(name):
            raise LookupError("what follows env: is no variable's name; write it like env:SHOP_TOKEN")
        if not (value := self._env.get(name)):
            state = "is empty" if name in self._env else "is not set"
            raise LookupError(f"refers to the environment variable {name}, which {state}; export it first")
        return value

    def _content(self, name: str) -> str:
        """A secret file's text, without the newline that editors and `echo` leave at its end."""
        path = self._base / name
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST_SECRET + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no usable path"
            raise LookupError(f"refers to the file {path}, which cannot be read: {reason}") from None
        if len(content) > LARGEST_SECRET:
            raise LookupError(f"refers to the file {path}, which is larger than {LARGEST_SECRET // 1024} KiB")
        try:
            text = content.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise LookupError(f"refers to the file {path}, which is no UTF-8 text") from None
        if not text:
            raise LookupError(f"refers to the file {path}, which is empty; write the value into it")
        return text

    def _anchor(self) -> None:
        """Makes paths absolute from the file's folder, so that every process means the same place."""
        server = self._values.setdefault("server", {})
        if isinstance(server, dict) and isinstance(server.setdefault("data_dir", "var"), str):
            server["data_dir"] = self._base / server["data_dir"]
        if isinstance(server, dict) and isinstance(server.get("files_dir"), str):
            server["files_dir"] = self._base / server["files_dir"]
        for assistant in _tables(self._values.get("assistants")):
            if isinstance(assistant.get("faq"), str):
                assistant["faq"] = self._base / assistant["faq"]


def _tables(value: Any) -> Iterator[Table]:
    if isinstance(value, dict):
        yield from (each for each in value.values() if isinstance(each, dict))


def _spelled(step: str, table: Table) -> str:
    """*step* as the file spells it: its names may hold `-`, and are compared without regard to case."""
    return next((name for name in table if name.lower().replace("-", "_") == step.replace("-", "_")), step)


def _read(settings: type[BaseSettings], path: Path) -> Table:
    try:
        return dict(TomlConfigSettingsSource(settings, path if path.is_file() else _refused(path)).toml_data)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}; check the path and its permissions"
    except UnicodeDecodeError:
        problem = "is no UTF-8 text; save it as UTF-8"
    except tomllib.TOMLDecodeError as error:
        problem = f"is no valid TOML: {error}; correct it there"  # its text quotes one character at most
    raise ConfigError([f"{path}: {problem}"])


def _refused(path: Path) -> Path:
    """Raises what opening *path* would: pydantic-settings passes silently over a file that is not there."""
    with path.open("rb"):
        raise OSError(0, "not a regular file", os.fspath(path))
