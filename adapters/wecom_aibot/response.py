"""The one call to a message's own `response_url` (WeCom sheet §4.5): for what comes too late for the stream.

The address is the credential: it is in no log and no reason.
"""

import json
from datetime import datetime, timedelta

from adapters.channel import Services
from adapters.hosts import allowed
from adapters.rules import honest
from adapters.values import Action, Delivered, Outcome, Refused, Reply, Unknown
from adapters.wecom.api import judged
from adapters.wecom.codes import RULES
from adapters.wecom_aibot.names import Names

VALID = timedelta(hours=1)
_WRITE = 'nothing can be sent before the customer writes again; mode = "websocket" can write at any time'


class ResponseUrl:
    """Sends Markdown to the address that came with the customer's message."""

    def __init__(self, names: Names, api_base: str, services: Services) -> None:
        self._names = names
        self._hosts = (api_base, ".weixin.qq.com")
        self._services = services

    def send(self, reply: Reply, content: str, key: str, *, again: bool) -> Outcome:
        """*key* names this content for ever: nothing else may use up the address."""
        url = reply.route.get("response_url", "")
        if refused := self._unusable(url, reply, key):
            return refused
        outcome = honest("WeCom", lambda: self._called(url, content))
        if again and isinstance(outcome, Refused) and outcome.permanent:
            # How the platform answers a second use is not documented: this may be just that.
            reason = f"{outcome.reason} (an earlier try may have arrived: look at the chat)"
            return Refused(reason=reason, action=Action.GIVE_UP, code=outcome.code)
        return outcome

    def may_have_arrived(self, reply: Reply, key: str) -> bool:
        """Whether *key* was sent to the address before, whatever came of it."""
        used = self._services.growth.read(self._names.used(reply.route.get("response_url", "")))
        return used is not None and used.text == key

    def _unusable(self, url: str, reply: Reply, key: str) -> Refused | None:
        if not url:
            reason = f"the customer's message came without a response_url, and its stream is over: {_WRITE}"
            return Refused(reason=reason, action=Action.WINDOW)
        if not allowed(url, self._hosts):
            reason = "the response_url leads away from WeCom: set api_base, if this is a private deployment"
            return Refused(reason=reason, action=Action.ALERT)
        if self._services.now() - _sent_at(reply) >= VALID:
            reason = f"the response_url is over an hour old: {_WRITE}"
            return Refused(reason=reason, action=Action.WINDOW)
        if self._services.growth.open(self._names.used(url), key).text != key:
            reason = f"the response_url, good for one call, is used up: {_WRITE}"
            return Refused(reason=reason, action=Action.WINDOW)
        return None

    def _called(self, url: str, content: str) -> Outcome:
        body = {"msgtype": "markdown", "markdown": {"content": content}}
        answer = self._services.http.call(
            "POST",
            url,
            body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
            headers={"Content-Type": "application/json; charset=utf-8"},
        )
        result = judged(answer, RULES, self._services.now())
        if isinstance(result, Refused) and result.action is Action.TOKEN:  # there is no token to replace
            return Refused(reason=result.reason, action=Action.GIVE_UP, code=result.code)
        return result if isinstance(result, Refused | Unknown) else Delivered()


def _sent_at(reply: Reply) -> datetime:
    return datetime.fromisoformat(reply.route["at"])
