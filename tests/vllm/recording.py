"""What a real vLLM sends for a model of gpt-oss's shape, kept so that it can be replayed where none can run.

python -m tests.vllm.recording      asks a real server again, and writes tests/vectors/vllm/harmony.json
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.vllm.dialogues import TOOL
from tests.vllm.environment import GPTOSS, ROOT
from tests.vllm.server import VllmServer

FILE = ROOT / "tests" / "vectors" / "vllm" / "harmony.json"
GPTOSS_FLAGS = ("--tool-call-parser", "openai", "--max-model-len", "4096")

LOOKUP = "Where is order A1024?"
TOOLS: dict[str, Any] = {"tools": [TOOL], "reasoning_effort": "low"}
NAMED = {"type": "function", "function": {"name": "order_status"}}
CASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "a thought and an answer": ("Hello", {"reasoning_effort": "low"}),
    "a longer thought": ("Hello", {"reasoning_effort": "high"}),
    "a thought that is not sent": ("Hello", {"reasoning_effort": "low", "include_reasoning": False}),
    "no word in the answer": ("Say nothing", {"reasoning_effort": "low"}),
    "cut in the thought": ("Hello", {"reasoning_effort": "low", "max_tokens": 6}),
    "cut in a header": ("Hello", {"reasoning_effort": "low", "max_tokens": 11}),
    "a call": (LOOKUP, TOOLS),
    "a call that is demanded": (LOOKUP, TOOLS | {"tool_choice": "required"}),
    "a call that is named": (LOOKUP, TOOLS | {"tool_choice": NAMED}),
    "a call that is forbidden": (LOOKUP, TOOLS | {"tool_choice": "none"}),
    "a call cut in its header": (LOOKUP, TOOLS | {"max_tokens": 18}),
    "a call cut in its arguments": (LOOKUP, TOOLS | {"max_tokens": 27}),
}


def choices(events: Sequence[Any]) -> list[Any]:
    """What of a stream is the same at every run: the deltas and the end, without the ids of calls."""
    kept = []
    for choice in (choice for event in events for choice in event["choices"]):
        for call in choice["delta"].get("tool_calls") or ():
            call.pop("id", None)
        kept.append({name: choice[name] for name in ("index", "delta", "finish_reason")})
    return kept


def asked(server: VllmServer, case: str) -> list[Any]:
    question, fields = CASES[case]
    return choices(server.events(question, **fields))


def whole(choices: Sequence[Any]) -> dict[str, object]:
    """What a stream comes to, however its tokens were put into events: a busy server joins some."""
    deltas = [choice["delta"] for choice in choices]
    called = [call["function"] for delta in deltas for call in delta.get("tool_calls") or ()]
    return {
        "reasoning": "".join(delta.get("reasoning") or "" for delta in deltas),
        "content": "".join(delta.get("content") or "" for delta in deltas),
        "called": [function["name"] for function in called if "name" in function],
        "arguments": "".join(function.get("arguments") or "" for function in called),
        "finish": [choice["finish_reason"] for choice in choices if choice["finish_reason"]],
    }


def recorded() -> dict[str, list[Any]]:
    content: dict[str, list[Any]] = json.loads(FILE.read_text("utf-8"))
    return content


def main() -> None:
    with VllmServer(GPTOSS, *GPTOSS_FLAGS) as server:
        cases = {case: asked(server, case) for case in CASES}
    FILE.parent.mkdir(exist_ok=True)
    lines = [
        f"{json.dumps(case)}: [\n" + ",\n".join(json.dumps(it, ensure_ascii=False) for it in events) + "\n]"
        for case, events in cases.items()
    ]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
