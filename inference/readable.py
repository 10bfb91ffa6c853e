"""What of a model's text a customer may see."""

import re

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_THOUGHT_ENDS = "</think>"
_CALL = re.compile(r"<tool_call>.*?(?:</tool_call>|\Z)|</tool_call>", re.DOTALL)
"""Hermes-style calls that stay in the text where the model calls a tool that was not offered (recorded)."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MARKS = ("<|", "<think>", _THOUGHT_ENDS, "<tool_call>", "</tool_call>")
_LONGEST_MARK = max(map(len, _MARKS))


def readable(text: str) -> str:
    """*text* as a customer may see it: without thoughts (a server without its reasoning parser leaves them in the
    content), without Harmony markup and what follows it (vLLM sheet §0.8), without calls, control characters or
    lone surrogates."""
    text = _THOUGHT.sub("", without_surrogates(_CONTROL.sub("", text)))
    text = text.rsplit(_THOUGHT_ENDS, 1)[-1]  # chat templates that open the thought themselves
    return _CALL.sub("", text.split("<|", 1)[0]).strip()


def without_surrogates(text: str) -> str:
    """Pairs become their character, lone ones U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def decided(text: str) -> str:
    """The beginning of a growing *text* that means the same whatever follows: without a last `<thi` that may become
    a mark, or the first half of a surrogate pair."""
    text = _CONTROL.sub("", text)
    at = text.rfind("<", max(0, len(text) - _LONGEST_MARK))
    if at >= 0 and any(mark != text[at:] and mark.startswith(text[at:]) for mark in _MARKS):
        text = text[:at]
    return text[:-1] if "\ud800" <= text[-1:] <= "\udbff" else text


def thinks_aloud(text: str) -> bool:
    """Whether *text* holds the end of a thought whose beginning the chat template had written: until that end,
    nothing told the thought from an answer."""
    return _THOUGHT_ENDS in text and _THOUGHT_ENDS in _THOUGHT.sub("", text)
