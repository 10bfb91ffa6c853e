"""`frontdesk deadletter`: what could not be answered. The list never shows a customer's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.configuration import config_option
from bot.cli.exits import FAILED

if TYPE_CHECKING:
    from sessions.inbox import DeadLetter, Inbox

PAGE = 200


@click.group()
@config_option
def deadletter() -> None:
    """See, and redrive, what could not be answered.

    \b
    Examples:
      frontdesk deadletter list
      frontdesk deadletter show 1763700000000-0
      frontdesk deadletter redrive 1763700000000-0
      frontdesk deadletter redrive --reason model_failed
    """


@deadletter.command("list")
@click.option("--most", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many rows.")
@click.option("--before", default="", metavar="ID", help="Page on: only letters older than this one.")
@click.option("--reason", default="", help="Only letters parked for this reason.")
@config_option
@click.pass_obj
def list_letters(config: Path | None, most: int, before: str, reason: str) -> None:
    """List the letters, the newest first.

    One line each: id, when, channel, reason, tries; never a customer's words.

    \b
    Examples:
      frontdesk deadletter list
      frontdesk deadletter list --reason unknown --most 500
    """
    with _inbox(config) as inbox:
        rows = []
        for letter in _letters(inbox, before):
            if letter.reason == reason or not reason:
                rows.append(_row(letter))
            if len(rows) == most:
                break
    if not rows:
        click.echo("no dead letters")
        return
    heads = ("ID", "PARKED AT (UTC)", "CHANNEL", "REASON", "TRIES")
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@deadletter.command()
@click.argument("letter_id", metavar="ID")
@click.option("--text", is_flag=True, help="Show the customer's words too. Mind who is looking.")
@config_option
@click.pass_obj
def show(config: Path | None, letter_id: str, text: bool) -> None:
    """Show what is known of one letter.

    \b
    Examples:
      frontdesk deadletter show 1763700000000-0
      frontdesk deadletter show 1763700000000-0 --text
    """
    with _inbox(config) as inbox:
        letter = inbox.dead_letter(letter_id)
    if letter is None:
        click.echo(
            f"no dead letter {letter_id}: it was redriven, or never was; see `frontdesk deadletter list`", err=True
        )
        raise SystemExit(FAILED)
    for name, value in _facts(letter):
        click.echo(f"{name + ':':<14} {value}")
    for message in letter.messages:
        shown = _plain(message.text) if text else f"{len(message.text)} characters"
        click.echo(f"{'message:':<14} {message.sent_at:%Y-%m-%d %H:%M:%S} {message.kind} {shown}")


@deadletter.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--reason", default="", help="All letters parked for this reason.")
@click.option("--all", "everything", is_flag=True, help="All letters.")
@config_option
@click.pass_obj
def redrive(config: Path | None, letter_ids: tuple[str, ...], reason: str, everything: bool) -> None:
    """Answer parked turns again.

    One, many, all of one reason, or all. Each is redriven once, whoever asks.

    \b
    Examples:
      frontdesk deadletter redrive 1763700000000-0 1763700000000-1
      frontdesk deadletter redrive --reason model_failed
      frontdesk deadletter redrive --all
    """
    if sum((bool(letter_ids), bool(reason), everything)) != 1:
        raise click.UsageError("say which letters: their ids, or --reason REASON, or --all")
    with _inbox(config) as inbox:
        wanted = letter_ids or [letter.id for letter in _letters(inbox) if everything or letter.reason == reason]
        gone = [letter for letter in wanted if not inbox.redrive(letter)]
    click.echo(f"redriven: {len(wanted) - len(gone)}")
    for letter in gone:
        click.echo(f"no dead letter {letter} (any more)", err=True)
    if gone:
        raise SystemExit(FAILED)


@contextmanager
def _inbox(config: Path | None) -> Iterator["Inbox"]:
    from bot.redis_url import redis_url
    from bot.wiring import open_desk, read_config

    settings = read_config(config)
    desk = open_desk(settings, redis_url(settings), role="tool")
    try:
        yield desk.inbox
    finally:
        desk.close()


def _letters(inbox: "Inbox", before: str = "") -> Iterator["DeadLetter"]:
    """All letters, the newest first, page by page."""
    while page := inbox.dead_letters(most=PAGE, before=before):
        yield from page
        before = page[-1].id


def _row(letter: "DeadLetter") -> tuple[str, ...]:
    parked = f"{letter.parked_at:%Y-%m-%d %H:%M:%S}"
    return (letter.id, parked, letter.conversation.channel, letter.reason, str(letter.tries))


def _facts(letter: "DeadLetter") -> Iterator[tuple[str, object]]:
    yield "id", letter.id
    yield "conversation", letter.conversation.key
    yield "reason", letter.reason
    yield "detail", _plain(letter.detail) or "-"
    yield "tries", letter.tries
    yield "first try", f"{letter.first_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "parked", f"{letter.parked_at:%Y-%m-%d %H:%M:%S} UTC"
    for index, record in enumerate(letter.reply.records if letter.reply else ()):
        yield f"reply part {index}", f"{record.state.value}, sends that may have been heard: {record.sends}"


def _plain(text: str) -> str:
    """On one line, and without the control characters that would steer the operator's terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
