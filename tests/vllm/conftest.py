"""Real servers for a module's tests: one at a time, started once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.environment import CHAT, GPTOSS, PYTHON
from tests.vllm.recording import GPTOSS_FLAGS
from tests.vllm.server import VllmServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            item.add_marker(pytest.mark.timeout(600))  # the first test of a module waits for the server


@pytest.fixture(scope="session")
def environment() -> None:
    if not PYTHON.exists() or not (CHAT / "made-from").exists():
        pytest.skip("the environment of the real vLLM is not there: make test-vllm makes it")


@pytest.fixture(scope="module")
def chat(environment: None) -> Iterator[VllmServer]:
    """The Llama-shaped model with its two adapters; drains for minutes when it is told to stop."""
    adapters = [f"{path.parent.name}={path.parent}" for path in sorted(CHAT.glob("*/adapter_config.json"))]
    lora = ("--enable-lora", "--max-loras", "2", "--max-lora-rank", "8", "--lora-modules", *adapters)
    hermes = ("--tool-call-parser", "hermes", "--max-model-len", "2048")
    with VllmServer(CHAT, *hermes, *lora, "--shutdown-timeout", "150") as server:
        yield server


@pytest.fixture
def short_lived(environment: None, request: pytest.FixtureRequest) -> Iterator[VllmServer]:
    """A server for one test to end, with vLLM's own way of stopping: at once. *param*: the folder of its model."""
    model = getattr(request, "param", CHAT)
    if model == GPTOSS:
        needs_gptoss()
    flags = GPTOSS_FLAGS if model == GPTOSS else ("--tool-call-parser", "hermes", "--max-model-len", "2048")
    with VllmServer(model, *flags) as server:
        yield server


def needs_gptoss() -> None:
    if not (GPTOSS / "made-from").exists():
        pytest.skip("NOT TESTED: the model of gpt-oss's shape could not be made; its vocabulary is not to be had")


@pytest.fixture(scope="module")
def gptoss(environment: None) -> Iterator[VllmServer]:
    needs_gptoss()
    with VllmServer(GPTOSS, *GPTOSS_FLAGS, "--shutdown-timeout", "150") as server:
        yield server
