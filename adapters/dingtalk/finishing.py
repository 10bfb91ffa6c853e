"""The last word on a card that grew: its final text, tried again while DingTalk refuses it for a time, and what it
does not take as a message of its own (DingTalk sheet §3.2)."""

from dataclasses import replace
from datetime import timedelta

from adapters.dingtalk.cards import CARD_TEXT, Card, card_text
from adapters.dingtalk.growing import PAUSE, Easel, Progress, Step
from adapters.dingtalk.route import Route
from adapters.text import split
from adapters.values import Action, Delivered, Part, Refused, Reply, Unknown

MOST_TRIES = 5
"""Of the final call; then the answer goes out as a message (§2.6: ≤ 5 tries)."""
MENU = "👇"


class Finisher:
    """Finishes the cards of one channel. *easel* None: it has none."""

    def __init__(self, easel: Easel | None) -> None:
        self._easel = easel

    def finish(self, reply: Reply, index: int) -> Delivered | Refused | None:
        """Puts part *index* into the reply's card; None: there is no card for it, or it takes no more."""
        if self._easel is None or index != _first_text(reply):
            return None
        progress = self._easel.ledger.read(reply.key)
        if progress is None or progress.step is Step.FAILED:
            return None
        if progress.step is Step.DONE:
            return Delivered(platform_id=progress.carrier)
        return self._finish(self._easel, reply, index, progress)

    def rest(self, part: Part) -> Part | None:
        """What does not fit into the card: the text behind its limit, and the choices."""
        words = _rest(part.text)
        if not words and not part.choices:
            return None
        return replace(part, text=words or MENU)

    def _finish(self, easel: Easel, reply: Reply, index: int, progress: Progress) -> Delivered | Refused | None:
        left = easel.cards.wait()
        if left > timedelta():
            return Refused(
                reason="the card's last update waits for its turn", action=Action.RETRY, retry_after=left
            )
        if progress.step is Step.MAKING:
            card = easel.make(reply.key, Route.of(reply.route), reply.parts[index].text)
            if not isinstance(card, Card):
                return self._refused(easel, reply.key, progress, card)
            progress = replace(progress, step=Step.SHOWN, carrier=card.carrier)
        refused = easel.cards.stream(reply.key, _beginning(reply.parts[index].text), step="final", final=True)
        if refused is not None:
            return self._refused(easel, reply.key, progress, refused)
        easel.ledger.note(reply.key, replace(progress, step=Step.DONE))
        return Delivered(platform_id=progress.carrier)

    def _refused(self, easel: Easel, key: str, progress: Progress, refused: Refused | Unknown) -> Refused | None:
        """Again later, since a card may be asked for again with the same key; None once that has no prospect: the
        card is marked as failed, so that it does not look busy for ever."""
        progress = replace(progress, tries=progress.tries + 1)
        temporary = isinstance(refused, Unknown) or (refused.action is Action.RETRY)
        if temporary and progress.tries < MOST_TRIES:
            easel.ledger.note(key, progress)
            wait = refused.retry_after if isinstance(refused, Refused) else None
            account = isinstance(refused, Refused) and refused.account
            reason = f"the card's last update: {refused.reason}"
            return Refused(reason=reason, action=Action.RETRY, retry_after=wait or PAUSE, account=account)
        easel.ledger.note(key, replace(progress, step=Step.FAILED))
        if progress.step is Step.SHOWN:
            easel.cards.stream(key, FAILED_TEXT, step="failed", failed=True)
        return None


FAILED_TEXT = "⬇️"
"""What a card shows that could not be finished: the answer follows in a message."""


def _first_text(reply: Reply) -> int:
    return next((index for index, part in enumerate(reply.parts) if part.text and part.attachment is None), -1)


def _beginning(text: str) -> str:
    pieces = split(text, CARD_TEXT)
    return card_text(pieces[0]) if pieces else ""


def _rest(text: str) -> str:
    """Behind the first piece. The pieces are the text's own but for the white space at the cut."""
    pieces = split(text, CARD_TEXT)
    return text.strip()[len(pieces[0]) :].strip() if len(pieces) > 1 else ""
