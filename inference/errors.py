"""What can go wrong between a question and its answer.

ModelError
├── ModelBusy       overloaded, or unreachable for now: a later try may succeed (503, 429, refused)
├── ModelFailed     the try failed half-way or made no usable answer: a later try may succeed
└── ModelRefused    the request itself is wrong (400, 401, 404): a further try fails alike; an operator must act

The text never holds a customer's words; vLLM's own error texts echo them and are not passed on.
"""

from datetime import timedelta


class ModelError(Exception):
    """The root of this package's errors."""


class ModelBusy(ModelError):
    """No replica can answer now. *retry_after*: what a gateway asked for."""

    def __init__(self, text: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class ModelFailed(ModelError):
    """The answer broke off or is unusable."""


class ModelRefused(ModelError):
    """The model server rejects the request."""


class ContextTooLong(ModelRefused):
    """The prompt does not fit the model's context (two texts, vLLM sheet §0.6): drop the oldest turns."""
