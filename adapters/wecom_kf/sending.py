"""`kf/send_msg`: the session is looked at, the budget is counted, the part goes out (WeCom sheet §5.3 and §5.5)."""

from dataclasses import replace

from adapters.growth import Growth
from adapters.payload import text
from adapters.values import Action, Attachment, Delivered, Outcome, Refused, Reply, Unknown
from adapters.wecom.api import DUPLICATE, Result, WeComApi
from adapters.wecom.media import STALE, Uploaded, Uploads
from adapters.wecom_kf.budget import SPENT, Budget
from adapters.wecom_kf.events import message_id
from adapters.wecom_kf.outbound import message
from adapters.wecom_kf.session import HUMANS, Sessions

SEND = "/cgi-bin/kf/send_msg"
NOT_ALLOWED = frozenset({"95013", "95018"})


class Sending:
    """The sends of one account."""

    def __init__(self, api: WeComApi, sessions: Sessions, uploads: Uploads, growth: Growth, open_kfid: str) -> None:
        self._api = api
        self._sessions = sessions
        self._uploads = uploads
        self._budget = Budget(growth, open_kfid)
        self._open_kfid = open_kfid

    def send(self, reply: Reply, index: int) -> Outcome:
        part = reply.parts[index]
        if not part.text.strip() and part.attachment is None:
            return Refused(reason="44004 empty text: it is never sent", action=Action.GIVE_UP, code="44004")
        if refused := self._silence(reply.conversation.peer):
            return refused
        if not self._budget.allows(reply, index):
            return SPENT
        outcome = self._sent(reply, index)
        if not isinstance(outcome, Refused):
            self._budget.spend(reply, index)
        return outcome

    def _silence(self, customer: str, *, anew: bool = False) -> Refused | None:
        """Why nothing may be said now. No answer to that question is a refusal: nothing was sent."""
        state = self._sessions.state(customer, anew=anew)
        if isinstance(state, Unknown):
            return Refused(reason=f"session state: {state.reason}", action=Action.RETRY)
        if isinstance(state, Refused):
            return replace(state, reason=f"session state: {state.reason}")
        if state in HUMANS:
            reason = f"95018: a human serves this customer (session state {state}); the bot stays silent"
            return Refused(reason=reason, action=Action.HUMAN, code="95018")
        return None

    def _sent(self, reply: Reply, index: int) -> Outcome:
        """A media_id that the platform has forgotten is replaced once (40007)."""
        attachment = reply.parts[index].attachment
        for anew in (False, True):
            uploaded = self._uploaded(attachment, anew=anew)
            if isinstance(uploaded, Refused):
                return uploaded
            result = self._api.post(SEND, message(reply, index, uploaded, open_kfid=self._open_kfid))
            if uploaded is None or not isinstance(result, Refused) or result.code != STALE:
                break
        if isinstance(result, Refused) and result.code in NOT_ALLOWED:
            return self._silence(reply.conversation.peer, anew=True) or result
        if isinstance(result, Refused) and result.code == DUPLICATE:
            return Delivered(platform_id=message_id(reply.part_key(index)))  # it has the part from before
        return _outcome(result)

    def _uploaded(self, attachment: Attachment | None, *, anew: bool) -> Uploaded | Refused | None:
        """None: there is nothing to upload."""
        if attachment is None or not attachment.file:
            return None
        return self._uploads.media(attachment, anew=anew)


def _outcome(result: Result) -> Outcome:
    if isinstance(result, Refused | Unknown):
        return result
    return Delivered(platform_id=text(result, "msgid"))
