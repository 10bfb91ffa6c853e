"""The command line. One file per command; each imports what it needs when it runs, so that `--help` is quick."""

import sys
from pathlib import Path

import click

from bot.cli.bench import bench
from bot.cli.chat import chat
from bot.cli.check import check
from bot.cli.connect import connect
from bot.cli.deadletter import deadletter
from bot.cli.exits import MEANINGS, OK
from bot.cli.faults import explained
from bot.cli.model import model
from bot.cli.run import run
from bot.cli.sandbox import sandbox
from bot.cli.web import web
from bot.cli.worker import worker

EXIT_CODES = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())


@click.group(
    epilog=f"\b\nExit codes:\n{EXIT_CODES}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="FRONTDESK_CONFIG",
    metavar="PATH",
    help="The configuration. Default: $FRONTDESK_CONFIG, else frontdesk.toml in this folder, if there is one.",
)
@click.version_option(package_name="frontdesk", prog_name="frontdesk")
@click.pass_context
def frontdesk(context: click.Context, config: Path | None) -> None:
    """A customer-service bot for WhatsApp, WeCom, WeChat customer service, DingTalk, Feishu and Telegram, with your
    own model.

    \b
    Start here; nothing needs to be configured:
      frontdesk run

    \b
    Later, with a configuration:
      frontdesk check                             is everything reachable, and what to do if not
      frontdesk sandbox --check                   does it stand what platforms do
      frontdesk run                               all in one
      frontdesk web    and    frontdesk worker    as processes of their own
      frontdesk connect                           beside them, for channels with a long connection
      frontdesk deadletter list                   what could not be answered
    """
    default = Path("frontdesk.toml")
    context.obj = config or (default if default.is_file() else None)


for command in (run, web, worker, connect, check, sandbox, model, chat, deadletter, bench):
    frontdesk.add_command(command)


def main() -> None:
    """The console script. What an operator can mend is explained in a line or two, never with a traceback."""
    with explained():
        frontdesk.main(prog_name="frontdesk")
    sys.exit(OK)
