"""Meta's error codes, as data (sheet §4.4). The code decides, not the HTTP status or the title.

The same fault may come in the HTTP answer, or later as a `failed` status, or both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from adapters.values import Action


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code means, what it asks of the engine, and of the operator. *delay*: the platform's own pace,
    where it differs from ours."""

    action: Action
    meaning: str
    next_step: str
    delay: timedelta | None = None

    def reason(self, code: str) -> str:
        """For the operator's log: the code, its meaning and the next step."""
        return f"{code} {self.meaning}: {self.next_step}"


RETRY, GIVE_UP, ALERT, TOKEN, WINDOW = Action.RETRY, Action.GIVE_UP, Action.ALERT, Action.TOKEN, Action.WINDOW

_TOKEN = "put a system user's permanent token with whatsapp_business_messaging into access_token"  # noqa: S105
_PERMISSION = "give the token's system user whatsapp_business_messaging and access to this WhatsApp account"
_WAIT = "nothing to do, it is tried again"
_BUG = "this is a fault of the software: report it with the code"
_UNREACHABLE = "the customer cannot be reached on WhatsApp: use another way"
_MANAGER = "open the number in WhatsApp Manager"
_TEMPLATE = "correct the template in WhatsApp Manager"
_REGISTER = "register the number again (POST /{phone_number_id}/register) with its PIN"
_PAYMENT = "settle the WhatsApp account's payment method in Meta Business settings; sending stands still until then"
_REPLIES_ONLY = "this concerns marketing messages, not replies: send none to this customer"
_GROUP = "groups are not answered; look at the group in WhatsApp Manager"
_CALLS = "this concerns calls, not messages"
_FLOW = "correct the flow in WhatsApp Manager"
_NUMBER = "set phone_number_id to the id in the app's API setup"

_MINUTE = timedelta(minutes=1)


def _each(codes: Iterable[int], rule: Rule) -> Mapping[str, Rule]:
    return {str(code): rule for code in codes}


