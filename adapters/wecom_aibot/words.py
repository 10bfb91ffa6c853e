"""Every fixed sentence that an AI bot's customer may read. Where nothing tells the language, it is said in both."""

import re

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_LETTER = re.compile(r"[A-Za-z]")


def lang_of(text: str) -> str:
    """ "zh", "en", or "" where the text tells neither."""
    if _CHINESE.search(text):
        return "zh"
    return "en" if _LETTER.search(text) else ""


def one_moment(lang: str) -> str:
    """Shown until there is more. Never blank: spaces alone do not replace the waiting animation."""
    return _said(lang, "正在为您处理，请稍候…", "One moment, please …")


def answered_below(lang: str) -> str:
    """In the bubble of an earlier message that is answered together with a later one."""
    return _said(lang, "见下方回复", "Answered below")


def still_working(lang: str) -> str:
    """When the platform's time for one answer is up."""
    return _said(lang, "仍在处理中，稍后会单独回复您。", "Still working on it, the answer follows.")


def lost(lang: str) -> str:
    """For a bubble that nobody here knows any more."""
    return _said(
        lang,
        "抱歉，这条回复已失效，请您再发一次。",
        "Sorry, this answer is no longer available. Please send your message again.",
    )


def please_choose(lang: str) -> str:
    return _said(lang, "请选择", "Please choose")


def _said(lang: str, chinese: str, english: str) -> str:
    return {"zh": chinese, "en": english}.get(lang, f"{chinese}\n{english}")
