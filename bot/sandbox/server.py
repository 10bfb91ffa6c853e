"""One process with all platforms, and the page to play them by hand.

| path | what |
|---|---|
| /whatsapp /wecom /wecom-aibot /wecom-kf | what a bot calls: its `api_base` |
| /dingtalk /feishu /telegram | the same (DingTalk: `oapi_base` too) |
| /shop | what the example's tools call (:mod:`bot.sandbox.shop`) |
| /sandbox/ | the page |
| /_sim/ | GET: the state of every platform |
| /_sim/<platform>/<action> | the control interface of :mod:`bot.sandbox.simulator.control` |
| /sandbox/_sim/... | the same, for the page, which stays under one path so that a web server can forward it |
| /healthz | 200 |

    python -m bot.sandbox.server --port 8090 --bot http://127.0.0.1:8080

plays against channels of the same names at that address (see :mod:`bot.sandbox.example`).
"""

import argparse
import json
import mimetypes
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from typing import Any, Self

from bot.sandbox import against, example
from bot.sandbox.shop import Shop
from bot.sandbox.simulator import control
from bot.sandbox.simulator.platform import Platform
from bot.sandbox.simulator.serving import Answer, Incoming, Server, answer_json
from bot.sandbox.whatsapp import WhatsAppPlatform

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Sandbox:
    """The platforms and the example shop behind one address. `platforms` maps their names to them."""

    def __init__(
        self,
        bot_url: str = "http://127.0.0.1:8080",
        platforms: Mapping[str, Platform[Any]] | None = None,
        *,
        public_url: str = "",
    ) -> None:
        """*bot_url*: where the bot serves /webhooks/<platform>. *platforms* by name, each under its name; None: one
        of each kind, as in the example configuration. *public_url*: how the bot reaches the sandbox, if not by the
        address that it listens on; the platforms' links to files and answers begin with it."""
        if platforms is None:
            platforms = against.platforms(example.config("")["channels"], bot_url)
        self.platforms = platforms
        self._public_url = public_url.rstrip("/")
        for platform in platforms.values():
            platform.redelivers = True
            if isinstance(platform, WhatsAppPlatform):
                platform.reads = True
        self.shop = Shop()
        self._page = _page()
        self._server: Server | None = None

    def start(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self._server = Server(self.handle, host=host, port=port)
        for name, platform in self.platforms.items():
            platform.live_at(f"{self._public_url or self.url}/{name}")

    @contextmanager
    def at(self, host: str, port: int) -> Iterator[Self]:
        """Open at an address, for a while."""
        self.start(port, host=host)
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        for platform in self.platforms.values():
            platform.stop()
        if self._server:
            self._server.stop()
            self._server = None

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the sandbox listens, without a trailing slash."""
        return self._server.url if self._server else ""

    def handle(self, incoming: Incoming) -> Answer:
        path = incoming.path
        if path.startswith("/sandbox/_sim/"):
            path = path.removeprefix("/sandbox")
        _, first, *rest = path.split("/")
        if first in self.platforms:
            return self.platforms[first].handle(replace(incoming, path="/" + "/".join(rest)))
        if first == "shop":
            return self.shop.handle(replace(incoming, path="/" + "/".join(rest)))
        if first == "_sim":
            return self._control(replace(incoming, path="/" + "/".join(rest)))
        if first == "sandbox":
            return (
                self._serve_page("/".join(rest)) if rest else Answer(status=308, headers={"Location": "sandbox/"})
            )
        return answer_json({"status": "ok"}) if first == "healthz" else answer_json({"error": "no such path"}, 404)

    def _control(self, incoming: Incoming) -> Answer:
        name, _, action = incoming.path.removeprefix("/").partition("/")
        if name in self.platforms:
            return control.answer(self.platforms[name], replace(incoming, path=f"/_sim/{action}"))
        if not name and incoming.method == "GET":
            return answer_json(
                [{**control.state(platform), "path": name} for name, platform in self.platforms.items()]
            )
        return answer_json({"error": f"platforms are {', '.join(self.platforms)}"}, 404)

    def _serve_page(self, name: str) -> Answer:
        found = self._page.get(name or "index.html")
        if found is None:
            return answer_json({"error": "no such file"}, 404)
        kind, content = found
        return Answer(body=content, content_type=kind, headers=PAGE_HEADERS)


def _page() -> dict[str, tuple[str, bytes]]:
    """The page's files, with their media types; read once."""
    files = (entry for entry in resources.files("bot.sandbox").joinpath("page").iterdir() if entry.is_file())
    return {entry.name: (_media_type(entry.name), entry.read_bytes()) for entry in files}


def _media_type(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; one JSON line on stdout says where. Returns 0."""
    parser = argparse.ArgumentParser(prog="frontdesk sandbox", description="The platforms, played locally.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0: any free one (default: 8090)")
    parser.add_argument("--bot", default="http://127.0.0.1:8080", help="where the bot serves /webhooks/<platform>")
    given = parser.parse_args(arguments)
    return serve(given.port, bot_url=given.bot, host=given.host)


def serve(
    port: int,
    *,
    bot_url: str,
    host: str = "127.0.0.1",
    platforms: Mapping[str, Platform[Any]] | None = None,
    public_url: str = "",
) -> int:
    """Runs the sandbox in the main thread of a process until a signal. Returns the exit code 0."""
    stopping = threading.Event()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    sandbox = Sandbox(bot_url, platforms, public_url=public_url)
    sandbox.start(port, host=host)
    sys.stdout.write(
        json.dumps({"action": "sandbox_ready", "url": sandbox.url, "page": f"{sandbox.url}/sandbox/"}) + "\n"
    )
    sys.stdout.flush()
    stopping.wait()
    sandbox.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
