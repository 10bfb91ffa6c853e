"""The rounds between a question and its answer: the model asks for tools, we act, it goes on.

Everything within the one deadline; at most so many rounds, and then once more without tools. Whatever is wrong with
a call is told to the model in words, so that it can mend it or tell the customer. A call that was made is not made
again in the same turn: the same call gets the same result.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from inference.errors import ModelFailed
from inference.prompt import plain
from inference.tools import confirm
from inference.tools.confirm import Pending
from inference.tools.schema import BadArguments
from inference.tools.together import together
from inference.tools.tool import Arguments, Occasion, Tool, ToolFailed, action_key, canonical
from inference.values import ChatMessage, Completion, Customer, Question, ToolCall, ToolSpec

AT_ONCE = 4
MOST_CALLS = 8
"""Of one round."""
GRACE = timedelta(seconds=0.5)
SHARE = 0.75
"""Of the time that is left, tools may take this much: the model needs the rest for its answer."""

Ask = Callable[[Sequence[ChatMessage], Sequence[ToolSpec]], Completion]
"""Asks the model, with the rounds so far after the question, and with the tools that it may call now."""

Observe = Callable[[str, str, str, timedelta], None]
"""Told of each call: the conversation, the tool's name ("" for one that does not exist), a snake_case outcome, and
how long it took."""


def unobserved(conversation: str, tool: str, outcome: str, took: timedelta) -> None:
    """For whoever does not want to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """The loop's end where the customer is to be asked: *sentence* asks."""

    sentence: str
    pending: Pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A confirmed action that was carried out, or not; *sentence* says so without a model."""

    sentence: str
    call: ToolCall
    told: str
    unsure: bool = False


class Toolbox:
    """The tools of one assistant. Thread-safe; nothing else can be called."""

    def __init__(self, tools: Sequence[Tool] = (), *, rounds: int = 4, observe: Observe = unobserved) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._specs = tuple(tool.spec for tool in tools)
        self._rounds = rounds
        self._observe = observe

    def __bool__(self) -> bool:
        return bool(self._tools)

    def use(self, question: Question, ends: float) -> "Use | None":
        """None where no tool may be used: nobody vouches for the customer, or the turn has no name."""
        if not self._tools or question.customer is None or not question.turn:
            return None
        return Use(
            tools=self._tools,
            specs=self._specs,
            rounds=self._rounds,
            observe=self._observe,
            question=question,
            customer=question.customer,
            ends=ends,
        )


@dataclass(slots=True, kw_only=True)
class Use:
    """The tools during one question. *ends*: `time.monotonic()` seconds. *known*: results of this turn's calls.
    *acted*: something may have been changed."""

    tools: Mapping[str, Tool]
    specs: Sequence[ToolSpec]
    rounds: int
    observe: Observe
    question: Question
    customer: Customer
    ends: float
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    acted: bool = False

    def run(self, ask: Ask, done: Done | None = None) -> Completion | Confirm:
        """The model's last words, or what the customer is to be asked. Raises ModelError."""
        said = (
            [] if done is None else _exchange(Completion(text="", finish="", tool_calls=(done.call,)), [done.told])
        )
        for _ in range(self.rounds):
            completion = ask(said, self.specs)
            if not completion.tool_calls:
                if completion.text:
                    return completion
                break  # neither words nor a call: once more, without tools
            outcome = self._round(completion.tool_calls)
            if isinstance(outcome, Confirm):
                return outcome
            said += _exchange(completion, outcome)
        completion = ask(said, ())
        if not completion.text:
            raise ModelFailed(f"the answer is empty after tools were used (finish_reason {completion.finish})")
        return completion

    def _observe(self, tool: str, outcome: str, took: timedelta = timedelta()) -> None:
        self.observe(self.question.conversation, tool, outcome, took)

    # One round

    def _round(self, calls: Sequence[ToolCall]) -> list[str] | Confirm:
        """What each call is told, in order."""
        asking = [call for call in calls if self._asks(call)]
        if asking and len(calls) > 1:
            return ["Not done: an action that the customer must confirm is called alone. Call one tool."] * len(
                calls
            )
        if asking:
            return self._propose(asking[0])
        told = self._at_once(calls[:MOST_CALLS])
        return told + ["Not done: too many calls at once."] * (len(calls) - len(told))

    def _asks(self, call: ToolCall) -> bool:
        tool = self.tools.get(call.name)
        return tool is not None and bool(tool.confirm) and not self._repeats(tool, call)

    def _repeats(self, tool: Tool, call: ToolCall) -> bool:
        try:
            return (tool.name, canonical(tool.schema.read(call.arguments))) in self.known
        except BadArguments:
            return False

    def _propose(self, call: ToolCall) -> list[str] | Confirm:
        tool = self.tools[call.name]
        try:
            arguments = tool.schema.read(call.arguments)
            what = confirm.described(tool.confirm, arguments, self.question.texts)
        except (BadArguments, ToolFailed) as error:
            self._observe(tool.name, "invalid")
            return [f"Not done: {error}."]
        self._observe(tool.name, "asked")
        pending = Pending(
            tool=tool.name,
            arguments=arguments,
            key=action_key(self.question.turn, tool.name, arguments),
            user=self.customer.user,
            since=self.question.now,
        )
        return Confirm(sentence=confirm.question_line(what, self.question.texts), pending=pending)

    def _at_once(self, calls: Sequence[ToolCall]) -> list[str]:
        """All calls, at most AT_ONCE together, each action once."""
        checked = [self._checked(call) for call in calls]
        wanted = {each.name: each for each in checked if isinstance(each, _Wanted) and each.name not in self.known}
        self._act(list(wanted.values()))
        return [each if isinstance(each, str) else self.known[each.name] for each in checked]

    def _checked(self, call: ToolCall) -> "_Wanted | str":
        """What is to be done, or why not, in words."""
        tool = self.tools.get(call.name)
        if tool is None:
            self._observe("", "unknown")
            return f"Failed: there is no such tool. There are: {', '.join(self.tools)}."
        try:
            arguments = tool.schema.read(call.arguments)
        except BadArguments as error:
            self._observe(tool.name, "invalid")
            return f"Failed: {error}."
        key = action_key(self.question.turn, tool.name, arguments)
        return _Wanted(tool=tool, arguments=arguments, key=key)

    def _act(self, wanted: Sequence["_Wanted"]) -> list[ToolFailed | None]:
        """Acts, and remembers what the model is told of it; the failures."""
        self.acted = self.acted or not all(each.tool.reads for each in wanted)
        left = timedelta(seconds=max(0.0, self.ends - time.monotonic()) * SHARE)
        longest = max((each.tool.timeout for each in wanted), default=timedelta())
        within = min(left, longest * (1 + (len(wanted) - 1) // AT_ONCE) + GRACE)
        jobs = [partial(self._result, each, min(left, each.tool.timeout)) for each in wanted]
        failures: list[ToolFailed | None] = []
        for each, result in zip(wanted, together(jobs, at_once=AT_ONCE, within=within), strict=True):
            result = TOO_LATE if result is None else result
            if result is TOO_LATE:
                self._observe(each.tool.name, TOO_LATE.outcome, within)
            self.known[each.name] = _told(result) if isinstance(result, ToolFailed) else result
            failures.append(result if isinstance(result, ToolFailed) else None)
        return failures

    def _result(self, wanted: "_Wanted", within: timedelta) -> str | ToolFailed:
        """One call, on a thread of its own."""
        started = time.monotonic()
        occasion = Occasion(
            customer=self.customer,
            conversation=self.question.conversation,
            now=self.question.now,
            key=wanted.key,
            deadline=within,
            origin=self.question.origin,
        )
        result: str | ToolFailed
        try:
            result = _bounded(wanted.tool.act(wanted.arguments, occasion), wanted.tool.largest)
        except ToolFailed as failure:
            result = failure
        outcome = result.outcome if isinstance(result, ToolFailed) else "ok"
        self._observe(wanted.tool.name, outcome, timedelta(seconds=time.monotonic() - started))
        return result

    # What was confirmed

    def carry_out(self, pending: Pending) -> Done | None:
        """Acts on the customer's yes. None: the tool has been taken away or changed since."""
        tool = self.tools.get(pending.tool)
        if tool is None or not tool.confirm:
            return None
        said = self.question.texts
        try:
            tool.schema.check(pending.arguments)
            what = confirm.described(tool.confirm, pending.arguments, said)
        except (BadArguments, ToolFailed):
            return None
        wanted = _Wanted(tool=tool, arguments=pending.arguments, key=pending.key)
        (failure,) = self._act([wanted])
        sentence = (
            confirm.failed_line(what, said, unsure=failure.unsure) if failure else confirm.done_line(what, said)
        )
        call = ToolCall(id="confirmed", name=tool.name, arguments=canonical(pending.arguments))
        unsure = failure is not None and failure.unsure
        return Done(sentence=sentence, call=call, told=self.known[wanted.name], unsure=unsure)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A checked call."""

    tool: Tool
    arguments: Arguments
    key: str

    @property
    def name(self) -> tuple[str, str]:
        return self.tool.name, canonical(self.arguments)


TOO_LATE = ToolFailed("it took too long", outcome="timeout", unsure=True)


def _told(failure: ToolFailed) -> str:
    return f"Failed: {failure.words}." + (" It may have worked nevertheless." if failure.unsure else "")


def _exchange(completion: Completion, told: Sequence[str]) -> list[ChatMessage]:
    """A round as the model reads it again. Harmony keeps the thinking only around tool calls (vLLM sheet §2)."""
    asked = ChatMessage(
        role="assistant",
        content=completion.text,
        tool_calls=_named_apart(completion.tool_calls),
        reasoning=completion.reasoning,
    )
    results = [
        ChatMessage(role="tool", content=words, tool_call_id=call.id)
        for call, words in zip(asked.tool_calls, told, strict=True)
    ]
    return [asked, *results]


def _named_apart(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """Two results under one id, or under none, would be mistaken for each other."""
    ids = [call.id for call in calls]
    if all(ids) and len(set(ids)) == len(ids):
        return tuple(calls)
    return tuple(replace(call, id=f"call-{index}") for index, call in enumerate(calls))


def _bounded(result: object, largest: int) -> str:
    try:
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise ToolFailed("its result is no JSON value; a colleague must look", outcome="no_json") from None
    text = plain(text)
    return text if len(text) <= largest else f"{text[:largest]} [cut: {len(text) - largest} more characters]"
