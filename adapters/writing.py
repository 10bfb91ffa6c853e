"""Showing an answer while it is written, where a platform can."""

from typing import Protocol


class Writing(Protocol):
    """One answer that grows. `show` is called from the model's own reading loop: it returns at once, does its HTTP
    (if any) elsewhere, at the platform's pace, and never raises for what the network or the platform does."""

    def show(self, text: str) -> None:
        """The whole text so far, in Markdown. The final reply may differ: it is sent by `Channel.send`."""
        ...

    def end(self) -> None:
        """No more will be shown. Returns once nothing is under way, so that the reply cannot be overtaken."""
        ...
