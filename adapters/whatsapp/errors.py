"""Meta's error codes, as data (sheet §4.4). The code decides, not the HTTP status or the title.

The same fault may come in the HTTP answer, or later as a `failed` status, or both. The sheet's actions: R is RETRY
(how often and after how long: :mod:`adapters.whatsapp.paces`), G is GIVE_UP, W is WINDOW, T is TOKEN and A is
ALERT, both for the whole account. Where it says "G + A" the account goes on: one template or country fails.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from adapters.rules import Rule, halt
from adapters.values import Action

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


def _retry(meaning: str, next_step: str = _WAIT) -> Rule:
    return Rule(action=Action.RETRY, meaning=meaning, next_step=next_step)


def _give_up(meaning: str, next_step: str) -> Rule:
    return Rule(action=Action.GIVE_UP, meaning=meaning, next_step=next_step)


def _alert(meaning: str, next_step: str) -> Rule:
    """For what an operator must mend, but what leaves other customers' messages alone."""
    return Rule(action=Action.ALERT, meaning=meaning, next_step=next_step)


def _token(meaning: str) -> Rule:
    return Rule(action=Action.TOKEN, meaning=meaning, next_step=_TOKEN, wait=timedelta(minutes=1), account=True)


def _each(codes: Iterable[int], rule: Rule) -> Mapping[str, Rule]:
    return {str(code): rule for code in codes}


