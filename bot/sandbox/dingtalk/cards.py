"""Cards: created, delivered, updated, streamed into, and tapped (§3).

A template shows the variable `text` or its streaming variable, and a button for each `choice<n>` that is not empty;
the button's action id is *n*.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.sandbox.dingtalk.errors import QPS, api_error
from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.journal import Choice, Grown, Journal, SentMessage
from bot.sandbox.simulator.platform import Post, member
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

LARGEST_VALUE = 1024
"""Bytes of one variable at creation (§3.1)."""
LARGEST_STREAMED = 3 * 1024
"""Characters of a streamed variable (§3.2: recommended; what really is too large is not documented)."""
SPACE = re.compile(r"dtv1\.card//(IM_GROUP|IM_ROBOT)\.(.+)")


@dataclass(slots=True, kw_only=True)
class Card:
    """*state* is processing, inputting, finished or failed; *calls* the guids that were taken."""

    track: str
    template: str
    variables: dict[str, str]
    to: str = ""
    state: str = "processing"
    calls: set[str] = field(default_factory=set)
    callback: str = ""


class Space(Protocol):
    """What cards need of the platform."""

    clock: Clock
    journal: Journal
    robot_code: str
    strangers: bool

    def staff(self, user: str) -> str | None: ...

    def in_group(self, place: str) -> bool: ...


class Cards:
    """*fails_delivery*: the creation succeeds, and the delivery inside it does not. *busy_finals*: so many final
    updates are refused for the rate. *known_templates*: others do not exist; empty: every one does."""

    def __init__(self, space: Space, authorise: Callable[[Incoming], None]) -> None:
        self._space = space
        self._authorise = authorise
        self.fails_delivery = False
        self.busy_finals = 0
        self.known_templates: set[str] = set()
        self.callback_url = ""
        self.cards: dict[str, Card] = {}
        self._guard = threading.RLock()

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/v1\.0/card/instances/createAndDeliver", "card", self._on_create_and_deliver),
            route("POST", r"/v1\.0/card/instances", "card", self._on_create),
            route("POST", r"/v1\.0/card/instances/deliver", "card", self._on_deliver),
            route("PUT", r"/v1\.0/card/instances", "card_update", self._on_update),
            route("PUT", r"/v1\.0/card/streaming", "card_stream", self._on_streaming),
            route("POST", r"/v1\.0/card/callbacks/register", "card_register", self._on_register),
        )

    def tapped(self, track: str, choice: str) -> tuple[Card, str]:
        """The card and the title of what was tapped. Raises KeyError."""
        card = self.cards[track]
        return card, {each.id: each.title for each in _choices(card)}[choice]

    def _on_create_and_deliver(self, exchange: Exchange) -> Answer:
        body = self._body(exchange.incoming)
        with self._guard:
            card = self._create(body)
            results = [self._deliver(card, body)]
        return answer_json({"success": True, "result": {"outTrackId": card.track, "deliverResults": results}})

    def _on_create(self, exchange: Exchange) -> Answer:
        with self._guard:
            card = self._create(self._body(exchange.incoming))
        return answer_json({"success": True, "result": card.track})

    def _on_deliver(self, exchange: Exchange) -> Answer:
        body = self._body(exchange.incoming)
        with self._guard:
            results = [self._deliver(self._known(body), body)]
        return answer_json({"success": True, "result": results})

    def _on_update(self, exchange: Exchange) -> Answer:
        """Without `updateCardDataByKey` everything is overwritten (§3.1)."""
        body = self._body(exchange.incoming)
        with self._guard:
            card = self._known(body)
            fresh = _variables(member(body, "cardData", "cardParamMap"))
            by_key = member(body, "cardUpdateOptions", "updateCardDataByKey") is True
            card.variables = {**card.variables, **fresh} if by_key else fresh
            self._grow(card, _text(card))
        return answer_json({"success": True, "result": True})

    def _on_streaming(self, exchange: Exchange) -> Answer:
        body = self._body(exchange.incoming)
        guid, key, content = (member(body, name) for name in ("guid", "key", "content"))
        if not all(isinstance(each, str) for each in (guid, key, content)) or not guid or not key:
            raise api_error(400, "param.invalid", "guid, key and content are strings", rule="parameter_missing")
        final = member(body, "isFinalize") is True
        with self._guard:
            card = self._known(body)
            if guid in card.calls:
                return answer_json({"success": True, "result": True})
            self._check_stream(card, body, str(content), final=final)
            card.calls.add(str(guid))
            card.variables[str(key)] = str(content)
            card.state = "failed" if member(body, "isError") is True else "finished" if final else "inputting"
            self._grow(card, str(content))
        return answer_json({"success": True, "result": True})

    def _check_stream(self, card: Card, body: Any, content: str, *, final: bool) -> None:
        if final and self.busy_finals:
            self.busy_finals -= 1
            raise api_error(403, QPS, "too many calls a second")
        if card.state in ("finished", "failed"):
            raise api_error(400, "param.cardFinished", card.state, rule="stream_after_its_end")
        if member(body, "isFull") is not True:
            raise api_error(400, "param.isFull", "a markdown variable wants the whole text", rule="stream_not_full")
        if len(content) > LARGEST_STREAMED:
            raise api_error(400, "param.contentTooLarge", "content is too large", rule="too_long")
        shown = _text(card)
        if shown and not final and not content.startswith(shown[: len(shown) // 2]):
            raise api_error(400, "param.notCumulative", "the text became another", rule="stream_not_cumulative")

    def _on_register(self, exchange: Exchange) -> Answer:
        body = self._body(exchange.incoming)
        if not member(body, "callbackRouteKey") or not member(body, "callbackUrl"):
            raise api_error(400, "param.invalid", "callbackRouteKey and callbackUrl", rule="parameter_missing")
        self.callback_url = str(body["callbackUrl"])
        return answer_json({"success": True, "result": {"callbackUrl": self.callback_url}})

    def _body(self, incoming: Incoming) -> Any:
        self._authorise(incoming)
        return incoming.json()

    def _create(self, body: Any) -> Card:
        template, track = member(body, "cardTemplateId"), member(body, "outTrackId")
        if not isinstance(template, str) or not isinstance(track, str) or not template or not track:
            raise api_error(400, "param.invalid", "cardTemplateId and outTrackId", rule="parameter_missing")
        if self.known_templates and template not in self.known_templates:
            raise api_error(400, "param.templateNotExist", template)
        if track in self.cards:
            raise api_error(400, "param.cardAlreadyExist", "outTrackId")
        variables = _variables(member(body, "cardData", "cardParamMap"))
        callback = str(member(body, "callbackType") or "")
        self.cards[track] = Card(track=track, template=template, variables=variables, callback=callback)
        return self.cards[track]

    def _deliver(self, card: Card, body: Any) -> dict[str, Any]:
        kind, place = self._place(body)
        result = {"spaceType": kind, "spaceId": place, "carrierId": "", "errorMsg": ""}
        if self.fails_delivery:
            return {**result, "success": False, "errorMsg": "deliver failed"}
        card.to = place if kind == "IM_GROUP" else self._space.staff(place) or place
        if _text(card):
            self._grow(card, _text(card))
        return {**result, "success": True, "carrierId": f"carrier-{card.track}"}

    def _place(self, body: Any) -> tuple[str, str]:
        """Where the card goes, and whether the robot may put it there."""
        found = SPACE.fullmatch(str(member(body, "openSpaceId")))
        if found is None:
            raise api_error(400, "param.openSpaceIdInvalid", "openSpaceId", rule="parameter_invalid")
        model = "imGroupOpenDeliverModel" if found[1] == "IM_GROUP" else "imRobotOpenDeliverModel"
        if found[1] == "IM_GROUP" and member(body, model, "robotCode") != self._space.robot_code:
            raise api_error(400, "param.robotCode", f"{model}.robotCode", rule="wrong_robot_code")
        known = self._space.in_group(found[2]) if found[1] == "IM_GROUP" else self._space.staff(found[2])
        if not known and not self._space.strangers:
            raise api_error(400, "param.openSpaceIdInvalid", "nobody there")
        return found[1], found[2]

    def _known(self, body: Any) -> Card:
        card = self.cards.get(str(member(body, "outTrackId")))
        if card is None:
            raise api_error(400, "param.cardNotExist", "outTrackId", rule="unknown_card")
        return card

    def _grow(self, card: Card, text: str) -> None:
        """What the customer sees now. A card without a stream is whole from the beginning."""
        now, choices = self._space.clock.now(), _choices(card)
        finished = card.state in ("finished", "failed")
        whole = finished or (bool(choices) and card.state == "processing")
        grown = Grown(to=card.to, text=text, platform_id=card.track, finished=whole, at=now)
        self._space.journal.add(grown)
        if whole:
            self._space.journal.add(
                SentMessage(
                    to=card.to,
                    text=text,
                    key=card.track,
                    at=now,
                    raw={"outTrackId": card.track, "state": card.state, "variables": dict(card.variables)},
                    platform_id=card.track,
                    style="markdown",
                    choices=choices,
                )
            )


def _variables(given: Any) -> dict[str, str]:
    """Every value is a string (§3.1)."""
    if not isinstance(given, dict):
        raise api_error(400, "param.cardParamMap", "cardData.cardParamMap", rule="parameter_missing")
    wrong = [name for name, value in given.items() if not isinstance(value, str)]
    if wrong:
        raise api_error(400, "param.cardParamMap", f"{wrong[0]} is no string", rule="card_value_not_a_string")
    large = [name for name, value in given.items() if len(value.encode()) > LARGEST_VALUE]
    if large:
        raise api_error(400, "param.cardParamMap", f"{large[0]} is larger than 1 KB", rule="too_long")
    return dict(given)


def _text(card: Card) -> str:
    names = ("msgContent", "content", "text", "markdown")
    return next((card.variables[name] for name in names if card.variables.get(name)), "")


def _choices(card: Card) -> tuple[Choice, ...]:
    named = sorted(name for name in card.variables if re.fullmatch(r"choice[0-9]+", name))
    return tuple(
        Choice(id=name.removeprefix("choice"), title=card.variables[name]) for name in named if card.variables[name]
    )


def callback(card: Card, choice: str, user: str, corp_id: str) -> Mapping[str, Any]:
    """What DingTalk posts of a tap (§3.3)."""
    content = {"cardPrivateData": {"actionIds": [choice], "params": {}}}
    return {
        "type": "actionCallback",
        "outTrackId": card.track,
        "corpId": corp_id,
        "userId": user,
        "content": json.dumps(content, ensure_ascii=False),
    }


def post(data: Mapping[str, Any], secret: str, timestamp: str) -> Post:
    """A tap on its way to the bot; the signature covers the time only (§3.3)."""
    digest = hmac.new(secret.encode(), timestamp.encode(), hashlib.sha256).digest()
    return Post(
        what="card",
        message_id=str(data["outTrackId"]),
        suffix="/card",
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "x-ddpaas-signature-timestamp": timestamp,
            "x-ddpaas-signature": base64.b64encode(digest).decode(),
        },
        body=json.dumps(data, ensure_ascii=False).encode(),
    )
