"""Files: a customer's by a download code, the robot's by the old API's upload (§6)."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from bot.sandbox.dingtalk.errors import api_error, old_error
from bot.sandbox.dingtalk.tokens import Tokens
from bot.sandbox.simulator.calls import Exchange, Refusal, Route, route
from bot.sandbox.simulator.forms import form
from bot.sandbox.simulator.media import File, Shelf
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

LARGEST = {"image": 20 * 1024 * 1024, "voice": 2 * 1024 * 1024, "video": 20 * 1024 * 1024, "file": 20 * 1024 * 1024}
ENDINGS = {
    "image": ("jpg", "jpeg", "gif", "png", "bmp"),
    "voice": ("amr", "mp3", "wav"),
    "video": ("mp4",),
    "file": ("doc", "docx", "xls", "xlsx", "ppt", "pptx", "zip", "pdf", "rar"),
}


class Holder(Protocol):
    """What media need of the platform."""

    robot_code: str
    shelf: Shelf
    tokens: Tokens

    @property
    def url(self) -> str: ...


class Media:
    """*private_redirect*: downloads lead to a private address, as an attack would."""

    def __init__(self, holder: Holder, authorise: Callable[[Incoming], None], now: Callable[[], datetime]) -> None:
        self._holder = holder
        self._authorise = authorise
        self._now = now
        self.private_redirect = False
        self._codes: dict[str, str] = {}

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/v1\.0/robot/messageFiles/download", "download_url", self._on_download_url),
            route("GET", r"/files/[^/]+", "download", self._on_download),
            route("POST", r"/media/upload", "upload", self._on_upload),
        )

    def keep(self, content: bytes, mime: str, name: str) -> str:
        """The download code of a customer's file; the code is its id on the shelf, too."""
        code = f"code{secrets.token_urlsafe(12)}=="
        self._holder.shelf.put(code, File(content=content, mime=mime, name=name, at=self._now()))
        return code

    def _on_download_url(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        body = exchange.incoming.json()
        if member(body, "robotCode") != self._holder.robot_code:
            raise api_error(400, "invalidParameter.robotCode.auth", rule="wrong_robot_code")
        code = str(member(body, "downloadCode"))
        if self._holder.shelf.get(code) is None:
            raise api_error(400, "invalidParameter.robotCode.downloadCode")
        link = f"{secrets.token_urlsafe(12)}.file"
        self._codes[link] = code
        return answer_json({"downloadUrl": f"{self._holder.url}/files/{link}"})

    def _on_download(self, exchange: Exchange) -> Answer:
        if exchange.incoming.headers.get("x-acs-dingtalk-access-token"):
            raise Refusal(Answer(status=403), "the token goes to DingTalk's API alone", rule="token_given_away")
        if self.private_redirect:
            return Answer(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
        file = self._holder.shelf.get(self._codes.get(exchange.incoming.path.rsplit("/", 1)[1], ""))
        return Answer(body=file.content, content_type="application/octet-stream") if file else Answer(status=404)

    def _on_upload(self, exchange: Exchange) -> Answer:
        incoming = exchange.incoming
        if not self._holder.tokens.valid(incoming.argument("access_token"), legacy=True):
            raise old_error(40014, "不合法的access_token")
        kind = incoming.argument("type")
        uploaded = form(incoming).get("media")
        if kind not in LARGEST or uploaded is None:
            raise old_error(40004, "不合法的媒体文件类型", rule="parameter_invalid")
        part, content = uploaded
        name = part.get_filename() or ""
        if name.rpartition(".")[2].lower() not in ENDINGS[kind]:
            raise old_error(40004, f"{name} is no {kind}", rule="wrong_file_type")
        if len(content) > LARGEST[kind]:
            raise old_error(40006, "文件过大", rule="too_long")
        id_ = f"@{secrets.token_urlsafe(24)}"
        mime = part.get_content_type()
        self._holder.shelf.put(id_, File(content=content, mime=mime, name=name, at=self._now()))
        return answer_json({"errcode": 0, "errmsg": "ok", "media_id": id_, "created_at": 0, "type": kind})
