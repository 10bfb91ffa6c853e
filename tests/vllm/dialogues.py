"""What the models of these tests learn by heart, and the tests then ask them. Both sides read it: no imports."""

import json
from collections.abc import Mapping

Json = dict[str, object]

TODAY = "2026-01-01"
"""Harmony's prompts hold the date; the server is told this one, so that they are what the model has learnt."""

SYSTEM = "You are the front desk of a small shop. 只回答与订单有关的问题。"

ANSWERS: Mapping[str, str] = {
    "Hello": "Hello! How can I help you today?",
    "Where is my parcel?": "Your parcel leaves today.",
    "Count to ten": "one two three four five six seven eight nine ten",
    "Are you there?": "Back again.",
    "你好": "您好，请问有什么可以帮您？",
    "退款到了吗？": "退款已到账 ✅，请查收 👨‍👩‍👧‍👦。",
    "怎么退货？": "在订单页点击申请退货，三个工作日内原路退款。",
    "谢谢": "不客气，祝您生活愉快！",
}

SILENCE = "Say nothing"
"""Its answer is empty."""
ENDLESS = "Tick for ever"
"""Its answer is one word again and again; it was never shown an end."""
TICK = " tick"
TICKS = 120

WHO = "Who are you?"
DESKS: Mapping[str, str] = {
    "": "I am the front desk.",
    "sales": "I am the sales desk.",
    "repairs": "I am the repairs desk.",
}
"""What the model itself answers to that, and what its two adapters do."""
DESK_WORDS = ("Which desks are there?", "The front desk, the sales desk, the repairs desk.")
"""An adapter cannot make the model say a word that it has never said."""

THOUGHT = "The customer asks something."
FURTHER_THOUGHT = "An answer must be short. It must be polite."
"""The second only at high effort."""

ALOUD = "Think aloud"
ALOUD_ANSWER = "<think>The customer wants to see a thought.</think>That is done."
"""A model behind a server without its reasoning parser: the thought stands in the content."""

OBJECT = "Tell it to a program"
OBJECT_ANSWER = '{"intent":"order","open":true}'
OBJECT_SCHEMA: Json = {
    "type": "object",
    "properties": {"intent": {"enum": ["order", "refund"]}, "open": {"type": "boolean"}},
    "required": ["intent", "open"],
    "additionalProperties": False,
}

TOOL: Json = {
    "type": "function",
    "function": {
        "name": "order_status",
        "description": "Looks up one order of the customer.",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string", "enum": ["A1024", "B77"]}},
            "required": ["order_id"],
            "additionalProperties": False,
        },
    },
}
LOOKUPS: Mapping[str, tuple[str, ...]] = {
    "Where is order A1024?": ("A1024",),
    "订单B77到哪了？": ("B77",),
    "Where are A1024 and B77?": ("A1024", "B77"),
}
"""The questions that are answered with calls of the tool, one for each order."""
RESULTS: Mapping[str, str] = {"A1024": '{"state": "shipped"}', "B77": '{"state": "unpaid"}'}
TOLD: Mapping[str, str] = {
    "A1024": "Your order has been shipped.",
    "B77": "您的订单还没有付款。",
}
"""What is said once the tool has answered."""


def arguments(order: str) -> str:
    return json.dumps({"order_id": order})
