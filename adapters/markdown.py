"""The model's Markdown in each platform's own dialect (first form: the dialects follow)."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a platform shows. *render* takes CommonMark (with tables and ~~strike~~) and never raises."""

    render: Callable[[str], str]
