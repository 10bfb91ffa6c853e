"""What one request says: the conversation, the tools, and how an assistant speaks (vLLM sheet §2, §3)."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.values import ChatMessage, Picture, ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How an assistant's requests differ from another's. *model* is the served name, or that of a LoRA adapter.

    *reasoning_effort* "" is for models that do not think; gpt-oss knows low, medium and high, and changing it
    loses the prefix cache (sheet §7). *cache_salt* keeps one tenant's prefix cache apart from another's.
    *priority*: lower is earlier, where the server runs with `--scheduling-policy priority`; elsewhere vLLM's help
    promises a 400, and 0.32.0 was seen to ignore it.
    *extra* are further fields of the request, and win; vLLM ignores names that it does not know (sheet §3).
    """

    model: str
    reasoning_effort: str = "low"
    temperature: float | None = None
    top_p: float | None = None
    cache_salt: str = ""
    priority: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """What every request of this voice holds alike."""
        given = {
            "reasoning_effort": self.reasoning_effort or None,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "cache_salt": self.cache_salt or None,
            "priority": self.priority,
        }
        fixed: dict[str, Any] = {"model": self.model, "stream": True, "stream_options": {"include_usage": True}}
        return fixed | {name: value for name, value in given.items() if value is not None} | dict(self.extra)


def conversation_fields(
    messages: Sequence[ChatMessage], tools: Sequence[ToolSpec], max_tokens: int
) -> dict[str, Any]:
    """Without tools the field is left out: an empty list is a 400, and `tool_choice: none` still shows them to the
    model, which then may answer nothing (sheet §2)."""
    fields: dict[str, Any] = {"messages": [_message(message) for message in messages], "max_tokens": max_tokens}
    if tools:
        fields |= {"tools": [_tool(tool) for tool in tools], "tool_choice": "auto"}
    return fields


def _message(message: ChatMessage) -> dict[str, Any]:
    """Earlier reasoning goes back only with the calls that it led to (sheet §2)."""
    if message.tool_calls:
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
        thought = {"reasoning": message.reasoning} if message.reasoning else {}
        return {"role": message.role, "content": message.content or None, **thought, "tool_calls": calls}
    answered = {"tool_call_id": message.tool_call_id} if message.tool_call_id else {}
    return {"role": message.role, **answered, "content": _content(message)}


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    if not message.pictures:
        return message.content
    pictures = [{"type": "image_url", "image_url": {"url": _data_url(it)}} for it in message.pictures]
    return [{"type": "text", "text": message.content}, *pictures]


def _data_url(picture: Picture) -> str:
    """The bytes themselves: a model server should be able to reach nothing but us."""
    return f"data:{picture.mime};base64,{b64encode(picture.content).decode()}"


def _tool(tool: ToolSpec) -> dict[str, Any]:
    """`strict` makes the server hold the arguments to the schema; without it only the envelope is (sheet §0.9)."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters, "strict": True}
    return {"type": "function", "function": function}
