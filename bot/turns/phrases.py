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


def unreadable_media(lang: str) -> str:
    """Below the answer to what was written beside it."""
    return {
        "zh": "您发来的附件我暂时打不开，请用文字描述一下。",
        "en": "I can't open the attachment that you sent. Could you describe it in words?",
    }[lang]


def lost_media(lang: str) -> str:
    return {
        "zh": "您发来的内容没有收到，请再发一次。",
        "en": "What you sent did not reach me. Could you send it again?",
    }[lang]


def first_pictures(lang: str, most: int) -> str:
    return {
        "zh": f"我一次最多只能看 {most} 张图片，其余的请再发一次。",
        "en": f"I can look at {most} pictures at a time. Please send me the others again.",
    }[lang]


def picture_alone(lang: str) -> str:
    """What the model reads of a picture that came without words."""
    return {"zh": "[图片]", "en": "[picture]"}[lang]


def spoken(lang: str, transcript: str) -> str:
    """How a conversation remembers a voice message."""
    return {"zh": f"[语音] {transcript}", "en": f"[voice message] {transcript}"}[lang]


def in_reply_to(lang: str, words: str) -> str:
    """What the model reads of the message that a customer's message replies to."""
    return {"zh": f"（回复的是：“{words}”）", "en": f"(in reply to: “{words}”)"}[lang]


def choose(lang: str) -> str:
    """Above choices that do not fit below the answer itself."""
    return {"zh": "请选择：", "en": "Please choose:"}[lang]
