"""Cards (DingTalk sheet §3): made and delivered in one call, then filled.

A card is named by its `outTrackId`, which is ours: a second try with the same one makes no second card. Every value
of a card's data is a string. HTTP 200 with `success` hides failed deliveries, so each of them is looked at.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from adapters.channel import Services
from adapters.dingtalk.api import OpenApi, written
from adapters.dingtalk.outbound import title
from adapters.dingtalk.quota import CARD_CALLS
from adapters.dingtalk.route import Route
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.verdict import refusal
from adapters.http import HttpAnswer
from adapters.payload import Json, at, objects, text
from adapters.rules import honest
from adapters.shared import Bucket
from adapters.text import Limit, utf8_bytes
from adapters.tokens import NoToken
from adapters.values import Action, Refused, Unknown

CREATE = "/v1.0/card/instances/createAndDeliver"
STREAM = "/v1.0/card/streaming"
LARGEST_CARD = 3_000
"""Bytes. "Total ≤ 3 K recommended"; the real ceiling, and whether characters are meant, is unconfirmed (§3.2)."""
LARGEST_VALUE = 1_000
"""Bytes of any other value (§3.1: ≤ 1 KB)."""
CARD_TEXT = Limit(size=LARGEST_CARD, measure=utf8_bytes)
QPS = 20
"""Calls a second of an app. Observed limits lie between 20 and 50 (§3.2)."""
EXISTS = "param.cardAlreadyExist"
_UNSAFE = re.compile(r"[^\w .:-]")
_LINE_BREAK = "  \n  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A delivered card. *carrier* is DingTalk's word for the message that holds it; "" where it names none."""

    carrier: str


class Cards:
    """Makes and fills the cards of one channel. Nothing here raises for what DingTalk does or says."""

    def __init__(self, settings: DingTalkSettings, services: Services, api: OpenApi) -> None:
        self._settings = settings
        self._services = services
        self._api = api

    def create(
        self, track: str, template: str, route: Route, data: Mapping[str, str], summary: str
    ) -> Card | Refused | Unknown:
        """A card with *data* where *route* leads; the one that is there already, if it was made before."""
        body: dict[str, Json] = {
            "cardTemplateId": template,
            "outTrackId": track,
            **self._callbacks(),
            "cardData": {"cardParamMap": dict(data)},
            "userIdType": 1,
            **_space(route, self._settings.robot, title(summary)),
        }
        answer = self._asked(lambda: self._api.post(CREATE, written(body), counted={CARD_CALLS: 1}))
        if not isinstance(answer, HttpAnswer):
            return answer
        refused = refusal(answer, self._services.now())
        if isinstance(refused, Refused) and refused.code == EXISTS:
            return Card(carrier="")
        return refused or _delivered(answer.json)

    def stream(
        self, track: str, content: str, *, step: str, final: bool = False, failed: bool = False
    ) -> Refused | Unknown | None:
        """Puts the whole *content* so far into the card's text; None: it is there. The same *step* with the same
        content has the same `guid`, and so no second effect."""
        body: dict[str, Json] = {
            "outTrackId": track,
            "guid": str(uuid5(NAMESPACE_URL, f"{track}:{step}:{content}")),
            "key": self._settings.card_key,
            "content": content,
            "isFull": True,
            "isFinalize": final,
            "isError": failed,
        }
        answer = self._asked(lambda: self._api.put(STREAM, written(body), counted={CARD_CALLS: 1}))
        if not isinstance(answer, HttpAnswer):
            return answer
        refused = refusal(answer, self._services.now())
        if refused is None and (at(answer.json, "success") is not True or at(answer.json, "result") is False):
            return Refused(reason="the card was not updated: success is not true", action=Action.GIVE_UP)
        return refused

    def wait(self) -> timedelta:
        """How long until this app may make another card call; zero: now, and it is taken."""
        name = f"dingtalk:{self._settings.client_id}:cards"
        bucket = Bucket(name=name, every=timedelta(seconds=1) / QPS, burst=QPS)
        return self._services.throttle.take([bucket])

    def _asked(self, call: Callable[[], HttpAnswer]) -> HttpAnswer | Refused | Unknown:
        try:
            return honest("DingTalk", call)
        except NoToken as error:
            return error.refused

    def _callbacks(self) -> dict[str, Json]:
        if self._settings.mode == "http" and self._settings.card_route_key:
            return {"callbackType": "HTTP", "callbackRouteKey": self._settings.card_route_key}
        return {"callbackType": "STREAM"}


def card_text(rendered: str) -> str:
    """Our dialect as AI cards read it: a single line break is `<br>` (§3.2)."""
    return rendered.replace(_LINE_BREAK, "<br>")


def _space(route: Route, robot: str, summary: str) -> dict[str, Json]:
    """Where the card goes: a group, or the robot's chat with a person."""
    model: dict[str, Json] = {"supportForward": True, "lastMessageI18n": {"ZH_CN": summary}}
    if route.group:
        deliver: dict[str, Json] = {"robotCode": robot}
        if route.staff:
            deliver["atUserIds"] = {route.staff: route.nick or route.staff}
        return {
            "openSpaceId": f"dtv1.card//IM_GROUP.{route.conversation}",
            "imGroupOpenSpaceModel": model,
            "imGroupOpenDeliverModel": deliver,
        }
    return {
        "openSpaceId": f"dtv1.card//IM_ROBOT.{route.staff}",
        "imRobotOpenSpaceModel": model,
        "imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT", "robotCode": robot},
    }


def _delivered(answer: Json) -> Card | Refused | Unknown:
    deliveries = list(objects(answer, "result", "deliverResults"))
    failed = [each for each in deliveries if each.get("success") is not True]
    if failed or at(answer, "success") is False:
        said = _UNSAFE.sub("", text(failed[0], "errorMsg"))[:100] if failed else ""
        reason = f"the card was made but not delivered: {said or 'no reason given'}"
        return Refused(reason=reason, action=Action.GIVE_UP, code="deliverResults")
    if not deliveries:
        return Unknown(reason="HTTP 200 without deliverResults")
    return Card(carrier=text(deliveries[0], "carrierId"))
