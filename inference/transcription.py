"""What was said in a voice message, as text: one request to an OpenAI-compatible speech server (vLLM sheet §10)."""

from datetime import timedelta

from inference.errors import ModelFailed

LARGEST_AUDIO = 25 * 1024 * 1024
"""Bytes of one recording: OpenAI's limit, and vLLM's own default."""


class Transcriber:
    """*url* is a base URL ending in /v1, *model* the served name. *language* (ISO 639-1) helps where it is known.
    Thread-safe."""

    def __init__(
        self, url: str, model: str, api_key: str = "", *, language: str = "", largest: int = LARGEST_AUDIO
    ) -> None:
        self._url = f"{url.rstrip('/')}/audio/transcriptions"
        self._model = model
        self._api_key = api_key
        self._language = language
        self._largest = largest

    def text(self, content: bytes, mime: str, *, deadline: timedelta) -> str:
        """What was said in the recording, "" for silence. Raises ModelBusy, ModelFailed, ModelRefused."""
        raise ModelFailed("not yet there")

    def close(self) -> None:
        pass
