"""The one place where faults that an operator can mend become a few clear lines and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bot.cli.exits import CONFIG, UNAVAILABLE
from sessions.errors import NoServer, SessionError, UnsafeStore


class Unavailable(click.ClickException):
    """Something that the command needs is not there; the text says what to do."""

    exit_code = UNAVAILABLE


@contextmanager
def explained() -> Iterator[None]:
    """Prints what went wrong and exits, instead of a traceback."""
    try:
        yield
    except SystemExit:  # the usual end; what follows would load the whole configuration only to name its error
        raise
    except _config_error() as error:
        for problem in error.args[0].splitlines():
            click.echo(f"configuration: {problem}", err=True)
        sys.exit(CONFIG)
    except UnsafeStore as error:
        click.echo(f"Redis: {error}", err=True)
        sys.exit(CONFIG)
    except NoServer as error:
        click.echo(f"Redis: {error}", err=True)
        sys.exit(UNAVAILABLE)
    except SessionError as error:
        click.echo(f"Redis: {error}; `frontdesk check` says more", err=True)
        sys.exit(UNAVAILABLE)


def _config_error() -> type[Exception]:
    from bot.config import ConfigError

    return ConfigError
