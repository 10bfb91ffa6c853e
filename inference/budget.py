"""How many tokens a text costs, without a tokenizer: by characters, a class at a time, rounded up.

An estimate, because `/tokenize` is another path than the one that the request takes (7 tokens where the request
cost 70, vLLM sheet §2) and would cost a round trip. It must not be too low: the tests hold it against counts
measured with the o200k vocabulary (gpt-oss) and DeepSeek's; for prose it is 1.2 to 2 times too high.
"""

import re
from collections.abc import Iterable

from inference.values import ChatMessage

PER_MESSAGE = 8
"""A message's frame. Harmony's longest is `<|start|>assistant<|channel|>final<|message|>…<|end|>`: 6."""

PER_PICTURE = 1500
"""A photograph of a phone, scaled down by the model's own preprocessing: some hundreds to two thousand tokens, by
model and resolution. Only roughly, for how much of the history goes with it."""

LARGER_BUDGET = 3
"""Times max_tokens, when thinking ate the first budget before any word of the answer (vLLM sheet §0.7)."""

_WORD = re.compile(r"[A-Za-z]+")
_SIGN = re.compile(r"[0-9!-/:-@\[-`{-~]|\s*\n\s*|[\t ]{2,}")
_WIDE = re.compile(r"[\u1100-\u11ff\u3000-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]")
_OTHER = re.compile(r"[^\x00-\x7f\u1100-\u11ff\u3000-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]+")


def text_tokens(text: str) -> int:
    """Words by length (capitals are codes, rarely words), a digit or sign 1, a Chinese, Japanese or Korean
    character 1.3 (traditional ones are the dearest), anything else half its UTF-8 bytes."""
    words = sum(1 + len(word) // (2 if word.isupper() else 5) for word in _WORD.findall(text))
    wide = len(_WIDE.findall(text))
    other = sum(len(run.encode("utf-8", "replace")) for run in _OTHER.findall(text))
    return words + len(_SIGN.findall(text)) + (13 * wide + 9) // 10 + (other + 1) // 2


def tokens(messages: Iterable[ChatMessage]) -> int:
    return sum(
        PER_MESSAGE + text_tokens(message.content) + PER_PICTURE * len(message.pictures) for message in messages
    )
