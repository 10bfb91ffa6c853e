"""`frontdesk sandbox`: the platforms, played locally."""

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the platforms listen.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option(
    "--bot", default="http://127.0.0.1:8080", show_default=True, metavar="URL", help="Where Frontdesk listens."
)
@click.option("--print-config", is_flag=True, help="Show the channels to put into frontdesk.toml, and do nothing.")
def sandbox(host: str, port: int, bot: str, print_config: bool) -> None:
    """Play the platforms on this machine, faults included.

    WhatsApp, WeCom, DingTalk, Feishu and Telegram, with a page at /sandbox/. `frontdesk run` without a
    configuration starts this by itself.

    \b
    Examples:
      frontdesk sandbox --print-config >> frontdesk.toml
      frontdesk sandbox
      frontdesk sandbox --port 9090 --bot http://127.0.0.1:9000
    """
    from bot.cli.port import require_free
    from bot.sandbox import example, server

    if print_config:
        click.echo(example.toml(f"http://{host}:{port}"), nl=False)
        return
    require_free(host, port)
    raise SystemExit(server.serve(port, bot_url=bot, host=host))
