"""What the configuration expects of a replica beside that it serves the model: adapters, context, tools, its queue.

`frontdesk check` asks one short question with all that the assistants' requests have, because a flag that is
missing at the server shows only then: a tool call that comes as text, a thought that is shown, a priority that is
refused.
"""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.channel import Finding
from bot.config import Config
from bot.serving import model_health
from inference.budget import LARGER_BUDGET, text_tokens
from inference.prompt import system_prompt

NOTES_TOKENS = 1000
"""What the shop knows of a question, as it is put beside it."""
PATIENCE = 15.0
"""Seconds for the question; a first grammar may take four (vLLM sheet §3)."""
REJECTIONS = "vllm:admission_rejections_total"

PING: Mapping[str, Any] = {
    "name": "ping",
    "description": "Tells whether tools work.",
    "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    "strict": True,
}
MARKUP = ("<|", "<think>", "</think>", "<tool_call>", '"name": "ping"', '"name":"ping"')
"""What stays in an answer when a parser is missing or that of another model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """*names* are served names with the setting that asks for each; *context* are tokens, and *context_of* the
    assistant that needs most; *at_once*: requests that all workers' turns can make of one replica."""

    name: str
    names: Mapping[str, str]
    context: int
    context_of: str
    tools: bool
    priority: bool
    reasoning_effort: str | None
    at_once: int
    queue: int


def expected(config: Config) -> Expected:
    needs = {
        name: text_tokens(system_prompt(it.system_prompt, company_name=it.company_name, max_reply_chars=0))
        + 2 * it.history_tokens  # the earlier turns and the newest words, each
        + NOTES_TOKENS
        + LARGER_BUDGET * it.max_tokens
        for name, it in config.assistants.items()
    }
    greatest = max(needs, key=lambda name: needs[name], default="default")
    efforts = [it.reasoning_effort for it in config.assistants.values()]
    return Expected(
        name=config.model.name,
        names={it.model: f"assistants.{name}.model" for name, it in config.assistants.items() if it.model},
        context=needs.get(greatest, 0),
        context_of=greatest,
        tools=any(it.tools for it in config.assistants.values()),
        priority=config.model.priority,
        reasoning_effort=next((effort for effort in efforts if effort), None),
        at_once=config.worker.turns // max(len(config.model.replicas), 1),
        queue=config.model.serve.max_num_queued_reqs,
    )


def examine(replica: str, wanted: Expected, api_key: str) -> Sequence[Finding]:
    """All that can be asked of *replica*, a base URL ending in /v1. Never raises for what the server does."""
    first = model_health.examine(replica, wanted.name, api_key)
    return [first, *_closer(replica.rstrip("/"), wanted, api_key)] if first.ok else [first]


def _closer(replica: str, wanted: Expected, api_key: str) -> Iterator[Finding]:
    who = model_health.named(replica)
    try:
        _, body = model_health.call("GET", f"{replica}/models", api_key)
        served = model_health.models(body)
        for finding in (*_names(served, wanted), _context(served, wanted), _answer(replica, wanted, api_key)):
            yield replace(finding, what=f"{who}: {finding.what}")
        yield replace(queue := _queue(replica, wanted), what=f"{who}: {queue.what}")
    except (OSError, http.client.HTTPException) as error:
        step = f"stopped answering in the middle of the check ({type(error).__name__}): look at its log"
        yield Finding(what=who, ok=False, next_step=step)


def _names(served: Mapping[str, int | None], wanted: Expected) -> Iterator[Finding]:
    for name, setting in wanted.names.items():
        missing = (
            f"is not served: correct {setting}, or add it to model.serve.lora_modules and restart the server; "
            f"there are {', '.join(served)}"
        )
        yield Finding(
            what=f"model or adapter {name}", ok=name in served, next_step="" if name in served else missing
        )


