"""`frontdesk check`: is everything there that a customer's answer needs?"""

from pathlib import Path

import click

from bot.cli.configuration import config_option
from bot.cli.exits import FAILED


@click.command()
@config_option
@click.pass_obj
def check(config: Path | None) -> None:
    """Ask everything an answer needs whether it works.

    Redis, the model, each platform, the files that the FAQ names: one line each, `ok` or `FAIL`, with the next
    step. Blocked accounts and the month's counts are told, too. Exit code 1 if anything fails.

    \b
    Examples:
      frontdesk check
      frontdesk check --config /etc/frontdesk.toml
    """
    from bot.check import findings
    from bot.wiring import read_config

    failed = 0
    for finding in findings(read_config(config)):
        failed += not finding.ok
        step = f" — {finding.next_step}" if finding.next_step else ""
        click.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.what}{step}")
    if failed:
        raise SystemExit(FAILED)