RULES: Mapping[str, Rule] = {
    # credentials and permissions
    "0": Rule(TOKEN, "the access token was invalidated", _TOKEN, _MINUTE),
    "190": Rule(TOKEN, "the access token has expired", _TOKEN, _MINUTE),
    "3": Rule(ALERT, "the app lacks a capability or permission", _PERMISSION),
    "10": Rule(ALERT, "a permission is missing or was removed", _PERMISSION),
    **_each(range(200, 300), Rule(ALERT, "a permission is missing or was removed", _PERMISSION)),
    "131005": Rule(ALERT, "a permission is missing or was removed", _PERMISSION),
    "33": Rule(ALERT, "the number is deleted, or its id is wrong", _NUMBER),
    # the platform itself
    "1": Rule(RETRY, "invalid request or a fault of the server", _WAIT, timedelta(seconds=5)),
    "2": Rule(RETRY, "the platform is down or overloaded", _WAIT, timedelta(seconds=2)),
    "131000": Rule(RETRY, "an unknown fault of the platform", _WAIT, timedelta(seconds=2)),
    "131016": Rule(RETRY, "the service is unavailable", _WAIT, timedelta(seconds=2)),
    "133004": Rule(RETRY, "the server is unavailable", _WAIT, timedelta(seconds=2)),
    "131057": Rule(RETRY, "the number is in maintenance", _WAIT, _MINUTE),
    # limits
    "4": Rule(RETRY, "the app's call limit is reached", "see the app's rate limits in the dashboard", 5 * _MINUTE),
    "80007": Rule(RETRY, "the WhatsApp account's rate limit is reached", _WAIT, _MINUTE),
    "130429": Rule(RETRY, "the number sends faster than its throughput allows", _WAIT, timedelta(seconds=1)),
    "131056": Rule(RETRY, "too many messages to this customer in a short time", _WAIT, timedelta(seconds=6)),
    "131048": Rule(ALERT, "the number's spam limit is reached", f"{_MANAGER}: look at its quality"),
    # the request
    "100": Rule(GIVE_UP, "a parameter is wrong or unsupported", "check api_version, else report it with the code"),
    "131008": Rule(GIVE_UP, "a parameter is missing", _BUG),
    "131009": Rule(GIVE_UP, "a parameter is invalid", _BUG),
    "131021": Rule(GIVE_UP, "the customer is the business itself", "nothing to do: it was its own message"),
    "131051": Rule(GIVE_UP, "the message type is not supported", _BUG),
    "131052": Rule(GIVE_UP, "the customer's media could not be downloaded", "ask the customer to send it again"),
    "131053": Rule(GIVE_UP, "media could not be uploaded", "check its type and size"),
    "131060": Rule(GIVE_UP, "the message is unavailable for now", "ask the customer to send it again"),
    "135000": Rule(GIVE_UP, "a fault in the request's parameters", _BUG),
    "137000": Rule(GIVE_UP, "the customer's identity changed", "make sure of who writes before going on"),
    # the customer
    "131026": Rule(GIVE_UP, "undeliverable: no WhatsApp, too old, terms not accepted, or blocked", _UNREACHABLE),
    "131030": Rule(ALERT, "not among the test number's recipients", "add the customer there, or use a real number"),
    "131043": Rule(GIVE_UP, "the message expired before it was delivered", _UNREACHABLE),
    "131047": Rule(WINDOW, "more than 24 hours since the customer wrote", "send a template, or call the customer"),
    "131049": Rule(GIVE_UP, "withheld to keep the customer from too much marketing", _REPLIES_ONLY),
    "131050": Rule(GIVE_UP, "the customer stopped marketing messages", _REPLIES_ONLY),
    "130472": Rule(GIVE_UP, "the customer is in an experiment of Meta's", _REPLIES_ONLY),
    "131062": Rule(GIVE_UP, "the user id cannot be used for this message", "send it to the phone number"),
    # the account
    "131031": Rule(ALERT, "the account is locked", f"{_MANAGER}: nothing can be sent until Meta unlocks it"),
    "368": Rule(ALERT, "the account is blocked for a policy violation", f"{_MANAGER}: read why, and appeal"),
    "130497": Rule(ALERT, "the business may not write to this country", "see WhatsApp's commerce policy for it"),
    "131037": Rule(ALERT, "the number's display name is not approved", f"{_MANAGER}: have it approved"),
    "131042": Rule(ALERT, "a payment problem", _PAYMENT),
    "134011": Rule(ALERT, "the payment terms are not accepted", _PAYMENT),
    "131045": Rule(ALERT, "the number is not registered, or its certificate is wrong", _REGISTER),
    "133010": Rule(ALERT, "the number is not registered", _REGISTER),
    "131063": Rule(ALERT, "a limit on the account (new in 2026, not yet documented)", _MANAGER),
    "131064": Rule(ALERT, "limited for template violations", f"{_MANAGER} and look at the templates"),
    "133000": Rule(ALERT, "an earlier deregistration has not finished", _REGISTER),
    "133005": Rule(ALERT, "the two-step PIN is wrong", _REGISTER),
    "133006": Rule(ALERT, "the number must be verified again", _REGISTER),
    "133008": Rule(ALERT, "too many guesses of the two-step PIN", "wait some hours, then register the number"),
    "133009": Rule(ALERT, "the two-step PIN was entered too fast", "wait some hours, then register the number"),
    "133015": Rule(ALERT, "the number was deleted a moment ago", "wait five minutes, then register it again"),
    "133016": Rule(ALERT, "too many registrations of this number", "wait three days before registering it again"),
    # templates
    "132000": Rule(GIVE_UP, "the number of template parameters is wrong", _TEMPLATE),
    "132001": Rule(ALERT, "no such template in this language, or not approved", _TEMPLATE),
    "132005": Rule(GIVE_UP, "the filled-in template is too long", _TEMPLATE),
    "132007": Rule(GIVE_UP, "the template's content breaks a policy", _TEMPLATE),
    "132008": Rule(GIVE_UP, "a template parameter is too long", _TEMPLATE),
    "132012": Rule(GIVE_UP, "a template parameter has the wrong format", _TEMPLATE),
    "132015": Rule(ALERT, "the template is paused for low quality", _TEMPLATE),
    "132016": Rule(ALERT, "the template is disabled for low quality", _TEMPLATE),
    "132018": Rule(GIVE_UP, "a template parameter is wrong", _TEMPLATE),
    "132068": Rule(GIVE_UP, "the flow is blocked", _FLOW),
    "132069": Rule(RETRY, "the flow is throttled to ten messages an hour", _FLOW, 60 * _MINUTE),
    # what this adapter does not use
    "131055": Rule(GIVE_UP, "this belongs to the Marketing Messages API", _REPLIES_ONLY),
    **_each(range(134100, 134103), Rule(GIVE_UP, "this belongs to the Marketing Messages API", _REPLIES_ONLY)),
    "131020": Rule(GIVE_UP, "the group cannot be written to", _GROUP),
    "131041": Rule(GIVE_UP, "the group cannot be written to", _GROUP),
    "131059": Rule(GIVE_UP, "the group cannot be written to", _GROUP),
    **_each(range(131201, 131216), Rule(GIVE_UP, "the group request failed", _GROUP)),
    "131044": Rule(GIVE_UP, "this belongs to calling", _CALLS),
    **_each(range(138100, 138200), Rule(GIVE_UP, "this belongs to calling", _CALLS)),
    # only seen by `frontdesk check`
    "2500": Rule(ALERT, "the API version or the token is not there", "set an api_version that Meta serves"),
    "130501": Rule(GIVE_UP, "the message type is not supported in groups", _GROUP),
}

UNDOCUMENTED = Rule(GIVE_UP, "an undocumented code", "look it up in Meta's list of WhatsApp error codes")


def rule(code: str) -> Rule:
    return RULES.get(code, UNDOCUMENTED)
