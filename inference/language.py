"""The customer's language, as far as fixed texts need it."""

import re
from collections.abc import Sequence

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