def _context(served: Mapping[str, int | None], wanted: Expected) -> Finding:
    length = served.get(wanted.name)
    if length is None:
        return Finding(what="context length", ok=True, next_step="the server does not tell it")
    step = (
        f"assistants.{wanted.context_of} may need {wanted.context} tokens: raise the server's --max-model-len "
        "(model.serve.max_model_len), or lower that assistant's history_tokens or max_tokens"
    )
    enough = length >= wanted.context
    return Finding(what=f"context of {length} tokens", ok=enough, next_step="" if enough else step)


def _answer(replica: str, wanted: Expected, api_key: str) -> Finding:
    word = "Call the tool named ping." if wanted.tools else "Answer with the word OK."
    body: dict[str, Any] = {
        "model": wanted.name,
        "messages": [{"role": "user", "content": word}],
        "max_tokens": 256,
    }
    if wanted.tools:
        body |= {"tools": [{"type": "function", "function": PING}], "tool_choice": "auto"}
    if wanted.priority:
        body["priority"] = 1
    if wanted.reasoning_effort:
        body["reasoning_effort"] = wanted.reasoning_effort
    status, content = model_health.call("POST", f"{replica}/chat/completions", api_key, body, patience=PATIENCE)
    if status != http.HTTPStatus.OK:
        return Finding(what="a question", ok=False, next_step=_refusal(status, content, wanted))
    return _judged(content, wanted)


def _refusal(status: int, content: bytes, wanted: Expected) -> str:
    text = content[:2000].decode("utf-8", "replace").lower()
    if status == http.HTTPStatus.BAD_REQUEST and wanted.priority and "priorit" in text:
        return "takes no priorities: start it with --scheduling-policy priority, or set model.priority = false"
    if status == http.HTTPStatus.BAD_REQUEST and wanted.tools and "tool" in text:
        return (
            "takes no tools: start it with --enable-auto-tool-choice and the model's --tool-call-parser "
            "(model.serve.tool_call_parser; `frontdesk model --print` shows the command)"
        )
    return f"is answered with HTTP {status}: look at the server's log"


def _judged(content: bytes, wanted: Expected) -> Finding:
    try:
        message: Any = json.loads(content)["choices"][0]["message"]
        text, calls = str(message.get("content") or ""), message.get("tool_calls")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return Finding(
            what="a question", ok=False, next_step="is answered with no chat completion: what stands there?"
        )
    if any(mark in text for mark in MARKUP):
        step = (
            "its answer holds markup: --reasoning-parser or --tool-call-parser is missing or another model's "
            "(model.serve.reasoning_parser, model.serve.tool_call_parser)"
        )
        return Finding(what="a question", ok=False, next_step=step)
    if wanted.tools and not calls:
        step = (
            "answered in words and called no tool this time; if customers' tools are not used, look at the parsers"
        )
        return Finding(what="a question with a tool", ok=True, next_step=step)
    return Finding(what="calls a tool" if calls else "answers a question", ok=True)


def _queue(replica: str, wanted: Expected) -> Finding:
    """The limit itself is told by no address of the server; its refusals are, and our own setting is known."""
    status, body = model_health.call("GET", f"{replica.removesuffix('/v1')}/metrics")
    if status != http.HTTPStatus.OK or REJECTIONS.encode() not in body:
        return Finding(what="its queue", ok=True, next_step="/metrics does not tell its refusals")
    refused = sum(
        _value(line) for line in body.decode("utf-8", "replace").splitlines() if line.startswith(REJECTIONS)
    )
    if refused:
        step = "add a replica, or raise the server's --max-num-queued-reqs (model.serve.max_num_queued_reqs)"
        return Finding(what=f"its queue was full for {refused:.0f} requests", ok=True, next_step=step)
    if wanted.at_once > wanted.queue:
        step = (
            f"worker.turns may send it {wanted.at_once} requests at once, and model.serve.max_num_queued_reqs is "
            f"{wanted.queue}: beyond it customers wait for another try"
        )
        return Finding(what="its queue has refused nothing", ok=True, next_step=step)
    return Finding(what="its queue has refused nothing", ok=True)


def _value(line: str) -> float:
    try:
        return float(line.rsplit(" ", 1)[1])
    except (IndexError, ValueError):
        return 0.0
