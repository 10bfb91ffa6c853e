"""The number's own details, and webhooks that are about who answers: handovers and echoes (§2.6, §2.7, §3.7)."""

from datetime import datetime
from typing import Any

from bot.sandbox.simulator.serving import Answer, answer_json
from bot.sandbox.whatsapp.envelopes import Envelopes
from bot.sandbox.whatsapp.people import Person


def number(*, phone_number_id: str, waba_id: str, display_phone_number: str) -> Answer:
    """`GET /{phone number id}` with its health (§3.7)."""
    available = {"can_send_message": "AVAILABLE"}
    return answer_json(
        {
            "id": phone_number_id,
            "display_phone_number": f"+{display_phone_number}",
            "verified_name": "Example Shop",
            "quality_rating": "GREEN",
            "throughput": {"level": "STANDARD"},
            "health_status": {
                "can_send_message": "AVAILABLE",
                "entities": [
                    {"entity_type": "PHONE_NUMBER", "id": phone_number_id, **available},
                    {"entity_type": "WABA", "id": waba_id, **available},
                ],
            },
        }
    )


def handover(envelopes: Envelopes, person: Person, kind: str, new_owner: str, at: datetime) -> dict[str, Any]:
    """*kind* is control_passed or control_taken; *new_owner* a role such as escalation or ai_agent (§2.7)."""
    value = {
        "sender": {"phone_number": person.wa_id},
        "type": kind,
        "timestamp": str(int(at.timestamp())),
        kind: {"previous_owner_role": "customer_service", "new_owner_role": new_owner},
    }
    return envelopes.of(field="messaging_handovers", **value)


def echo(envelopes: Envelopes, person: Person, text: str, message_id: str, at: datetime) -> dict[str, Any]:
    """What a colleague sent from the business app on a phone (§2.6)."""
    message = {
        "id": message_id,
        "timestamp": str(int(at.timestamp())),
        "to": person.wa_id,
        "type": "text",
        "text": {"body": text},
    }
    return envelopes.of(field="smb_message_echoes", message_echoes=[message])
