"""The one error of the configuration. It shares no root with the run-time errors, so nothing can swallow it."""

from collections.abc import Sequence


class ConfigError(Exception):
    """The configuration cannot be used. *problems* holds all of them, each with its key and the next step."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)
