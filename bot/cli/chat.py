"""`frontdesk chat`: talk to an assistant in the terminal. Needs neither Redis nor a platform."""

import sys
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from bot.cli.configuration import config_option

if TYPE_CHECKING:
    from inference.assistant import Assistant
    from inference.values import Answer, ChatMessage


@click.command()
@click.option("--assistant", "name", default="default", show_default=True, help="Which one to talk to.")
@config_option
@click.pass_obj
def chat(config: Path | None, name: str) -> None:
    """Talk to an assistant in the terminal.

    Each answer says whether the model, the FAQ or the handover line gave it. `/new` forgets what was said, Ctrl-D
    leaves.

    \b
    Examples:
      frontdesk chat
      frontdesk chat --assistant night-shift
      echo "When do you open?" | frontdesk chat
    """
    from bot.wiring import build_assistants, read_config

    settings = read_config(config)
    assistants = build_assistants(settings)
    if name not in assistants:
        raise click.UsageError(f"there is no assistant {name!r}, but: {', '.join(sorted(assistants))}")
    talk = Talk(
        assistant=assistants[name],
        zone=ZoneInfo(settings.assistants[name].timezone),
        deadline=settings.model.deadline,
    )
    if sys.stdin.isatty():
        click.echo(f"You are talking to {settings.assistants[name].company_name}. /new starts anew, Ctrl-D leaves.")
    while (line := _read()) is not None:
        _answer(talk, line)


@dataclass(kw_only=True)
class Talk:
    """One conversation in memory."""

    assistant: "Assistant"
    zone: ZoneInfo
    deadline: timedelta
    conversation: str = field(default_factory=lambda: str(uuid.uuid4()))
    history: list["ChatMessage"] = field(default_factory=list)

    def say(self, text: str) -> "Answer":
        from inference.values import ChatMessage, Question

        question = Question(
            conversation=self.conversation,
            history=tuple(self.history),
            texts=(text,),
            now=datetime.now(self.zone),
            deadline=self.deadline,
        )
        answer = self.assistant.answer(question)
        self.history += [ChatMessage(role="user", content=text), ChatMessage(role="assistant", content=answer.text)]
        return answer

    def forget(self) -> None:
        self.history.clear()
        self.conversation = str(uuid.uuid4())


def _read() -> str | None:
    """One line without surrounding space; None at the end of the input."""
    if sys.stdin.isatty():
        click.echo("> ", nl=False)
    line = sys.stdin.readline()
    return line.strip() if line else None


def _answer(talk: Talk, line: str) -> None:
    if line == "/new":
        talk.forget()
        click.echo("[a new conversation]")
    elif line:
        answer = talk.say(line)
        why = f": {answer.degraded}" if answer.degraded else ""
        click.echo(f"{answer.text}\n[{answer.source.value}{why}]")
