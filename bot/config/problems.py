"""From pydantic's errors to what an operator reads: the key, what is wrong, the next step; never a value."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from adapters.channel import ChannelSettings
from bot.config.sources import PREFIX, Key, Sources

Platforms = Mapping[str, type[ChannelSettings]]

_NAMES = "names have 1 to 64 of a-z 0-9 _ -; rename the table"


class Explainer:
    """Puts the errors of one load into words."""

    def __init__(self, root: type[BaseModel], platforms: Platforms, sources: Sources, path: Path | None) -> None:
        self._root = root
        self._platforms = platforms
        self._sources = sources
        self._path = path

    def problems(self, error: ValidationError) -> list[str]:
        """One line for each error that is not only the echo of a broken reference."""
        details = error.errors(include_url=False, include_input=False)
        keyed = [(_key(each), each) for each in details]
        echoes = self._sources.broken
        return [
            self._line(key, each) for key, each in keyed if key not in echoes or each["type"] == "extra_forbidden"
        ]

    def broken(self) -> list[str]:
        return [f"{'.'.join(key)}: {what}" for key, what in self._sources.broken.items()]

    def _line(self, key: Key, error: ErrorDetails) -> str:
        what, step = self._words(key, error)
        return f"{'.'.join(key)}: {what}; {step or self._where(key)}"

    def _words(self, key: Key, error: ErrorDetails) -> tuple[str, str]:
        """What is wrong, and the next step where there is a better one than "correct it"."""
        match error["type"]:
            case "missing":
                return "is missing", self._set(key)
            case "extra_forbidden":
                return "is no setting", _instead(key[-1], self._known(key[:-1]))
            case "string_pattern_mismatch" if error["loc"][-1] == "[key]":
                return "is no allowed name", _NAMES
            case "union_tag_invalid":
                return "names no platform that is known", _instead("", self._platforms)
            case "union_tag_not_found":
                return "is no table with a platform", f"write platform = one of {_listed(self._platforms)} into it"
            case "string_pattern_mismatch":
                return f"has not the form {error['ctx']['pattern']}", ""
            case "value_error":
                return str(error["ctx"]["error"]), ""
        return error["msg"].replace("Input should", "should").replace("String should", "should").replace(
            "Path does", "does"
        ), ""

    def _where(self, key: Key) -> str:
        if variable := self._sources.origin(key):
            return f"correct the environment variable {variable}"
        return f"correct it in {self._path}" if self._path else f"set {_variable(key)}"

    def _set(self, key: Key) -> str:
        place = f" in {self._path}" if self._path else ""
        return f"set it{place}, or as {_variable(key)}"

    def _known(self, key: Key) -> Sequence[str]:
        """The settings that the table at *key* may have."""
        kind: Any = self._root
        for depth, step in enumerate(key):
            if key[0] == "channels" and depth == 1:
                kind = self._platforms.get(str(self._sources().get("channels", {}).get(step, {}).get("platform")))
            elif get_origin(kind) is dict:
                kind = get_args(kind)[1]
            else:
                kind = kind.model_fields[step].annotation
        return tuple(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else ()


def _key(error: ErrorDetails) -> Key:
    """The dotted key. A channel's errors name its platform after it; a name's own end in "[key]"."""
    steps = [str(step) for step in error["loc"] if step != "[key]"]
    if steps[:1] == ["channels"] and len(steps) > 2:
        del steps[2]
    if error["type"] == "union_tag_invalid":
        steps.append("platform")
    return tuple(steps)


def _instead(name: str, known: Sequence[str] | Platforms) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known here: {_listed(known)}" if known else "remove it"


def _listed(names: Sequence[str] | Platforms) -> str:
    return ", ".join(sorted(names))


def _variable(key: Key) -> str:
    return PREFIX + "__".join(key).upper().replace("-", "_")
