"""Every kind of webhook with something of another type at every path: noted or passed over, never a crash."""

import json
from typing import Any

import pytest

from adapters.values import ControlEvent, Message, StatusUpdate
from tests.adapters.whatsapp_kit import ANA, NUMBER, PHONE, VECTORS, WABA, WhatsAppKit, envelope, item, post
from tests.contracts.channel_kit import wrong_types

ECHO = {"id": "w", "to": PHONE, "to_user_id": ANA, "timestamp": "1", "type": "text", "message": {"to": PHONE}}
OWNER = {"previous_owner_role": "customer_service", "new_owner_role": "ai_agent"}
MADE: dict[str, Any] = {
    "place": envelope({"messages": [item("location", location={"latitude": 1.5, "longitude": 2, "name": "x"})]}),
    "number": envelope(
        {
            "messages": [
                item("system", system={"type": "user_changed_number", "wa_id": "1", "user_id": "GB.2", "body": "x"})
            ]
        }
    ),
    "call": envelope(
        {
            "messages": [
                item(
                    "interactive",
                    interactive={"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}},
                )
            ]
        }
    ),
    "edit": envelope({"messages": [item("edit", edit={"original_message_id": "w", "message": {"type": "text"}})]}),
    "advertisement": envelope(
        {
            "messages": [
                item(
                    "text",
                    text={"body": "x"},
                    referral={"source_type": "ad", "headline": "h", "ctwa_clid": "c"},
                    context={"referred_product": {"product_retailer_id": "1"}},
                )
            ]
        }
    ),
    "echo": envelope({"message_echoes": [ECHO], "contacts": [{"wa_id": PHONE}]}, field="smb_message_echoes"),
    "standby": envelope({"standby": {"messages": [item()], "message_echoes": [ECHO]}}, field="standby"),
    "handover": envelope(
        {
            "sender": {"phone_number": PHONE},
            "recipient": {"phone_number_id": NUMBER},
            "type": "control_passed",
            "control_passed": OWNER,
        },
        field="messaging_handovers",
    ),
    "preference": envelope({"user_preferences": [{"wa_id": PHONE, "value": "stop"}]}, field="user_preferences"),
    "ban": {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": WABA,
                "time": 1,
                "changes": [
                    {
                        "field": "account_update",
                        "value": {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}},
                    }
                ],
            }
        ],
    },
}
BODIES = {path.stem: path for path in sorted(VECTORS.glob("[0-9]*.json"))}


class TestAbuse(WhatsAppKit):
    @pytest.mark.parametrize("name", [*MADE, *BODIES])
    def test_wrong_types_anywhere_are_never_a_crash(self, name: str) -> None:
        channel = self.channel()
        body = MADE[name] if name in MADE else json.loads(BODIES[name].read_bytes())
        parsed = 0
        for wrong in wrong_types(body):
            if isinstance(wrong, dict):
                events = channel.parse(post(json.dumps(wrong).encode()))
                assert all(isinstance(each, Message | StatusUpdate | ControlEvent) for each in events)
                parsed += 1
        assert parsed > 30
