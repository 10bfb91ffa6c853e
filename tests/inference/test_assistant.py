"""From a question to an answer, with a model, without one, and with one that fails."""

from datetime import UTC, datetime, timedelta

import pytest

from inference.assistant import Assistant, AssistantSettings
from inference.errors import ContextTooLong, ModelBusy, ModelError, ModelFailed, ModelRefused
from inference.faq import EXAMPLE, Faq, NoKnowledge
from inference.language import handover_line
from inference.scripted import ScriptedModel
from inference.values import Answer, ChatMessage, Model, Question, Source

FAQ = Faq.load(EXAMPLE)
SHIPPING = "国内订单满 99 元包邮，不满 99 元收取 8 元运费。"


def question(*texts: str, history: list[ChatMessage] | None = None) -> Question:
    return Question(
        conversation="c", history=history or [], texts=texts, now=datetime.now(UTC), deadline=timedelta(seconds=5)
    )


def assistant(model: Model | None, **settings: object) -> Assistant:
    return Assistant(model, FAQ, AssistantSettings(**settings))  # type: ignore[arg-type]


def test_the_model_answers_and_knows_what_the_shop_knows() -> None:
    model = ScriptedModel("包邮的哦。")
    answer = assistant(model).answer(question("运费是多少？"))
    assert answer == Answer(text="包邮的哦。", source=Source.MODEL)
    assert SHIPPING in model.asked[0].messages[-1].content
    assert model.asked[0].conversation == "c"


def test_a_greeting_before_the_question_does_not_hide_what_is_known() -> None:
    model = ScriptedModel()
    assistant(model).answer(question("你好呀", "今天天气真不错，我刚下班回到家里", "运费是多少？"))
    assert SHIPPING in model.asked[0].messages[-1].content


def test_an_answer_is_kept_within_its_length_at_a_sentences_end() -> None:
    model = ScriptedModel("First sentence here. " * 20)
    answer = assistant(model, max_reply_chars=100).answer(question("hi"))
    assert len(answer.text) <= 100
    assert answer.text.endswith("here.")
    assert "100 characters" in model.asked[0].messages[0].content


def test_an_answer_that_ran_out_of_tokens_is_not_sent_half() -> None:
    answer = assistant(ScriptedModel("This is whole. This is not whole"), max_tokens=25).answer(question("hi"))
    assert answer.text == "This is whole."


def test_without_a_model_the_faq_answers() -> None:
    assert assistant(None).answer(question("请问运费是多少")) == Answer(text=SHIPPING, source=Source.FAQ)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("你们招聘吗", "这个问题我需要请同事来处理，他们会尽快回复您。"),
        ("Are you hiring?", "Let me pass this to a colleague, who will get back to you as soon as possible."),
    ],
)
def test_without_a_model_what_nobody_knows_is_handed_over_in_the_customers_language(text: str, line: str) -> None:
    assert assistant(None).answer(question(text)) == Answer(text=line, source=Source.HANDOVER)


@pytest.mark.parametrize(
    ("text", "line"), [("你好！", "您好！请问有什么可以帮您？"), (" Hello ", "Hello! How can I help you?")]
)
def test_without_a_model_a_greeting_is_returned_and_nobody_is_called(text: str, line: str) -> None:
    assert assistant(None).answer(question(text)) == Answer(text=line, source=Source.FAQ)


def test_the_operators_own_handover_text_is_used() -> None:
    assert assistant(None, fallback_text="Call us.").answer(question("Are you hiring?")).text == "Call us."
    spoken = assistant(None, handover=lambda texts: f"{len(texts)} texts").answer(question("x", "y"))
    assert spoken.text == "2 texts"


@pytest.mark.parametrize("error", [ModelBusy, ModelFailed, ModelRefused, ContextTooLong])
def test_whatever_the_model_meets_the_customer_is_answered_and_the_operator_told(error: type[ModelError]) -> None:
    model = ScriptedModel()
    model.script(error("the reason"), error("the reason"))
    answer = assistant(model).answer(question("Are you hiring?"))
    assert answer.source is Source.HANDOVER
    assert answer.degraded == f"{error.__name__}: the reason"
    model.script(error("the reason"), error("the reason"))
    known = assistant(model).answer(question("运费是多少？"))
    assert (known.text, known.source, bool(known.degraded)) == (SHIPPING, Source.FAQ, True)


def test_a_model_that_is_down_is_not_waited_for() -> None:
    model = ScriptedModel(up=False)
    answer = assistant(model).answer(question("Are you hiring?"))
    assert answer.degraded == "no model replica is up"
    assert model.asked == []


def test_a_conversation_that_is_too_long_is_asked_again_without_its_oldest_turns() -> None:
    history = [
        ChatMessage(role=role, content=f"{role} {n} " + "word " * 50)
        for n in range(20)
        for role in ("user", "assistant")
    ]
    model = ScriptedModel()
    model.script(ContextTooLong("too long"), "Fine.")
    answer = assistant(model).answer(question("hi", history=history))
    assert answer == Answer(text="Fine.", source=Source.MODEL)
    first, second = (asked.messages for asked in model.asked)
    assert 2 < len(second) < len(first)
    assert second[0] == first[0]
    assert second[1:] == first[-len(second) + 1 :]


def test_a_conversation_without_history_is_not_asked_twice() -> None:
    model = ScriptedModel()
    model.script(ContextTooLong("too long"))
    assert assistant(model).answer(question("hi")).degraded
    assert len(model.asked) == 1


def test_history_goes_to_the_model() -> None:
    model = ScriptedModel()
    history = [ChatMessage(role="user", content="I am Ann."), ChatMessage(role="assistant", content="Hello Ann.")]
    assistant(model).answer(question("Who am I?", history=history))
    assert list(model.asked[0].messages[1:3]) == history


def test_an_assistant_needs_no_knowledge() -> None:
    answer = Assistant(None, NoKnowledge(), AssistantSettings()).answer(question("运费是多少？"))
    assert answer.source is Source.HANDOVER


def test_the_newest_text_with_a_letter_decides_on_the_language() -> None:
    assert handover_line(["你好", "hello", "!!!"]).isascii()
    assert not handover_line(["hello", "你好", "123"]).isascii()
    assert handover_line([]).isascii()


def test_a_question_without_words_is_no_greeting() -> None:
    answer = assistant(None).answer(question())
    assert answer.source is Source.HANDOVER
