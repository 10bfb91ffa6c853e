"""Calls of the Graph API, for one number (sheet §3.1). All of them raise NotSent or MaybeSent."""

from collections.abc import Mapping
from datetime import timedelta

from adapters.http import HttpAnswer, PlatformHttp
from adapters.multipart import multipart
from adapters.whatsapp.settings import WhatsAppSettings

FILES = timedelta(seconds=30)
"""The deadline of one call that carries a file."""


class Graph:
    """The number's own token goes out with every call."""

    def __init__(self, settings: WhatsAppSettings, http: PlatformHttp) -> None:
        self._settings = settings
        self._http = http
        self._authorization = {"Authorization": f"Bearer {settings.access_token.get_secret_value()}"}

    def send(self, body: bytes) -> HttpAnswer:
        """Messages, and what is said about messages."""
        headers = {**self._authorization, "Content-Type": "application/json"}
        return self._http.call("POST", self._url(f"{self.number}/messages"), body=body, headers=headers)

    def get(self, path: str, params: Mapping[str, str]) -> HttpAnswer:
        return self._http.call("GET", self._url(path), params=params, headers=self._authorization)

    def upload(self, content: bytes, mime: str, name: str) -> HttpAnswer:
        """Keeps a file for 30 days, for this number (sheet §3.6)."""
        body, content_type = multipart(
            "file", content, filename=name, mime=mime, fields={"messaging_product": "whatsapp", "type": mime}
        )
        headers = {**self._authorization, "Content-Type": content_type}
        url = self._url(f"{self.number}/media")
        return self._http.call("POST", url, body=body, headers=headers, total=FILES)

    def download(self, url: str, most: int) -> HttpAnswer:
        """The caller has made sure that *url* may see the token."""
        return self._http.call("GET", url, headers=self._authorization, total=FILES, most=most)

    @property
    def number(self) -> str:
        return self._settings.phone_number_id

    def _url(self, path: str) -> str:
        return f"{self._settings.api_base.rstrip('/')}/{self._settings.api_version}/{path}"
