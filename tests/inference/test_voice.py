"""Each assistant speaks for itself: its own model, sampling and salt, and nothing of another's."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import metrics
from bot.sandbox.model import ScriptedModelServer
from bot.wiring import build_assistants, read_config
from inference.values import Question

TWO = """
[model]
replicas = ["{url}"]
{more}
[assistants.default]
system_prompt = "You sell shoes."
temperature = 0.2
top_p = 0.9
priority = -5
cache_salt = "salt-of-the-shoe-shop"

[assistants.night]
system_prompt = "You answer at night."
model = "night-lora"
reasoning_effort = "high"
max_tokens = 77
"""
OWN = ("model", "temperature", "top_p", "priority", "cache_salt", "reasoning_effort", "max_tokens")


@pytest.fixture
def requests(
    server: ScriptedModelServer, tmp_path: Path, request: pytest.FixtureRequest
) -> list[dict[str, object]]:
    """What each assistant asked: the default one's, then the night's."""
    path = tmp_path / "frontdesk.toml"
    path.write_text(TWO.format(url=server.url, more=getattr(request, "param", "")))
    assistants = build_assistants(read_config(path))
    for name in ("default", "night"):
        assistants[name].answer(
            Question(
                conversation="c",
                history=(),
                texts=["Hello?"],
                now=datetime.now(UTC),
                deadline=timedelta(seconds=10),
            )
        )
    return server.requests


@pytest.mark.parametrize("requests", ["priority = true"], indirect=True)
def test_two_assistants_on_one_server_share_nothing_of_their_settings(requests: list[dict[str, object]]) -> None:
    shoes, night = ({name: body[name] for name in OWN if name in body} for body in requests)
    assert shoes == {
        "model": "gpt-oss-20b",
        "temperature": 0.2,
        "top_p": 0.9,
        "priority": -5,
        "cache_salt": "salt-of-the-shoe-shop",
        "reasoning_effort": "low",
        "max_tokens": 1024,
    }
    assert night == {"model": "night-lora", "priority": 0, "reasoning_effort": "high", "max_tokens": 77}


def test_a_priority_is_sent_only_where_the_server_takes_one(requests: list[dict[str, object]]) -> None:
    assert not any("priority" in body for body in requests)


def test_each_assistant_has_its_own_rules_and_hears_nothing_of_the_others(
    requests: list[dict[str, object]],
) -> None:
    shoes, night = (str(body["messages"]) for body in requests)
    assert "shoes" in shoes
    assert "shoes" not in night
    assert "night" in night
    assert "night" not in shoes


def test_attempts_and_tokens_are_counted_for_the_operator(requests: list[dict[str, object]]) -> None:
    sample = metrics.model_attempts_total.collect()
    answered = [it for metric in sample for it in metric.samples if it.labels.get("result") == "answered"]
    assert sum(it.value for it in answered) >= len(requests)
    tokens = [it for metric in metrics.model_tokens_total.collect() for it in metric.samples]
    assert {it.labels["kind"] for it in tokens} == {"prompt", "completion"}
