"""From the `[tools.<name>]` tables to the tools that an assistant may use."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from adapters.values import ConversationId
from bot import config as configuration
from bot import metrics
from bot.logs import log
from bot.turns.reminders import Reminders
from inference.tools import reminder
from inference.tools.http import SAFE, HttpCall, ToolHttp
from inference.tools.loop import Toolbox
from inference.tools.python import resolve
from inference.tools.schema import Schema
from inference.tools.tool import Act, Tool


def build_tools(
    tables: Mapping[str, configuration.Tool], http: ToolHttp, reminders: Reminders | None
) -> dict[str, Tool]:
    """*reminders* None: the tools that need them are left out, as in a terminal chat."""
    return {
        name: _built(name, table, http, reminders)
        for name, table in tables.items()
        if not table.builtin or reminders is not None
    }


def toolbox(settings: configuration.Assistant, tools: Mapping[str, Tool]) -> Toolbox:
    """Those that the assistant's table lists, and no other."""
    mine = [tools[name] for name in dict.fromkeys(settings.tools) if name in tools]
    return Toolbox(mine, rounds=settings.tool_rounds, observe=_observe)


def _built(name: str, table: configuration.Tool, http: ToolHttp, reminders: Reminders | None) -> Tool:
    if table.builtin and reminders is not None:
        return Tool(
            name=name,
            description=table.description or reminder.DESCRIPTION,
            schema=reminder.SCHEMA,
            act=reminder.act_with(reminders.remind),
            timeout=table.timeout,
        )
    return Tool(
        name=name,
        description=table.description,
        schema=Schema(table.parameters),
        act=resolve(table.python) if table.python else _call(table, http),
        confirm={str(each): text for each, text in table.confirm_text.items()} if table.confirm else {},
        reads=table.url is not None and table.method in SAFE,
        timeout=table.timeout,
        largest=table.max_result_chars,
    )


def _call(table: configuration.Tool, http: ToolHttp) -> Act:
    call = HttpCall(
        url=table.url or "",
        method=table.method,
        headers=table.headers,
        query=table.query,
        json=table.body,
        result=table.result,
    )
    return partial(http.act, call)


def _observe(conversation: str, tool: str, outcome: str, took: timedelta) -> None:
    """No argument and no result: both are a customer's."""
    metrics.tool_calls_total.labels(tool=tool, outcome=outcome).inc()
    log(
        "tool_called",
        conversation=ConversationId.of(conversation).label,
        tool=tool,
        outcome=outcome,
        seconds=round(took.total_seconds(), 3),
    )
