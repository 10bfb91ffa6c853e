"""From a question to an answer: knowledge → prompt → model and tools → shorten; without a model, what is known.

`answer` never raises a ModelError: a customer is told something in any case, and `degraded` tells the operator.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta, tzinfo

from inference.errors import ContextTooLong, ModelError, ModelFailed
from inference.faq import CERTAIN
from inference.files import only, targets
from inference.language import greeting_line, handover_line, only_greets
from inference.prompt import Prompt, system_prompt
from inference.shorten import shorten, so_far, without_unfinished
from inference.tools import confirm
from inference.tools.confirm import Verdict
from inference.tools.loop import Ask, Confirm, Done, Toolbox, Use
from inference.values import (
    Answer,
    ChatMessage,
    Completion,
    Knowledge,
    Model,
    Passage,
    Picture,
    Question,
    Show,
    Source,
    ToolSpec,
)

MOST_PASSAGES = 3
SHORTER = 4
"""When the conversation is longer than the model's context, this fraction of the history is tried once."""


MOST_PICTURES = 4
"""Of one question, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How much of a conversation the model is given."""

    history_tokens: int
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantSettings:
    """*system_prompt* may hold {company_name} and {max_reply_chars}; "" is the built-in one. *fallback_text* is
    said when nobody knows; "" is *handover* of the customer's texts. *max_tokens* covers thinking and answer.
    *certain*: from which score on a stored answer is sent without a model. *zone*: whose time the model is told.
    *sees*: the model takes pictures; else those of a question are left out."""

    company_name: str = "our shop"
    system_prompt: str = ""
    max_reply_chars: int = 150
    fallback_text: str = ""
    handover: Callable[[Sequence[str]], str] = handover_line
    history_tokens: int = 4096
    max_tokens: int = 1024
    certain: float = CERTAIN
    zone: tzinfo = UTC
    sees: bool = False


