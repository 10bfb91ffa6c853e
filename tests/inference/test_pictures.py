"""Pictures go with the customer's newest words to a model that sees, and nowhere else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_parts import pictures, words
from inference.assistant import MOST_PICTURES, Assistant, AssistantSettings
from inference.budget import PER_PICTURE, tokens
from inference.errors import ContextTooLong, ModelRefused
from inference.exchange import Limits
from inference.faq import NoKnowledge
from inference.request import Voice
from inference.scripted import ScriptedModel
from inference.values import ChatMessage, Model, Picture, Question, Source
from tests.inference.conftest import Connect
from tests.inference.test_vllm import ServerStage

PNG = Picture(mime="image/png", content=b"\x89PNG\r\n\x1a\n the broken cup")
JPEG = Picture(mime="image/jpeg", content=b"\xff\xd8\xff\xe0 its box")


def asked(*sent: Picture, history: int = 0) -> Question:
    turns = [
        ChatMessage(role=role, content=f"{role} {number}")
        for number in range(history)
        for role in ("user", "assistant")
    ]
    return Question(
        conversation="c",
        history=turns,
        texts=["What is this?"],
        now=datetime.now(UTC),
        deadline=timedelta(seconds=10),
        pictures=sent,
    )


def assistant(model: Model, **settings: Any) -> Assistant:
    return Assistant(model, NoKnowledge(), AssistantSettings(**{"sees": True, **settings}))


def test_they_arrive_byte_for_byte_after_the_words(server: ScriptedModelServer, connect: Connect) -> None:
    assistant(connect(server.url)).answer(asked(PNG, JPEG, history=2))
    [body] = server.requests
    assert [(it.mime, it.content) for it in pictures(body)] == [(it.mime, it.content) for it in (PNG, JPEG)]
    *earlier, newest = body["messages"]
    assert [part["type"] for part in newest["content"]] == ["text", "image_url", "image_url"]
    assert words(newest).startswith("What is this?")
    assert all(isinstance(message["content"], str) for message in earlier)


def test_an_assistant_that_does_not_see_leaves_them_out(server: ScriptedModelServer, connect: Connect) -> None:
    server.sees = False
    answer = assistant(connect(server.url), sees=False).answer(asked(PNG))
    assert answer.source is Source.MODEL
    assert isinstance(server.requests[0]["messages"][-1]["content"], str)


def test_a_model_that_does_not_see_after_all_is_the_operators_to_mend(
    server: ScriptedModelServer, connect: Connect
) -> None:
    server.sees = False
    answer = assistant(connect(server.url)).answer(asked(PNG))
    assert answer.source is Source.HANDOVER
    assert "HTTP 400" in answer.degraded


def test_only_the_newest_few_are_sent() -> None:
    model = ScriptedModel()
    many = [Picture(mime="image/png", content=PNG.content + bytes([number])) for number in range(MOST_PICTURES + 3)]
    assistant(model).answer(asked(*many))
    assert model.asked[0].messages[-1].pictures == tuple(many[3:])


def test_they_cost_a_part_of_the_history_but_not_all_of_it() -> None:
    model = ScriptedModel()
    desk = assistant(model, history_tokens=8000)
    for sent in ((), (PNG,), (PNG,) * 4):
        desk.answer(asked(*sent, history=400))
    none, one, four = (tokens(each.messages[1:-1]) for each in model.asked)
    assert none <= 8000
    assert one <= 8000 - PER_PICTURE
    assert 0 < four <= 2000
    assert four < one < none


def test_in_a_conversation_that_is_too_long_the_pictures_go_last() -> None:
    model = ScriptedModel()
    model.script(*[ContextTooLong("too long")] * 2)
    answer = assistant(model, history_tokens=2000).answer(asked(PNG, history=200))
    assert answer.source is Source.MODEL
    first, second, third = (each.messages for each in model.asked)
    assert [len(each[-1].pictures) for each in (first, second, third)] == [1, 1, 0]
    assert len(first) > len(second)


def test_without_a_history_the_pictures_are_all_there_is_to_drop() -> None:
    model = ScriptedModel()
    model.script(ContextTooLong("too long"))
    assistant(model).answer(asked(PNG))
    assert [len(each.messages[-1].pictures) for each in model.asked] == [1, 0]


def test_a_large_picture_may_take_longer_than_connecting(server: ScriptedModelServer, connect: Connect) -> None:
    large = Picture(mime="image/png", content=PNG.content + bytes(20 * 1024 * 1024))
    model = connect(server.url, limits=Limits(connect=timedelta(milliseconds=100)))
    answer = assistant(model).answer(asked(large))
    assert (answer.source, answer.degraded) == (Source.MODEL, "")
    assert len(pictures(server.requests[0])[0].content) == len(large.content)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,!!!!"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,R0lGODlh"}},
        {"type": "image_url", "image_url": {"url": "data:text/html;base64,PGh0bWw+"}},
        {"type": "image_url"},
        {"type": "video"},
        {"type": "text"},
    ],
)
def test_the_scripted_server_refuses_what_is_no_picture(
    server: ScriptedModelServer, connect: Connect, part: dict[str, object]
) -> None:
    voice = Voice(model="gpt-oss-20b", extra={"messages": [{"role": "user", "content": [part]}]})
    model = connect(server.url).tuned(voice)
    with pytest.raises(ModelRefused):
        ServerStage(server, model).ask()


def test_a_picture_in_a_log_line_shows_nothing() -> None:
    assert "cup" not in f"{asked(PNG)!r}"
