"""Every fixed sentence of a turn that a customer may read, in the customer's language. Functions, so that a missing
value is a type error and not a `{placeholder}` on somebody's phone. What an assistant says when it does not know
is the assistant's own (`inference.language`)."""

NEW_CONVERSATION_WORDS = frozenset(
    {
        "/new",
        "/reset",
        "/start",
        "/新对话",
        "新对话",
        "新的对话",
        "开始新对话",
        "重新开始",
        "清空对话",
        "/清空",
        "清空",
    }
)


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


def reminder(lang: str, text: str) -> str:
    """*text* is what the customer asked to be reminded of."""
    return {"zh": f"⏰ 提醒：{text}", "en": f"⏰ Reminder: {text}"}[lang]
