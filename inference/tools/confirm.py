"""An action that changes something waits for the customer's yes.

The first call only asks, in a fixed sentence that names every argument. What waits is a :class:`Pending`, kept with
the conversation; the next turn's *first* text decides on it. The first text alone, because a turn may grow while it
runs and is repeated after a crash: its first text is then still the same, and so is the decision.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Self

from inference.language import language
from inference.tools.schema import Schema
from inference.tools.template import fill, strangers, text
from inference.tools.tool import ToolFailed
from inference.values import Customer, Question

EXPIRES = timedelta(minutes=10)
LONGEST_VALUE = 200
"""Characters of one argument in the sentence."""

LANGUAGES = ("en", "zh")
_MARKS = re.compile(r"[\\`*_~\[\]<>#|]")

_YES = frozenset({
    "yes", "y", "yep", "yeah", "yes please", "please do", "ok", "okay", "sure", "confirm",
    "confirmed", "i confirm", "go ahead", "do it", "好", "好的", "好呀", "好啊", "是", "是的", "对", "對",
    "对的", "對的", "行", "可以", "可以的", "确认", "確認", "确定", "確定", "同意",
    "没问题", "沒問題", "办吧", "请办理", "請辦理",
})  # fmt: skip
_NO = frozenset({
    "no", "n", "nope", "no thanks", "no thank you", "dont", "do not", "cancel", "stop",
    "never mind", "nevermind", "not now", "不", "不是", "不要", "不要了", "不用", "不用了", "不行", "不可以", "别",
    "別", "否", "取消", "算了", "先不", "先不用",
})  # fmt: skip


class Verdict(Enum):
    YES = "yes"
    NO = "no"
    ELSE = "else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An action that waits: its checked arguments, the key that it will carry, whose it is, and since when."""

    tool: str
    arguments: Mapping[str, Any]
    key: str
    user: str
    since: datetime

    def dump(self) -> str:
        return json.dumps({**asdict(self), "since": self.since.isoformat()}, ensure_ascii=False)

    @classmethod
    def load(cls, stored: str) -> Self | None:
        """None for what no version of ours wrote."""
        try:
            fields = json.loads(stored)
            return cls(**{**fields, "since": datetime.fromisoformat(fields["since"])})
        except (ValueError, TypeError, KeyError):
            return None


def waiting(question: Question, customer: Customer) -> Pending | None:
    """What waits for this customer's word. In a group, one member's yes is not another's. The time of
    the customer's message counts, not the turn's: a repeat after a crash must decide alike."""
    pending = Pending.load(question.pending) if question.pending else None
    if pending is None or pending.user != customer.user:
        return None
    return pending if (question.sent_at or question.now) - pending.since <= EXPIRES else None


def verdict(said: str) -> Verdict:
    """YES and NO only where nothing else is said: "yes?" is a doubt."""
    if "?" in said or "？" in said:
        return Verdict.ELSE
    letters = (c if unicodedata.category(c)[0] in "LN" or c.isspace() else "" for c in said.replace("，", " "))
    words = " ".join("".join(letters).casefold().split())
    if words in _YES:
        return Verdict.YES
    return Verdict.NO if words in _NO else Verdict.ELSE


def problems(texts: Mapping[str, str], schema: Schema) -> list[str]:
    """What is wrong with the templates of one tool. Each argument must be named: what the customer does not read,
    the customer did not confirm."""
    found = [problem for template in texts.values() for problem in strangers(template, schema)]
    for template in texts.values():
        missing = sorted(name for name in schema.names if f"{{{name}}}" not in template)
        if missing:
            found.append(f"does not name {', '.join(f'{{{name}}}' for name in missing)}; customers must read all")
    return list(dict.fromkeys(found))


def described(texts: Mapping[str, str], given: Mapping[str, Any], said: Sequence[str]) -> str:
    """What is to be done, in the customer's language as far as it is configured. Raises :class:`ToolFailed` for a
    value that is too long to be read."""
    template = texts.get(language(said)) or next(iter(texts.values()))
    return fill(template, given, _shown)


def _shown(value: Any) -> str:
    """A value on one line, letter for letter: Markdown in it is escaped, so that nothing of it can hide."""
    line = " ".join(text(value).split())
    if len(line) > LONGEST_VALUE:
        raise ToolFailed(
            f"a value has more than {LONGEST_VALUE} characters, too many to confirm", outcome="invalid"
        )
    return _MARKS.sub(r"\\\g<0>", line) or "–"


def question_line(what: str, said: Sequence[str]) -> str:
    return {
        "zh": f"请确认：{what}。要我现在办理吗？请回复“是”或“否”。",
        "en": f'Please confirm: {what}. Shall I do this now? Reply "yes" or "no".',
    }[language(said)]


def choices(said: Sequence[str]) -> tuple[str, ...]:
    """Yes and no, to tap; each is understood when it is typed, too."""
    return {"zh": ("是", "否"), "en": ("Yes", "No")}[language(said)]


def done_line(what: str, said: Sequence[str]) -> str:
    return {"zh": f"已办理：{what}。", "en": f"Done: {what}."}[language(said)]


def failed_line(what: str, said: Sequence[str], *, unsure: bool) -> str:
    if unsure:
        return {
            "zh": f"我无法确认这一步是否成功：{what}。请同事核实后回复您。",
            "en": f"I could not tell whether this worked: {what}. A colleague will check and get back to you.",
        }[language(said)]
    return {
        "zh": f"没有办理成功：{what}。",
        "en": f"This did not work: {what}.",
    }[language(said)]


def dropped_line(said: Sequence[str]) -> str:
    return {"zh": "好的，我不会办理。", "en": "All right, I will leave it as it is."}[language(said)]
