"""Choices as a card with buttons, and what a tap on one says (DingTalk sheet §3.1, §3.3).

The template is the operator's own, built at open-dev.dingtalk.com/fe/card, with the text variables `text`,
`choice1` … `choice6` and `chosen`; button *n* shows `choice<n>`, is hidden while that is empty, and calls back with
the action id `<n>`. (The forms of button lists inside one variable are not documented.)

A callback names the card and the button, but no conversation: what is needed for that lies in the shared growth
store for as long as that keeps it. Later, or for a card of somebody else's making, what the callback itself says is
used where it says enough.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.channel import Services
from adapters.dingtalk.cards import LARGEST_VALUE, Card, Cards
from adapters.dingtalk.route import GROUP, SINGLE, Route
from adapters.dingtalk.settings import DingTalkSettings
from adapters.errors import Malformed
from adapters.payload import Json, at, read_json, text
from adapters.surface import Menu
from adapters.text import Limit, utf8_bytes
from adapters.values import (
    Choice,
    ControlEvent,
    ConversationId,
    Delivered,
    Event,
    Message,
    Outcome,
    Refused,
    Reply,
    Unknown,
)

BUTTONS = Menu(
    most=6,
    title=Limit(size=60, measure=utf8_bytes),
    body=Limit(size=LARGEST_VALUE, measure=utf8_bytes),
)
CHOSEN = "chosen"
LONGEST_ACTION = 64


@dataclass(frozen=True, slots=True)
class ChoiceCards:
    """The choice cards of one channel."""

    channel: str
    settings: DingTalkSettings
    services: Services
    cards: Cards

    def send(self, reply: Reply, index: int, route: Route) -> Outcome:
        """The part's choices as a card. Named by the part's key, so it may be sent again at will: what is not known
        of it is asked anew."""
        part = reply.parts[index]
        track = f"{reply.part_key(index)}-choice"
        self.services.growth.open(self._name(track), _noted(route, part.choices))
        data = {"text": part.text, CHOSEN: "", **_titles(part.choices)}
        card = self.cards.create(track, self.settings.choice_template_id, route, data, part.text)
        return Delivered(platform_id=card.carrier) if isinstance(card, Card) else card

    def event(self, body: Json, received_at: datetime) -> Event:
        """What a callback says: a message with the choice's title, or that somebody touched a card of which
        nothing is known here. Raises Malformed."""
        if text(body, "corpId") != self.settings.corp_id:
            return ControlEvent(channel=self.channel, what="other_corp", at=received_at)
        track, user = text(body, "outTrackId"), text(body, "userId")
        touched = _content(body)
        action = _action(touched)
        known = self.services.growth.read(self._name(track)) if track else None
        told = _told(known.text) if known else _said(body, touched)
        if not (told.conversation and user and told.titles.get(action)):
            detail = {"card": track[:LONGEST_ACTION], "action": action}
            return ControlEvent(channel=self.channel, what="card_action", at=received_at, detail=detail)
        return self._message(track, action, user, told, received_at)

    def _message(self, track: str, action: str, user: str, told: "_Told", received_at: datetime) -> Message:
        """One tap of one person on one button counts once, however often it is delivered."""
        peer = f"{told.conversation}:{user}" if told.group else told.conversation
        try:
            return Message(
                id=f"tap:{track}:{action}:{user}",
                conversation=ConversationId(channel=self.channel, account=self.settings.robot, peer=peer),
                sender=user,
                text=told.titles[action],
                sent_at=received_at,
                kind="actionCallback",
                route={
                    "type": GROUP if told.group else SINGLE,
                    "conversation": told.conversation,
                    "staff": user,
                },
            )
        except ValueError as error:
            raise Malformed(str(error)) from None

    def _name(self, track: str) -> str:
        return f"dingtalk:{self.channel}:{track}"


def update(events: Sequence[Event]) -> Mapping[str, Json]:
    """What a callback is answered with, within two seconds: the card shows what was chosen (§3.3)."""
    chosen = next((event.text for event in events if isinstance(event, Message)), "")
    options: dict[str, Json] = {"updateCardDataByKey": True, "updatePrivateDataByKey": True}
    values: dict[str, Json] = {CHOSEN: chosen} if chosen else {}
    return {"cardData": {"cardParamMap": values}, "cardUpdateOptions": options}


def retried(outcome: Outcome) -> bool:
    """Whether a card's fate is open, rather than sealed."""
    return isinstance(outcome, Unknown) or (isinstance(outcome, Refused) and not outcome.permanent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    conversation: str
    group: bool
    titles: Mapping[str, str]


def _titles(choices: Sequence[Choice]) -> dict[str, str]:
    shown = {f"choice{number}": choice.title for number, choice in enumerate(choices, 1)}
    return {f"choice{number}": "" for number in range(1, BUTTONS.most + 1)} | shown


def _noted(route: Route, choices: Sequence[Choice]) -> str:
    titles = {str(number): choice.title for number, choice in enumerate(choices, 1)}
    return json.dumps({"conversation": route.conversation, "group": route.group, "titles": titles})


def _told(noted: str) -> _Told:
    found = json.loads(noted)
    return _Told(conversation=found["conversation"], group=found["group"], titles=found["titles"])


def _said(body: Json, touched: Json) -> _Told:
    """The stream, and newer HTTP callbacks, name the space; a button's parameters may carry its `title`."""
    action, title = _action(touched), text(touched, "cardPrivateData", "params", "title")
    return _Told(
        conversation=text(body, "spaceId"),
        group=text(body, "spaceType") == "IM_GROUP",
        titles={action: title} if title else {},
    )


def _content(body: Json) -> Json:
    found = at(body, "content")
    return read_json(found.encode("utf-8", "replace")) if isinstance(found, str) else found


def _action(touched: Json) -> str:
    found = at(touched, "cardPrivateData", "actionIds")
    first = found[0] if isinstance(found, list) and found else ""
    return first[:LONGEST_ACTION] if isinstance(first, str) else ""
