"""Every fixed sentence that a customer may read, in the customer's language. Functions, so that a missing
value is a type error and not a `{placeholder}` on somebody's phone."""

import re
from collections.abc import Sequence

_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")

NEW_CONVERSATION_WORDS = frozenset(
    {"/new", "/reset", "/新对话", "新对话", "新的对话", "开始新对话", "重新开始", "清空对话", "/清空", "清空"}
)


def language(texts: Sequence[str]) -> str:
    """`zh` if the newest text with any letter holds a Chinese character, else `en`."""
    for text in reversed(texts):
        if _IDEOGRAPH.search(text):
            return "zh"
        if any(letter.isalpha() for letter in text):
            return "en"
    return "en"


def asks_for_a_new_conversation(text: str) -> bool:
    return text.strip().casefold() in NEW_CONVERSATION_WORDS


def new_conversation(lang: str) -> str:
    return {
        "zh": "好的，我们重新开始。请问有什么可以帮您？",
        "en": "All right, a fresh start. How can I help you?",
    }[lang]


def only_media(lang: str) -> str:
    return {
        "zh": "我暂时只能阅读文字，请用一两句话描述一下您的问题。",
        "en": "I can only read text for now. Could you describe your question in a sentence or two?",
    }[lang]


def handover(lang: str) -> str:
    return {
        "zh": "这个问题我需要请同事来处理，他们会尽快回复您。",
        "en": "Let me pass this to a colleague, who will get back to you as soon as possible.",
    }[lang]
