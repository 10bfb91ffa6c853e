"""The ways out, in their order: the card that is there, the session webhook while it is open, the OpenAPI."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from adapters.channel import Services
from adapters.dingtalk.api import OpenApi
from adapters.dingtalk.choices import ChoiceCards, retried
from adapters.dingtalk.finishing import Finisher
from adapters.dingtalk.outbound import (
    api_body,
    api_link,
    api_text,
    body_cost,
    numbered,
    webhook_body,
    webhook_link,
    webhook_picture,
)
from adapters.dingtalk.paces import PACES
from adapters.dingtalk.quota import WEBHOOK_MESSAGES
from adapters.dingtalk.route import Route
from adapters.dingtalk.rules import WEBHOOKS_SPENT
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.uploads import Uploaded, Uploads, message_of
from adapters.dingtalk.verdict import refusal
from adapters.dingtalk.webhook import Webhooks
from adapters.dingtalk.wire import Wire
from adapters.http import MaybeSent, NotSent
from adapters.patience import Patience
from adapters.payload import Json, at, text
from adapters.text import Limit, split
from adapters.tokens import NoToken
from adapters.values import Action, Attachment, Delivered, Outcome, Part, Refused, Reply, Unknown

ONE_TO_ONE = "/v1.0/robot/oToMessages/batchSend"
TO_GROUP = "/v1.0/robot/groupMessages/send"
_JSON = {"content-type": "application/json; charset=utf-8"}
SHORTEST = 500
"""Characters. What is refused as too long though it is shorter is not cut again."""
GUEST = Refused(
    reason="the session webhook is closed, and DingTalk names no staff id of this guest: answer by hand",
    action=Action.WINDOW,
)


class Sender:
    """Sends the parts of one channel's replies. Raises NoToken, NotSent and MaybeSent."""

    def __init__(
        self,
        settings: DingTalkSettings,
        services: Services,
        *,
        wire: Wire,
        api: OpenApi,
        webhooks: Webhooks,
        choices: ChoiceCards,
        finisher: Finisher,
    ) -> None:
        self._settings = settings
        self._services = services
        self._wire = wire
        self._api = api
        self._webhooks = webhooks
        self._choices = choices
        self._finisher = finisher
        self._uploads = Uploads(services, api)
        self._patience = Patience(PACES)

    def send(self, reply: Reply, index: int) -> Outcome:
        """By the card that grew with the answer, if there is one and it can be finished; else as a message."""
        outcome = self._sent(reply, index)
        if isinstance(outcome, Refused):
            return self._patience.judged(reply.part_key(index), outcome)
        self._patience.forget(reply.part_key(index))
        return outcome

    def _sent(self, reply: Reply, index: int) -> Outcome:
        route, part = Route.of(reply.route), reply.parts[index]
        finished = self._finisher.finish(reply, index)
        if finished is None:
            return self._part(reply, index, part, route)
        if not isinstance(finished, Delivered):
            return finished
        rest = self._finisher.rest(part)
        return self._part(reply, index, rest, route) if rest is not None else finished

    def _part(self, reply: Reply, index: int, part: Part, route: Route) -> Outcome:
        if part.attachment is not None:
            return self._attached(part.attachment, route)
        if part.choices:
            card = self._card(reply, index, part, route)
            if card is not None:
                return card
            part = replace(part, text=numbered(part.text, part.choices))
        return self._text(route, part.text, route.staff if route.group and index == 0 else "")

    def _card(self, reply: Reply, index: int, part: Part, route: Route) -> Outcome | None:
        """The choices as a card with buttons; None: they go out as a list, since there is no card, or DingTalk made
        none however often it was asked."""
        if not (self._settings.choice_template_id and route.by_api):
            return None
        outcome = self._choices.send(_with(reply, index, part), index, route)
        if isinstance(outcome, Delivered):
            return outcome
        again = asked_again(outcome)
        if isinstance(again, Refused):
            again = self._patience.judged(f"{reply.part_key(index)}-card", again)
        return again if retried(again) else None

    def _text(self, route: Route, words: str, mention: str) -> Outcome:
        """In two messages if DingTalk finds one too long, whose real limits may be others than the documented."""
        outcome = self._either(route, webhook_body(words, mention=mention), api_text(words))
        too_long = isinstance(outcome, Refused) and outcome.action is Action.SPLIT
        if not too_long or len(words) < 2 * SHORTEST:
            return outcome
        first, *others = split(words, Limit(size=body_cost(words) * 2 // 3, measure=body_cost))
        outcome = self._text(route, first, mention)
        return self._text_after(route, others) if isinstance(outcome, Delivered) else outcome

    def _text_after(self, route: Route, pieces: Sequence[str]) -> Outcome:
        """The rest of a text whose beginning is out: whatever stops it, the beginning is not to be said again."""
        outcome: Outcome = Delivered()
        for piece in pieces:
            try:
                outcome = self._text(route, piece, "")
            except (NoToken, NotSent, MaybeSent) as error:
                outcome = Unknown(reason=type(error).__name__)
            if not isinstance(outcome, Delivered):
                reason = f"only the beginning of a long answer was sent: {outcome.reason}"
                return Refused(reason=reason, action=Action.GIVE_UP)
        return outcome

    def _either(self, route: Route, body: bytes, message: tuple[str, Mapping[str, str]]) -> Outcome:
        """By the webhook if it is open; by the OpenAPI if it is not, or turns out to be closed. Where that cannot
        reach the customer either, a spent quota is the operator's to mend."""
        outcome = self._by_webhook(route, body)
        if outcome is not None and not _closed(outcome):
            return outcome
        if isinstance(outcome, Refused) and outcome.code == WEBHOOKS_SPENT and not route.by_api:
            return replace(outcome, action=Action.ALERT)
        return self._by_api(route, message)

    def _by_webhook(self, route: Route, body: bytes) -> Outcome | None:
        """None if there is no open webhook. The address is looked at again: the route was stored meanwhile. An
        answered message is counted as two, itself and its answer: how DingTalk counts is not documented (§2.7)."""
        now = self._services.now()
        if not self._open(route, now):
            return None
        counted = {WEBHOOK_MESSAGES: 2}
        answer = self._wire.call("POST", route.webhook, body=body, headers=_JSON, counted=counted)
        verdict = refusal(answer, now, uncoded=Action.REROUTE)
        if verdict is None and text(answer.json, "errcode") != "0":
            return Unknown(reason="HTTP 200 without errcode")
        return verdict or Delivered()

    def _open(self, route: Route, now: datetime) -> bool:
        expires = route.webhook_expires
        return bool(route.webhook) and expires is not None and self._webhooks.usable(route.webhook, expires, now)

    def _by_api(self, route: Route, message: tuple[str, Mapping[str, str]]) -> Outcome:
        if not route.group and not route.staff:
            return GUEST
        path, to = _receiver(route)
        answer = self._api.post(path, api_body(message, robot=self._settings.robot, to=to))
        return sent(answer.json, refusal(answer, self._services.now()))

    def _attached(self, attachment: Attachment, route: Route) -> Outcome:
        if not attachment.file:
            return self._linked(attachment, route)
        if not route.by_api and attachment.kind != "image":  # a webhook takes pictures only (§2.1)
            name = f"📎 {attachment.name or attachment.file}"
            return self._either(route, webhook_body(name), api_text(name))
        uploaded = self._uploads.bring(attachment)
        if not isinstance(uploaded, Uploaded):
            return _unsent(uploaded)
        if attachment.kind == "image":
            return self._picture(uploaded, route)
        cover = self._uploads.bring_cover() if attachment.kind == "video" else ""
        if not isinstance(cover, str):
            return _unsent(cover)
        return self._by_api(route, message_of(uploaded, attachment.kind, cover))

    def _picture(self, uploaded: Uploaded, route: Route) -> Outcome:
        return self._either(
            route, webhook_picture(uploaded.media_id, uploaded.name), message_of(uploaded, "image", "")
        )

    def _linked(self, attachment: Attachment, route: Route) -> Outcome:
        """A public address: shown if it is a picture, else behind a button."""
        name, url = attachment.name or attachment.url.rpartition("/")[2] or attachment.url, attachment.url
        if attachment.kind == "image":
            message = ("sampleImageMsg", {"photoURL": url})
            return self._either(route, webhook_picture(url, attachment.name), message)
        return self._either(route, webhook_link(name, url), api_link(name, url))


def _receiver(route: Route) -> tuple[str, dict[str, Json]]:
    """A group's id never goes to the API for persons, which would not know it (§10)."""
    if route.group:
        return TO_GROUP, {"openConversationId": route.conversation}
    return ONE_TO_ONE, {"userIds": [route.staff]}


def sent(answer: Json, refused: Refused | Unknown | None) -> Outcome:
    """HTTP 200 does not mean delivered: three lists name those who get nothing (§2.4)."""
    if refused is not None:
        return refused
    for field, listed in _LISTS.items():
        if at(answer, field):
            return listed
    key = text(answer, "processQueryKey")
    return Delivered(platform_id=key) if key else Unknown(reason="HTTP 200 without processQueryKey")


def asked_again(outcome: Outcome) -> Outcome:
    """What is not known of a card may be asked again without harm, whatever this channel's promise says of its
    messages: cards are named by us."""
    if isinstance(outcome, Unknown):
        return Refused(reason=f"{outcome.reason}; a card may be asked for again", action=Action.RETRY)
    return outcome


def _unsent(outcome: Refused | Unknown) -> Refused:
    """An upload that came to nothing was no message."""
    if isinstance(outcome, Unknown):
        return Refused(reason=f"the file was not uploaded: {outcome.reason}", action=Action.RETRY)
    return outcome


def _with(reply: Reply, index: int, part: Part) -> Reply:
    parts = (*reply.parts[:index], part, *reply.parts[index + 1 :])
    return replace(reply, parts=parts)


def _closed(outcome: Outcome) -> bool:
    """Whether another way may be open; a token error of a call that takes no token is an odd way to say so."""
    return isinstance(outcome, Refused) and outcome.action in (Action.REROUTE, Action.TOKEN)


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
