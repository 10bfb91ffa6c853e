"""A scripted model server, and clients that lose patience soon."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from bot.sandbox.model import ScriptedModelServer
from inference.exchange import Limits
from inference.vllm import Patience, VllmModel

QUICK = Limits(first=timedelta(seconds=0.8), between=timedelta(seconds=0.5))
EAGER = Patience(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=80))

Connect = Callable[..., VllmModel]


@pytest.fixture
def server() -> Iterator[ScriptedModelServer]:
    with ScriptedModelServer() as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients that are closed in the end."""
    made: list[VllmModel] = []

    def client(*urls: str, limits: Limits = QUICK, patience: Patience = EAGER, key: str = "") -> VllmModel:
        made.append(VllmModel(urls, "gpt-oss-20b", key, limits=limits, patience=patience))
        return made[-1]

    yield client
    for model in made:
        model.close()
