"""A customer's attachment: first its address, then its bytes (DingTalk sheet §6).

The address is temporary and signed, so no token goes with it; whatever it is, nothing but DingTalk's own hosts and
its storage (Alibaba Cloud OSS) is called, no inner network's machine, and no redirect is followed.
"""

from adapters.channel import Download, Services
from adapters.dingtalk.api import OpenApi, written
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.verdict import refusal
from adapters.dingtalk.wire import Wire
from adapters.errors import MediaLost
from adapters.hosts import allowed, origin, private
from adapters.http import HttpAnswer, MaybeSent, NotSent, TooLarge
from adapters.payload import text
from adapters.sniffing import plausible, sniff
from adapters.tokens import NoToken
from adapters.values import Media, Refused

DOWNLOAD = "/v1.0/robot/messageFiles/download"
HOSTS = (".dingtalk.com", ".aliyuncs.com")
INNER = "-internal.aliyuncs.com"
"""Names that lead into Alibaba Cloud's own network."""
LARGEST = 10 * 1024 * 1024
PLAYED = ("image", "audio", "video")
"""Their bytes must be such; a file may be anything."""


class Downloads:
    """Fetches what a download code stands for."""

    def __init__(self, settings: DingTalkSettings, services: Services, api: OpenApi, wire: Wire) -> None:
        self._settings = settings
        self._services = services
        self._api = api
        self._wire = wire

    def fetch(self, media: Media) -> Download:
        """Raises MediaLost, NotSent or MaybeSent."""
        try:
            url = self._address(media)
            answer = self._wire.download(url, LARGEST)
        except NoToken as error:
            raise NotSent(error.refused.reason) from None
        except TooLarge:
            raise MediaLost(f"the {media.kind} is larger than {LARGEST} bytes") from None
        _check(answer)
        mime = sniff(answer.body)
        if media.kind in PLAYED and not plausible(f"{media.kind}/*", mime):
            raise MediaLost(f"the {media.kind} is none: its bytes are {mime}")
        return Download(content=answer.body, mime=mime)

    def _address(self, media: Media) -> str:
        body = written({"downloadCode": media.id, "robotCode": self._settings.robot})
        answer = self._api.post(DOWNLOAD, body)
        refused = refusal(answer, self._services.now())
        if isinstance(refused, Refused) and refused.permanent:
            raise MediaLost(refused.reason)
        if refused is not None:
            raise NotSent(refused.reason)
        return self._safe(text(answer.json, "downloadUrl"))

    def _safe(self, url: str) -> str:
        """*url* as it may be called: often it is plain http, which DingTalk's storage does not need."""
        own = (self._settings.api_base, self._settings.oapi_base)
        if allowed(url, own):
            return url
        url = url.replace("http://", "https://", 1) if url.startswith("http://") else url
        if not allowed(url, HOSTS) or origin(url).endswith(INNER) or private(url):
            raise MediaLost("the download address is none of DingTalk's")
        return url


def _check(answer: HttpAnswer) -> None:
    if answer.status == 200 and answer.body:
        return
    if answer.status in (408, 425, 429) or answer.status >= 500:
        raise MaybeSent(f"HTTP {answer.status} instead of the attachment")
    raise MediaLost(f"HTTP {answer.status} instead of the attachment")
