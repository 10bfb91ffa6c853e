"""The fixed sentences, and the words that ask for them."""

import pytest

from bot.turns import phrases


@pytest.mark.parametrize("words", ["/new", " /New\n", "新对话", "/清空", "/start"])
def test_a_new_conversation_is_asked_for(words: str) -> None:
    """`/start` is what Telegram says for a customer who opens the chat."""
    assert phrases.asks_for_a_new_conversation(words)


@pytest.mark.parametrize("words", ["", "new", "/newer", "我想开始新对话吗", "start", "/start order-7"])
def test_other_words_are_a_question(words: str) -> None:
    assert not phrases.asks_for_a_new_conversation(words)
