"""The DingTalk channel: callbacks in; out by the session webhook while it is open, else by the OpenAPI."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from adapters.channel import Channel, Finding, Services
from adapters.dingtalk.api import OpenApi
from adapters.dingtalk.inbound import GROUP, Inbound
from adapters.dingtalk.outbound import LIMIT, api_body, webhook_body
from adapters.dingtalk.rules import PUNISHED
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.signature import verify
from adapters.dingtalk.verdict import PUNISHMENT, refusal
from adapters.dingtalk.webhook import Webhooks
from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.markdown import DINGTALK
from adapters.payload import Json, at, read_object, text
from adapters.tokens import NoToken
from adapters.values import (
    Action,
    Delivered,
    Event,
    Outcome,
    Promise,
    Refused,
    Reply,
    Request,
    Response,
    Unknown,
)

NO_REPLY = b'{"msgtype":"empty"}'
"""The documented answer that shows the customer nothing (DingTalk sheet §1.4)."""
ONE_TO_ONE = "/v1.0/robot/oToMessages/batchSend"
TO_GROUP = "/v1.0/robot/groupMessages/send"
_JSON = "application/json; charset=utf-8"
_LONG_AGO = datetime.fromtimestamp(0, UTC)


class DingTalk(Channel[DingTalkSettings]):
    """One robot of one organisation. BLIND: neither way out takes a key of ours (§2.2, §2.4)."""

    settings_type = DingTalkSettings
    promise: ClassVar[Promise] = Promise.BLIND
    dialect = DINGTALK
    limit = LIMIT
    largest_body: ClassVar[int] = 256 * 1024
    """A customer's text has 20,000 bytes at most; the rest is ids, links and quoted words."""

    def __init__(self, name: str, settings: DingTalkSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self._webhooks = Webhooks(settings.oapi_base)
        self._inbound = Inbound(name, settings, self._webhooks)
        self._api = OpenApi(settings, services)
        self._quiet_until = _LONG_AGO

    @property
    def account(self) -> str:
        return self.settings.robot

    def verify(self, request: Request) -> None:
        verify(request.headers, self.settings, request.received_at)

    def parse(self, request: Request) -> Sequence[Event]:
        return self._inbound.events(read_object(request.body), request.received_at)

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        return Response(body=NO_REPLY, content_type=_JSON)

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        """By the webhook if it is open; by the OpenAPI if it is not, or turns out to be closed."""
        quiet = self._quiet_until - self.services.now()
        if quiet.total_seconds() > 0:
            return Refused(reason=PUNISHED.meaning, action=Action.RETRY, code=PUNISHMENT, retry_after=quiet)
        try:
            outcome = self._by_webhook(reply, index)
            if outcome is None or _closed(outcome):
                outcome = self._by_api(reply, index)
        except NoToken as error:
            outcome = error.refused
        except NotSent as error:
            outcome = Refused(reason=f"DingTalk was not reached: {error}", action=Action.RETRY)
        except MaybeSent as error:
            outcome = Unknown(reason=f"DingTalk did not say whether it has the message: {error}")
        if isinstance(outcome, Refused) and outcome.code == PUNISHMENT and PUNISHED.wait:
            self._quiet_until = self.services.now() + PUNISHED.wait
        return outcome

    def _by_webhook(self, reply: Reply, index: int) -> Outcome | None:
        """None if there is no open webhook. The address is looked at again: the route was stored meanwhile."""
        url = reply.route.get("webhook", "")
        expires = reply.route.get("webhook_expires", "")
        now = self.services.now()
        if not (url and expires and self._webhooks.usable(url, datetime.fromisoformat(expires), now)):
            return None
        mention = reply.route.get("staff", "") if _is_group(reply) and index == 0 else ""
        body = webhook_body(reply.parts[index].text, mention=mention)
        answer = self.services.http.call("POST", url, body=body, headers={"content-type": _JSON})
        verdict = refusal(answer, now, uncoded=Action.REROUTE)
        if verdict is None and text(answer.json, "errcode") != "0":
            return Unknown(reason="HTTP 200 without errcode")
        return verdict or Delivered()

    def _by_api(self, reply: Reply, index: int) -> Outcome:
        words = reply.parts[index].text
        if _is_group(reply):
            to: dict[str, Json] = {"openConversationId": reply.route.get("conversation", "")}
            return self._sent(self._post(TO_GROUP, words, to))
        staff = reply.route.get("staff", "")
        if not staff:
            reason = "the session webhook is closed, and DingTalk names no staff id of this guest: answer by hand"
            return Refused(reason=reason, action=Action.WINDOW)
        return self._sent(self._post(ONE_TO_ONE, words, {"userIds": [staff]}))

    def _post(self, path: str, words: str, to: dict[str, Json]) -> HttpAnswer:
        return self._api.post(path, api_body(words, robot=self.settings.robot, to=to))

    def _sent(self, answer: HttpAnswer) -> Outcome:
        """HTTP 200 does not mean delivered: three lists name those who get nothing (§2.4)."""
        verdict = refusal(answer, self.services.now())
        if verdict is not None:
            return verdict
        for field, refused in _LISTS.items():
            if at(answer.json, field):
                return refused
        key = text(answer.json, "processQueryKey")
        return Delivered(platform_id=key) if key else Unknown(reason="HTTP 200 without processQueryKey")

    def check(self) -> Sequence[Finding]:
        return self._api.findings()


_LISTS = {
    "invalidStaffIdList": Refused(
        reason="invalidStaffIdList: the customer left the organisation or may not see the robot; answer by hand",
        action=Action.GIVE_UP,
        code="invalidStaffIdList",
    ),
    "filteredStaffIdList": Refused(
        reason="filteredStaffIdList: DingTalk filtered the customer out; see the robot's visible range",
        action=Action.GIVE_UP,
        code="filteredStaffIdList",
    ),
    "flowControlledStaffIdList": Refused(
        reason="flowControlledStaffIdList: too many messages to this customer",
        action=Action.RETRY,
        code="flowControlledStaffIdList",
    ),
}


def _is_group(reply: Reply) -> bool:
    return reply.route.get("type") == GROUP


def _closed(outcome: Outcome) -> bool:
    """Whether another way may be open; a token error of a call that takes no token is an odd way to say so."""
    return isinstance(outcome, Refused) and outcome.action in (Action.REROUTE, Action.TOKEN)
