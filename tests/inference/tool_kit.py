"""Tools for the tests of tools: a customer, questions, and the example shop's own service."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pydantic import SecretStr

from bot.sandbox import shop
from bot.sandbox.simulator.serving import Server
from inference.assistant import Assistant, AssistantSettings
from inference.faq import NoKnowledge
from inference.scripted import ScriptedModel
from inference.tools.http import HttpCall, ToolHttp
from inference.tools.loop import Toolbox
from inference.tools.schema import Schema
from inference.tools.tool import Act, Arguments, Occasion, Tool
from inference.values import Answer, ChatMessage, Customer, Question

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ANA = Customer(channel="shop", account="twin", user="ana")
BEN = Customer(channel="shop", account="twin", user="ben")
NUMBER = {"type": "string", "pattern": "^[0-9]{1,12}$"}


def question(*texts: str, customer: Customer | None = ANA, **fields: Any) -> Question:
    return Question(
        **{
            "conversation": "shop:twin:ana",
            "history": (),
            "texts": texts or ("Where is my order 1001?",),
            "now": NOW,
            "deadline": timedelta(seconds=10),
            "turn": "turn-1",
            "customer": customer,
            **fields,
        }
    )


@dataclass
class Recorder:
    """An action that remembers how it was called."""

    result: object = "done"
    calls: list[tuple[Arguments, Occasion]] = field(default_factory=list)

    def __call__(self, arguments: Arguments, occasion: Occasion) -> object:
        self.calls.append((arguments, occasion))
        return self.result


def tool(act: Act, name: str = "order_status", *, confirm: str = "", seconds: float = 5, **arguments: Any) -> Tool:
    """A tool whose *arguments* are schemas by name."""
    return Tool(
        name=name,
        description="What it does.",
        schema=Schema.of(**(arguments or {"order_number": NUMBER})),
        act=act,
        confirm={"en": confirm, "zh": confirm} if confirm else {},
        timeout=timedelta(seconds=seconds),
    )


@dataclass
class Counter:
    """An assistant with tools, its model's twin, and what the operator is told."""

    tools: Sequence[Tool]
    rounds: int = 4
    model: ScriptedModel = field(default_factory=lambda: ScriptedModel("That is all I know."))
    observed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def assistant(self) -> Assistant:
        box = Toolbox(
            self.tools, rounds=self.rounds, observe=lambda _, name, what, __: self.observed.append((name, what))
        )
        return Assistant(self.model, NoKnowledge(), AssistantSettings(max_reply_chars=5000, max_tokens=5000), box)

    def ask(self, *texts: str, **fields: Any) -> Answer:
        return self.assistant.answer(question(*texts, **fields))

    def told(self, call: int = -1) -> list[str]:
        """The tools' results in one of the model's calls, the last by default."""
        return [message.content for message in self.heard(call) if message.role == "tool"]

    def heard(self, call: int = -1) -> Sequence[ChatMessage]:
        return self.model.asked[call].messages


@contextmanager
def open_shop() -> Iterator[tuple[shop.Shop, str]]:
    """The example shop's service, and where it listens."""
    service = shop.Shop()
    server = Server(service.handle)
    try:
        yield service, server.url
    finally:
        server.stop()


AUTHORIZED: Mapping[str, SecretStr] = {"Authorization": SecretStr(f"Bearer {shop.KEY}")}
ORDER = "/customers/{customer.channel}/{customer.user}/orders/{order_number}"


def order_status(url: str) -> Tool:
    call = HttpCall(url=url + ORDER, headers=AUTHORIZED, result="order")
    return replace(tool(partial(ToolHttp().act, call)), reads=True)


def cancel_order(url: str, *, seconds: float = 5) -> Tool:
    call = HttpCall(url=f"{url}{ORDER}/cancel", method="POST", headers=AUTHORIZED, result="order.state")
    return tool(
        partial(ToolHttp().act, call), "cancel_order", confirm="cancel order {order_number}", seconds=seconds
    )
