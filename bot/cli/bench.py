"""`frontdesk bench`: load and latency. The measuring itself lives in the source tree's bench/ folder."""

import os
import sys
from pathlib import Path

import click

import bot
from bot.cli.become import become
from bot.cli.faults import Unavailable


@click.command()
@click.argument("scenarios", nargs=-1)
def bench(scenarios: tuple[str, ...]) -> None:
    """Measure load and latency on this machine.

    All SCENARIOS, or those that are named.

    \b
    Examples:
      frontdesk bench
      frontdesk bench latency load
    """
    root = Path(bot.__file__).parent.parent
    if not (root / "bench" / "__main__.py").is_file():
        raise Unavailable("the bench is not part of the installed package: run `make bench` in a source checkout")
    os.chdir(root)
    become([sys.executable, "-m", "bench", *scenarios], os.environ)
