"""What a question is about, as a set of terms: English words without their endings, Chinese character pairs.

Words that any question has ("what", "please", 请问, 怎么) are dropped, for they would make any two questions alike.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain

_RUN = re.compile(
    r"(?P<wide>[\u3400-\u9fff\uf900-\ufaff]+)|(?P<word>[^\W_\u3400-\u9fff\uf900-\ufaff]+(?:'[a-z]+)?)"
)

_EMPTY_WORDS = """
a about am an and any anyone are as at be been being but by can could did do does doing for from get give got
had has have hello help hey hi how i i'd i'll i'm i've if in into is it it's its just know let like may me
might more much my need of on or our please should so some somebody something tell thank thanks that the their
them then there these they this those to us want was we were what what's when where which who why will with
would yes you your guys shop store ok okay one possible able
"""

_EMPTY = frozenset(_EMPTY_WORDS.split())

_EMPTY_PHRASES = re.compile(
    "请问一下|请问|问一下|想问|你们家|你们|我们|咱们|您们|你好|您好|麻烦|帮我|帮忙|谢谢|"
    "是不是|有没有|能不能|可不可以|可以|能否|是否|怎么样|怎样|怎么|怎麼|如何|什么|什麼|甚麼|哪些|哪里|哪裡|哪儿|哪个|"
    "为什么|為什麼|为啥|多少|一下|现在|知道|告诉|需要|应该|我想|想要|想|要|请|"
    "[的了吗嗎呢吧啊呀呐哦么嘛啥我你您他她它是在有和与與跟及或就都也还還很会會能把被给給让讓对對这這那个個些]"
)


def terms(text: str) -> frozenset[str]:
    """The distinct terms of *text*. A text of nothing but dropped words ("How are you?", 你好) keeps them."""
    runs = list(_RUN.finditer(unicodedata.normalize("NFKC", text).casefold().replace("’", "'")))
    return _meaning(runs) or frozenset(run[0] for run in runs)


def _meaning(runs: Sequence[re.Match[str]]) -> frozenset[str]:
    found: set[str] = set()
    for run in runs:
        if run["wide"]:
            found.update(chain.from_iterable(map(_pairs, _EMPTY_PHRASES.split(run["wide"]))))
        elif run["word"] not in _EMPTY:
            found.add(_stem(run["word"]))
    return frozenset(found)


def _pairs(piece: str) -> set[str]:
    return {piece[at : at + 2] for at in range(len(piece) - 1)} or ({piece} if piece else set())


def _stem(word: str) -> str:
    """Light: plurals and the commonest endings, so that refund, refunds and refunded are one term."""
    word = word.removesuffix("'s")
    for ending, rest in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word.removesuffix(ending) + rest
            break
    return word.removesuffix("e") if len(word) > 4 else word
