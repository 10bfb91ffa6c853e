"""`frontdesk chat`: no Redis, no platform; the FAQ, or a model server on a thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import exits, frontdesk
from bot.cli.port import any_free
from bot.sandbox.model import ScriptedModelServer


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faq.csv").write_text("question,answer\nWhen do you open?,We open at nine.\n")
    monkeypatch.setenv("FRONTDESK__ASSISTANTS__DEFAULT__FAQ", str(tmp_path / "faq.csv"))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedModelServer]:
    with ScriptedModelServer() as server:
        monkeypatch.setenv("FRONTDESK__MODEL__REPLICAS", f'["{server.url}"]')
        yield server


def chat(*lines: str, options: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(
        frontdesk, ["chat", *options], input="".join(f"{line}\n" for line in lines), catch_exceptions=False
    )


def test_the_faq_answers_without_a_model_and_says_so() -> None:
    result = chat("When do you open?")
    assert result.exit_code == exits.OK
    assert result.output == "We open at nine.\n[faq]\n"


def test_what_the_faq_does_not_know_is_handed_over() -> None:
    assert "[handover]" in chat("Who painted the Mona Lisa?").output


def test_the_model_answers_and_sees_what_was_said_before(model: ScriptedModelServer) -> None:
    model.reply = lambda body: f"I saw {sum(each['role'] == 'user' for each in body['messages'])}."
    result = chat("My name is Ann.", "", "What is my name?")
    assert result.output == "I saw 1.\n[model]\nI saw 2.\n[model]\n"


def test_new_forgets_what_was_said(model: ScriptedModelServer) -> None:
    model.reply = lambda body: f"I saw {sum(each['role'] == 'user' for each in body['messages'])}."
    result = chat("My name is Ann.", "/new", "What is my name?")
    assert result.output == "I saw 1.\n[model]\n[a new conversation]\nI saw 1.\n[model]\n"


def test_a_model_that_is_down_is_said_beside_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK__MODEL__REPLICAS", f'["http://127.0.0.1:{any_free(0)}/v1"]')
    monkeypatch.setenv("FRONTDESK__MODEL__DEADLINE", "2")
    assert "[faq: " in chat("When do you open?").output


def test_an_assistant_that_is_not_configured_is_a_usage_error() -> None:
    result = chat(options=("--assistant", "nobody"))
    assert result.exit_code == exits.USAGE
    assert "default" in result.output
