"""`frontdesk model`: vLLM from the configuration."""

import os
from pathlib import Path

import click

from bot.cli.configuration import config_option


@click.command()
@click.option("--print", "only_print", is_flag=True, help="Show the command, quoted for a shell, and do nothing.")
@config_option
@click.pass_obj
def model(config: Path | None, only_print: bool) -> None:
    """Start vLLM from the configuration.

    With the settings of [model] and [model.serve]. The API key goes to vLLM by its environment (VLLM_API_KEY),
    never by a flag. Looks first whether the GPUs have the memory, and asks each assistant one question once vLLM
    listens; model.serve.check_memory and model.serve.warm_up turn these off.

    \b
    Examples:
      frontdesk model --print
      frontdesk model
      FRONTDESK__MODEL__SERVE__TENSOR_PARALLEL_SIZE=2 frontdesk model
    """
    from bot.cli.become import become
    from bot.cli.faults import Unavailable
    from bot.serving import serve_model
    from bot.wiring import read_config

    settings = read_config(config).model
    arguments = serve_model.command(settings)
    if only_print:
        click.echo(serve_model.quoted(arguments))
        return
    program = serve_model.program()
    if program is None:
        raise Unavailable("vLLM is not installed here: pip install 'frontdesk[vllm]' (--print shows the command)")
    memory = serve_model.memory(settings.serve, os.environ)
    if memory.problem:
        raise Unavailable(f"{memory.problem}. model.serve.check_memory = false starts it all the same")
    click.echo(memory.remark, err=True)
    if settings.serve.warm_up:
        serve_model.start_warm_up(config, os.getpid())
    become([program, *arguments[1:]], serve_model.environment(settings, os.environ))
