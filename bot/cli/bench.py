"""`frontdesk bench`: load and latency. The measuring itself lives in the source tree's bench/ folder."""

import os
import sys
from pathlib import Path

import click

import bot
from bot.cli.become import become
from bot.cli.faults import Unavailable


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure load and latency on this machine.

    \b
    Examples:
      frontdesk bench
      frontdesk bench --help
    """
    root = Path(bot.__file__).parent.parent
    if not (root / "bench" / "__main__.py").is_file():
        raise Unavailable("the bench is not part of the installed package: run `make bench` in a source checkout")
    os.chdir(root)
    become([sys.executable, "-m", "bench", *arguments], os.environ)
