"""The customer's language, as far as fixed texts need it."""

import re
from collections.abc import Sequence

_GREETINGS = frozenset(
    [
        *("hi", "hello", "hey", "hi there", "hello there", "good morning", "good afternoon", "good evening"),
        *("你好", "您好", "在吗", "在么", "有人吗", "早上好", "下午好", "晚上好", "哈喽", "嗨"),
    ]
)
_MARKS = re.compile(r"[\s!！.。,，?？~～]+")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


def language(texts: Sequence[str]) -> str:
    """`zh` if the newest text with any letter holds a Chinese ideograph, else `en`."""
    for text in reversed(texts):
        if _IDEOGRAPH.search(text):
            return "zh"
        if any(letter.isalpha() for letter in text):
            return "en"
    return "en"


def handover_line(texts: Sequence[str]) -> str:
    """That a colleague will take over, in the customer's language."""
    return {
        "zh": "这个问题我需要请同事来处理，他们会尽快回复您。",
        "en": "Let me pass this to a colleague, who will get back to you as soon as possible.",
    }[language(texts)]


def only_greets(texts: Sequence[str]) -> bool:
    """Whether there is no question yet: "Hello!", 你好."""
    return bool(texts) and all(_MARKS.sub(" ", text).strip().casefold() in _GREETINGS for text in texts)


def greeting_line(texts: Sequence[str]) -> str:
    """What is said to a customer who has only greeted, where no model says it better."""
    return {
        "zh": "您好！请问有什么可以帮您？",
        "en": "Hello! How can I help you?",
    }[language(texts)]
