"""What `frontdesk check` asks DingTalk, and the next step for each thing that does not hold."""

from collections.abc import Iterator, Sequence

from adapters.channel import Finding, Services
from adapters.dingtalk.api import UNREACHED, OpenApi, written
from adapters.dingtalk.events import Events
from adapters.dingtalk.gateway import open_gateway
from adapters.dingtalk.quota import Quota
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.verdict import refusal
from adapters.dingtalk.wire import Wire
from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.payload import Json
from adapters.tokens import NoToken
from adapters.values import Action, Refused, Unknown

STATE = "/v1.0/robot/oToMessages/readStatus"
NEW_CARD = "/v1.0/card/instances"
STREAM = "/v1.0/card/streaming"
NOBODY = "frontdesk-check"
"""The name of a message and of a card that are nobody's."""


class Check:
    """Looks at one channel's configuration."""

    def __init__(
        self,
        settings: DingTalkSettings,
        services: Services,
        *,
        wire: Wire,
        api: OpenApi,
        events: Events,
        quota: Quota,
    ) -> None:
        self._settings = settings
        self._services = services
        self._wire = wire
        self._api = api
        self._events = events
        self._quota = quota

    def findings(self) -> Sequence[Finding]:
        try:
            token = self._api.fetch()
        except NoToken as error:
            return (Finding(what="access token", ok=False, next_step=error.refused.reason),)
        return (Finding(what="access token", ok=True), *self._with(token.value))

    def _with(self, token: str) -> Iterator[Finding]:
        yield self._robot(token)
        if self._settings.streams_cards:
            yield self._template(token, "card template", self._settings.card_template_id)
            yield self._streaming(token)
        if self._settings.choice_template_id:
            yield self._template(token, "choice template", self._settings.choice_template_id)
        if self._events.seals:
            yield Finding(what="event keys", ok=True)
        if self._settings.mode == "stream":
            yield self._gateway()
        yield from self._quota.findings()

    def _robot(self, token: str) -> Finding:
        """Reads the state of a message that does not exist: the cheapest call that needs the permission to send and
        looks at the robot's code (DingTalk sheet §7). Any other objection shows that the robot was found."""
        params = {"robotCode": self._settings.robot, "processQueryKey": NOBODY}
        return self._asked("robot", "GET", STATE, token, params=params, wrong="robotCode")

    def _template(self, token: str, what: str, template: str) -> Finding:
        """Makes a card and delivers it to nobody (§3.1: the two-step variant)."""
        data: dict[str, Json] = {
            "cardTemplateId": template,
            "outTrackId": _nobodys(template),
            "callbackType": "STREAM",
            "cardData": {"cardParamMap": {}},
        }
        return self._asked(what, "POST", NEW_CARD, token, body=written(data), wrong="param.template")

    def _streaming(self, token: str) -> Finding:
        """Fills nobody's card: needs the permission `Card.Streaming.Write`."""
        data: dict[str, Json] = {
            "outTrackId": _nobodys(self._settings.card_template_id),
            "guid": NOBODY,
            "key": self._settings.card_key,
            "content": "-",
            "isFull": True,
            "isFinalize": False,
            "isError": False,
        }
        return self._asked("card streaming", "PUT", STREAM, token, body=written(data))

    def _gateway(self) -> Finding:
        """A ticket that nobody uses is worthless after 90 s (§4.1)."""
        try:
            open_gateway(self._settings, self._wire, self._services.now())
        except NoToken as error:
            return Finding(what="stream gateway", ok=False, next_step=error.refused.reason)
        except (NotSent, MaybeSent) as error:
            return Finding(what="stream gateway", ok=False, next_step=f"{UNREACHED}: {error}")
        return Finding(what="stream gateway", ok=True)

    def _asked(
        self,
        what: str,
        method: str,
        path: str,
        token: str,
        *,
        body: bytes | None = None,
        params: dict[str, str] | None = None,
        wrong: str = "\0",
    ) -> Finding:
        """*wrong* stands in those codes that are about the configuration, though not worth an alert elsewhere."""
        try:
            answer = self._api.call(method, path, token, body=body, params=params)
        except NoToken as error:
            return Finding(what=what, ok=False, next_step=error.refused.reason)
        except (NotSent, MaybeSent) as error:
            return Finding(what=what, ok=False, next_step=f"{UNREACHED}: {error}")
        return _finding(what, self._verdict(answer), wrong)

    def _verdict(self, answer: HttpAnswer) -> Refused | Unknown | None:
        return refusal(answer, self._services.now())


def _nobodys(template: str) -> str:
    """The number of a card that is delivered to nobody."""
    return f"{NOBODY}-{template}"[:100]


def _finding(what: str, verdict: Refused | Unknown | None, wrong: str) -> Finding:
    if not isinstance(verdict, Refused) or not verdict.code:
        return Finding(what=what, ok=True)
    fails = verdict.action in (Action.ALERT, Action.TOKEN) or verdict.account or wrong in verdict.code
    return Finding(what=what, ok=not fails, next_step=verdict.reason if fails else "")
