"""News of the account, its numbers and its templates, not of a customer (sheet §2.6)."""

from collections.abc import Mapping

from adapters.payload import Json, at, objects
from adapters.values import Control, Event
from adapters.whatsapp.source import Source, word

_TOLD: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "account_update": {"event": ("event",), "violation": ("violation_info", "violation_type")},
    "account_alerts": {"alert": ("alert_type",), "severity": ("alert_severity",), "status": ("alert_status",)},
    "account_review_update": {"decision": ("decision",)},
    "account_settings_update": {},
    "business_capability_update": {"limit": ("max_daily_conversations_per_business",)},
    "business_username_updates": {"status": ("status",)},
    "message_template_status_update": {
        "event": ("event",),
        "template": ("message_template_name",),
        "language": ("message_template_language",),
        "reason": ("reason",),
        "title": ("other_info", "title"),
    },
    "message_template_quality_update": {
        "template": ("message_template_name",),
        "language": ("message_template_language",),
        "quality": ("new_quality_score",),
    },
    "message_template_components_update": {
        "template": ("message_template_name",),
        "language": ("message_template_language",),
    },
    "template_category_update": {
        "template": ("message_template_name",),
        "language": ("message_template_language",),
        "category": ("new_category",),
    },
    "phone_number_name_update": {"decision": ("decision",), "reason": ("rejection_reason",)},
    "phone_number_quality_update": {"event": ("event",), "limit": ("max_daily_conversations_per_business",)},
    "payment_configuration_update": {"status": ("status",)},
    "partner_solutions": {"event": ("event",), "status": ("solution_status",)},
    "security": {"event": ("event",)},
}
"""What of each field is told on, by its name and its path. Never a number, a name or a text of a person."""

ACCOUNT_FIELDS = frozenset(_TOLD)

_MANAGER = "open the account in WhatsApp Manager, and read there what is to be done"
_BLOCKING: Mapping[str, str] = {
    "ACCOUNT_DELETED": "the WhatsApp account was deleted",
    "ACCOUNT_OFFBOARDED": "the number was taken off the platform",
    "PARTNER_REMOVED": "the account was taken away from this app: share it again",
    "PARTNER_APP_UNINSTALLED": "the app was uninstalled from the account: install it again",
}
_RESTORING = frozenset({"ACCOUNT_RECONNECTED", "PARTNER_ADDED", "PARTNER_APP_INSTALLED"})
_REPLIES_RESTRICTED = "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"
"""The restriction that stops answers. RESTRICTED_BIZ_INITIATED_MESSAGING stops templates only."""


def account_event(source: Source, field: str, value: Json, entry: Json) -> Event:
    """*field*'s own event; or that nothing can be sent any more, or that it can again."""
    detail = {name: word(value, *path) for name, path in _TOLD[field].items()}
    if field != "account_update":
        return source.event(field, entry, **detail)
    if reason := _blocked(value):
        return source.event(Control.ACCOUNT_BLOCKED, entry, reason=f"{reason}; {_MANAGER}", **detail)
    if _restored(value):
        return source.event(Control.ACCOUNT_RESTORED, entry, **detail)
    return source.event(field, entry, **_banned(value), **detail, restriction=_restrictions(value)[:256])


def _blocked(value: Json) -> str:
    """Why nothing can be sent, or "". A ban that is only announced stops nothing yet."""
    event = word(value, "event")
    if event == "DISABLED_UPDATE" and word(value, "ban_info", "waba_ban_state") == "DISABLE":
        return "Meta disabled the WhatsApp account"
    if event == "ACCOUNT_RESTRICTION" and _REPLIES_RESTRICTED in _restrictions(value):
        return "Meta restricted the account: customers may not be answered"
    return _BLOCKING.get(event, "")


def _restored(value: Json) -> bool:
    reinstated = word(value, "ban_info", "waba_ban_state") == "REINSTATE"
    return word(value, "event") in _RESTORING or (word(value, "event") == "DISABLED_UPDATE" and reinstated)


def _banned(value: Json) -> Mapping[str, str]:
    return {"ban": word(value, "ban_info", "waba_ban_state"), "ban_date": word(value, "ban_info", "waba_ban_date")}


def _restrictions(value: Json) -> str:
    told = objects({"list": at(value, "restriction_info")}, "list")
    each = (f"{word(one, 'restriction_type')} until {word(one, 'expiration') or 'further notice'}" for one in told)
    return ", ".join(each)
