"""`--config`, which people write on either side of a command: each that reads the configuration takes it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

Decorated = TypeVar("Decorated", bound="Callable[..., object] | click.Command")


def _chosen(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.obj = path


def config_option(command: Decorated) -> Decorated:
    """Adds `--config PATH`, which wins over one before the command and over $FRONTDESK_CONFIG. What the command
    gets is the context's object (`click.pass_obj`)."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="PATH",
        expose_value=False,
        callback=_chosen,
        help="The configuration; may also stand before the command.",
    )(command)
