"""The webhooks of the Cloud API: one value, or several in one body (§1.4, §2.1, §2.6, §2.7)."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.sandbox.whatsapp.people import Person, contact

BATCHES = ("messages", "changes", "entries")
"""How several messages can share one body."""


class Envelopes:
    """Bodies of one number's webhooks."""

    def __init__(self, *, waba_id: str, phone_number_id: str, display_phone_number: str) -> None:
        self._waba_id = waba_id
        self._metadata = {"display_phone_number": display_phone_number, "phone_number_id": phone_number_id}

    def of(self, *, field: str = "messages", **value: Any) -> dict[str, Any]:
        """*value* (contacts, messages, statuses, …) as one change of *field*."""
        return self._body([self._change(value, field)])

    def account(self, field: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """A change that is about the account: no metadata (§2.6)."""
        return self._body([{"value": dict(value), "field": field}])

    def standby(self, **value: Any) -> dict[str, Any]:
        """A passive copy while another owns the thread: nested below `standby` (§2.7)."""
        return self._body([self._change({"standby": value}, "standby")])

    def batch(self, values: Sequence[Mapping[str, Any]], shape: str) -> dict[str, Any]:
        """Several messages' values in one body."""
        if shape == "messages":
            contacts = [each for value in values for each in value["contacts"]]
            messages = [each for value in values for each in value["messages"]]
            return self.of(contacts=contacts, messages=messages)
        changes = [self._change(value, "messages") for value in values]
        if shape == "changes":
            return self._body(changes)
        return {**self._body([]), "entry": [self._entry([change]) for change in changes]}

    def _change(self, value: Mapping[str, Any], field: str) -> dict[str, Any]:
        return {"value": {"messaging_product": "whatsapp", "metadata": self._metadata, **value}, "field": field}

    def _body(self, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {"object": "whatsapp_business_account", "entry": [self._entry(changes)]}

    def _entry(self, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {"id": self._waba_id, "changes": list(changes)}


def sender(person: Person) -> dict[str, str]:
    """Who wrote a message, as its own members say it (§2.4)."""
    fields = {"from": person.wa_id, "from_user_id": person.user_id}
    return {name: value for name, value in fields.items() if value}


def message_value(person: Person, message: Mapping[str, Any], *, profiles: bool = True) -> dict[str, Any]:
    """One message and its contact, as a change's value; a system message has no contacts (§2.2)."""
    whole = {**sender(person), **message}
    if message["type"] == "system":
        return {"messages": [whole]}
    known = contact(person)
    if not profiles:
        known.pop("profile")
    return {"contacts": [known], "messages": [whole]}
