"""The welcome of a customer who opens the chat: `kf/send_msg_on_event` (WeCom sheet §5.4)."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.payload import Json, text
from adapters.text import Limit, split, utf8_bytes
from adapters.values import Refused, Unknown
from adapters.wecom.api import WeComApi
from adapters.wecom_kf.items import when
from adapters.wecom_kf.settings import WeComKfSettings

ON_EVENT = "/cgi-bin/kf/send_msg_on_event"
CODE_LASTS = timedelta(seconds=20)
LONGEST = Limit(size=2048, measure=utf8_bytes)


class Greeting:
    """Says the welcome of one account. A session that was just opened takes nothing else: its state is still 4."""

    def __init__(self, settings: WeComKfSettings, api: WeComApi, now: Callable[[], datetime]) -> None:
        (self._welcome, *_) = split(settings.welcome, LONGEST) or ("",)
        self._api = api
        self._now = now

    def greet(self, item: Json) -> str:
        """What came of it, for the operator; "" where there was nothing to do. The code is good for one use, so
        that a page that is fetched twice greets once."""
        if text(item, "event", "event_type") != "enter_session":
            return ""
        code = text(item, "event", "welcome_code")
        if not code or not self._welcome:
            return ""
        now = self._now()
        if now - when(item, now) >= CODE_LASTS:
            return "too late"
        fields = {
            "code": code,
            "msgid": hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()[:32],
            "msgtype": "text",
            "text": {"content": self._welcome},
        }
        result = self._api.post(ON_EVENT, fields)
        if isinstance(result, Refused):
            return f"refused {result.code}"
        return "no answer" if isinstance(result, Unknown) else "sent"