class Assistant:
    """One company's voice. Thread-safe. *model* None: there is none yet, and the knowledge answers alone. *tools*:
    what it may do for a customer."""

    def __init__(
        self, model: Model | None, knowledge: Knowledge, settings: AssistantSettings, tools: Toolbox | None = None
    ) -> None:
        self._model = model
        self._knowledge = knowledge
        self._settings = settings
        self._tools = tools or Toolbox()
        self._prompt = Prompt(
            system=system_prompt(
                settings.system_prompt,
                company_name=settings.company_name,
                max_reply_chars=settings.max_reply_chars,
                tools=bool(self._tools),
            ),
            history_tokens=settings.history_tokens,
        )

    def answer(self, question: Question) -> Answer:
        ends = time.monotonic() + question.deadline.total_seconds()
        question = replace(question, now=question.now.astimezone(self._settings.zone))
        use = self._tools.use(question, ends)
        done: Done | None = None
        if use is not None and question.texts and (pending := confirm.waiting(question, use.customer)):
            verdict = confirm.verdict(question.texts[0])
            if verdict is Verdict.NO and len(question.texts) == 1:
                return Answer(text=confirm.dropped_line(question.texts), source=Source.TOOL)
            done = use.carry_out(pending) if verdict is Verdict.YES else None
        answer = self._answer(question, use, done, ends)
        answer = _after(done, answer, question) if done else answer
        return replace(answer, acted=use is not None and use.acted)

    def _answer(self, question: Question, use: Use | None, done: Done | None, ends: float) -> Answer:
        passages = self._known(question.texts)
        if self._model is None:
            return self._without_model(question, passages, "")
        if not self._model.available():
            return self._without_model(question, passages, "no model replica is up")
        try:
            ask = self._ask(self._model, question, passages, ends)
            ended = use.run(ask, done) if use is not None else ask((), ())
        except ModelError as error:
            return self._without_model(question, passages, f"{type(error).__name__}: {error}")
        if isinstance(ended, Confirm):
            return Answer(
                text=ended.sentence,
                source=Source.TOOL,
                pending=ended.pending.dump(),
                choices=confirm.choices(question.texts),
            )
        told = [] if use is None else list(use.known.values())
        return Answer(text=self._said(ended, question, passages, told), source=Source.MODEL)

    def _ask(self, model: Model, question: Question, passages: Sequence[Passage], ends: float) -> Ask:
        """Asks with all there is; once the conversation was too long, with less of it."""
        sizes = self._sizes(question)
        show = self._within_length(question.show) if question.show else None

        def ask_with(size: _Size, rounds: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> Completion:
            left = timedelta(seconds=ends - time.monotonic())
            if left <= timedelta():
                raise ModelFailed("no whole answer within the deadline")
            newest = self._prompt.messages(
                question, passages, history_tokens=size.history_tokens, pictures=size.pictures
            )
            return model.complete(
                [*newest, *rounds],
                conversation=question.conversation,
                deadline=left,
                max_tokens=self._settings.max_tokens,
                tools=tools,
                show=show,
            )

        def ask(rounds: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> Completion:
            while len(sizes) > 1:
                try:
                    return ask_with(sizes[0], rounds, tools)
                except ContextTooLong:
                    del sizes[0]
            return ask_with(sizes[0], rounds, tools)

        return ask

    def _sizes(self, question: Question) -> list["_Size"]:
        """What is tried, one after the other: less history first, and the pictures go last."""
        whole, less = self._settings.history_tokens, self._settings.history_tokens // SHORTER
        budgets = [whole, less] if question.history else [whole]
        pictures = tuple(question.pictures)[-MOST_PICTURES:] if self._settings.sees else ()
        sizes = [_Size(history_tokens=budget, pictures=pictures) for budget in budgets]
        return [*sizes, _Size(history_tokens=budgets[-1])] if pictures else sizes

    def _within_length(self, show: Show) -> Show:
        """*show*, of texts that are cut as the answer will be; each once."""
        last = ""

        def shown(text: str) -> None:
            nonlocal last
            text = so_far(text, self._settings.max_reply_chars)
            if text and text != last:
                last = text
                show(text)

        return shown

    def _said(
        self, completion: Completion, question: Question, passages: Sequence[Passage], told: Sequence[str]
    ) -> str:
        """*told*: the tools' results."""
        ours = [message.content for message in question.history if message.role == "assistant"]
        files = targets([self._prompt.system, *(passage.answer for passage in passages), *ours, *told])
        text = only(completion.text, files)
        return shorten(
            without_unfinished(text) if completion.finish == "length" else text, self._settings.max_reply_chars
        )

    def _known(self, texts: Sequence[str]) -> Sequence[Passage]:
        """For all texts together and for each: a greeting before the question must not water it down."""
        asked = dict.fromkeys(["\n".join(texts), *texts])
        best: dict[str, Passage] = {}
        for text in asked:
            for passage in self._knowledge.find(text, most=MOST_PASSAGES):
                known = best.get(passage.answer)
                if known is None or known.score < passage.score:
                    best[passage.answer] = passage
        return sorted(best.values(), key=lambda passage: -passage.score)[:MOST_PASSAGES]

    def _without_model(self, question: Question, passages: Sequence[Passage], degraded: str) -> Answer:
        if only_greets(question.texts):
            return Answer(text=greeting_line(question.texts), source=Source.FAQ, degraded=degraded)
        if passages and passages[0].score >= self._settings.certain:
            return Answer(text=passages[0].answer, source=Source.FAQ, degraded=degraded)
        text = self._settings.fallback_text or self._settings.handover(question.texts)
        return Answer(text=text, source=Source.HANDOVER, degraded=degraded)


def _after(done: Done, answer: Answer, question: Question) -> Answer:
    """The answer of a turn whose first text was a yes: what was done is told, even if the model has no words for it
    or asks for the next yes."""
    if answer.source is Source.MODEL:
        return answer
    if answer.source is Source.TOOL or len(question.texts) > 1:
        return replace(answer, text=f"{done.sentence}\n\n{answer.text}")
    if done.unsure:  # a colleague was promised
        degraded = answer.degraded or "an action may or may not have happened"
        return Answer(text=done.sentence, source=Source.HANDOVER, degraded=degraded)
    return Answer(text=done.sentence, source=Source.TOOL, degraded=answer.degraded)