RULES: Mapping[str, Rule] = {
    # credentials and permissions
    "0": _token("the access token was invalidated"),
    "190": _token("the access token has expired"),
    "3": halt("the app lacks a capability or permission", _PERMISSION),
    "10": halt("a permission is missing or was removed", _PERMISSION),
    **_each(range(200, 300), halt("a permission is missing or was removed", _PERMISSION)),
    "131005": halt("a permission is missing or was removed", _PERMISSION),
    "33": halt("the number is deleted, or its id is wrong", _NUMBER),
    # the platform itself
    "1": _retry("invalid request or a fault of the server"),
    "2": _retry("the platform is down or overloaded"),
    "131000": _retry("an unknown fault of the platform"),
    "131016": _retry("the service is unavailable"),
    "133004": _retry("the server is unavailable"),
    "131057": _retry("the number is in maintenance"),
    # limits
    "4": _retry("the app's call limit is reached", "see the app's rate limits in the dashboard"),
    "80007": _retry("the WhatsApp account's rate limit is reached"),
    "130429": _retry("the number sends faster than its throughput allows"),
    "131056": _retry("too many messages to this customer in a short time"),
    "131048": halt("the number's spam limit is reached: customers block or report it", f"{_MANAGER}: look why"),
    # the request
    "100": _give_up("a parameter is wrong or unsupported", "check api_version, else report it with the code"),
    "131008": _give_up("a parameter is missing", _BUG),
    "131009": _give_up("a parameter is invalid", _BUG),
    "131021": _give_up("the customer is the business itself", "nothing to do: it was its own message"),
    "131051": _give_up("the message type is not supported", _BUG),
    "131052": _give_up("the customer's media could not be downloaded", "ask the customer to send it again"),
    "131053": _retry("the media could not be used", "check its type and size"),
    "131060": _give_up("the message is unavailable for now", "ask the customer to send it again"),
    "135000": _give_up("a fault in the request's parameters", _BUG),
    "137000": _give_up("the customer's identity changed", "make sure of who writes before going on"),
    # the customer
    "131026": _give_up("undeliverable: no WhatsApp, too old, terms not accepted, or blocked", _UNREACHABLE),
    "131030": halt("not among the test number's recipients", "add the customer there, or use a real number"),
    "131043": _give_up("the message expired before it was delivered", _UNREACHABLE),
    "131047": Rule(
        action=Action.WINDOW,
        meaning="more than 24 hours since the customer wrote",
        next_step="send a template, or call the customer",
    ),
    "131049": _give_up("withheld to keep the customer from too much marketing", _REPLIES_ONLY),
    "131050": _give_up("the customer stopped marketing messages", _REPLIES_ONLY),
    "130472": _give_up("the customer is in an experiment of Meta's", _REPLIES_ONLY),
    "131062": _give_up("the user id cannot be used for this message", "send it to the phone number"),
    # the account
    "131031": halt("the account is locked", f"{_MANAGER}: nothing can be sent until Meta unlocks it"),
    "368": halt("the account is blocked for a policy violation", f"{_MANAGER}: read why, and appeal"),
    "130497": _alert("the business may not write to this country", "see WhatsApp's commerce policy for it"),
    "131037": halt("the number's display name is not approved", f"{_MANAGER}: have it approved"),
    "131042": halt("a payment problem", _PAYMENT),
    "134011": halt("the payment terms are not accepted", _PAYMENT),
    "131045": halt("the number is not registered, or its certificate is wrong", _REGISTER),
    "133010": halt("the number is not registered", _REGISTER),
    "131063": halt("a limit on the account (new in 2026, not yet documented)", _MANAGER),
    "131064": halt("limited for template violations", f"{_MANAGER} and look at the templates"),
    "133000": halt("an earlier deregistration has not finished", _REGISTER),
    "133005": halt("the two-step PIN is wrong", _REGISTER),
    "133006": halt("the number must be verified again", _REGISTER),
    "133008": halt("too many guesses of the two-step PIN", "wait some hours, then register the number"),
    "133009": halt("the two-step PIN was entered too fast", "wait some hours, then register the number"),
    "133015": halt("the number was deleted a moment ago", "wait five minutes, then register it again"),
    "133016": halt("too many registrations of this number", "wait three days before registering it again"),
    # templates
    "132000": _give_up("the number of template parameters is wrong", _TEMPLATE),
    "132001": _alert("no such template in this language, or not approved", _TEMPLATE),
    "132005": _give_up("the filled-in template is too long", _TEMPLATE),
    "132007": _give_up("the template's content breaks a policy", _TEMPLATE),
    "132008": _give_up("a template parameter is too long", _TEMPLATE),
    "132012": _give_up("a template parameter has the wrong format", _TEMPLATE),
    "132015": _alert("the template is paused for low quality", _TEMPLATE),
    "132016": _alert("the template is disabled for low quality", _TEMPLATE),
    "132018": _give_up("a template parameter is wrong", _TEMPLATE),
    "132068": _give_up("the flow is blocked", _FLOW),
    "132069": _retry("the flow is throttled to ten messages an hour", _FLOW),
    # what this adapter does not use
    "131055": _give_up("this belongs to the Marketing Messages API", _REPLIES_ONLY),
    **_each(range(134100, 134103), _give_up("this belongs to the Marketing Messages API", _REPLIES_ONLY)),
    "131020": _give_up("the group cannot be written to", _GROUP),
    "131041": _give_up("the group cannot be written to", _GROUP),
    "131059": _give_up("the group cannot be written to", _GROUP),
    **_each(range(131201, 131216), _give_up("the group request failed", _GROUP)),
    "131044": _give_up("this belongs to calling", _CALLS),
    **_each(range(138100, 138200), _give_up("this belongs to calling", _CALLS)),
    # only seen by `frontdesk check`
    "2500": _alert("the API version or the token is not there", "set an api_version that Meta serves"),
    "130501": _give_up("the message type is not supported in groups", _GROUP),
}

_LOOK_UP = "look it up in Meta's list of WhatsApp error codes"
UNDOCUMENTED = _give_up("an undocumented code", _LOOK_UP)
UNDOCUMENTED_FAULT = _retry("an undocumented fault of the platform", _LOOK_UP)


def rule(code: str, status: int = 400) -> Rule:
    """What *code* means; what the sheet does not list is judged by the HTTP *status* that it came with."""
    return RULES.get(code) or (UNDOCUMENTED_FAULT if status >= 500 else UNDOCUMENTED)


def said(code: str) -> str:
    """For the operator: the code, its meaning and the next step."""
    return rule(code).refused(code).reason
