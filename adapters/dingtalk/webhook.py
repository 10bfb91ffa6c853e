"""The one address in a message's body that we call, and only if it is surely DingTalk's.

The callback's signature covers its timestamp, not its body (DingTalk sheet §1.2): whoever replays a header pair
chooses the `sessionWebhook`. So it is compared as text, whole, with the few forms that are allowed; no URL parser,
whose reading could differ from the HTTP client's, decides anything.
"""

import re
from datetime import datetime, timedelta

OWN = ("https://oapi.dingtalk.com", "https://api.dingtalk.com")
PATH = "/robot/sendBySession?session="
MARGIN = timedelta(minutes=5)
"""Webhooks live 90 minutes (DingTalk sheet §2.1); one that ends while we send would lose the answer."""

_SESSION = re.compile(r"[A-Za-z0-9_.~%=&+-]{1,512}")
_ORIGIN = re.compile(r"https?://[^/]+")


class Webhooks:
    """Tells DingTalk's session webhooks, and those of the host that *oapi_base* names, from all else."""

    def __init__(self, oapi_base: str) -> None:
        origin = _ORIGIN.match(oapi_base)
        bases = {*OWN, oapi_base, origin.group() if origin else oapi_base}
        self._prefixes = tuple(base + PATH for base in bases)

    def trusted(self, url: str) -> bool:
        return any(
            url.startswith(prefix) and _SESSION.fullmatch(url, len(prefix)) is not None for prefix in self._prefixes
        )

    def usable(self, url: str, expires: datetime, now: datetime) -> bool:
        """Whether an answer may still go to *url*."""
        return self.trusted(url) and expires - now > MARGIN
