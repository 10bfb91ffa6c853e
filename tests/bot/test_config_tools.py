"""`[tools.<name>]`: what is read, and what each mistake is called."""

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from bot.config import Config
from bot.config.tools import Tool
from bot.toolbox import build_tools, toolbox
from inference.tools.http import ToolHttp
from tests.bot.test_config import CANARY, EXAMPLE, problems, read, uncommented

ORDER = """
[tools.order]
description = "Looks up an order."
url = "https://shop.example.com/{customer.user}/orders/{number}"
[tools.order.parameters]
type = "object"
[tools.order.parameters.properties.number]
type = "string"
"""
JSON = """parameters = '{"type": "object", "properties": {"number": {"type": "string"}}}'"""
BASE = f'[tools.order]\ndescription = "d"\n{JSON}\n'
URL = 'url = "https://shop.example.com/{number}"\n'
ASKS = 'confirm = true\nconfirm_text = "cancel {number}"\n'


def test_a_tool_is_read_from_a_table_or_from_json_text(tmp_path: Path) -> None:
    from_table = read(tmp_path, ORDER).tools["order"]
    from_text = read(tmp_path, BASE + URL).tools["order"]
    assert from_table.parameters == from_text.parameters
    assert from_table.timeout == timedelta(seconds=10)


def test_one_confirmation_text_serves_both_languages(tmp_path: Path) -> None:
    assert read(tmp_path, BASE + URL + ASKS).tools["order"].confirm_text == {
        "en": "cancel {number}",
        "zh": "cancel {number}",
    }
    both = 'confirm = true\nconfirm_text = { zh = "取消 {number}", en = "cancel {number}" }'
    assert read(tmp_path, BASE + URL + both).tools["order"].confirm_text["zh"] == "取消 {number}"


def test_a_whole_tool_can_come_from_the_environment(tmp_path: Path) -> None:
    env = {
        "FRONTDESK__TOOLS__ORDER__DESCRIPTION": "d",
        "FRONTDESK__TOOLS__ORDER__PARAMETERS": '{"type": "object", "properties": {"number": {"type": "string"}}}',
        "FRONTDESK__TOOLS__ORDER__URL": "https://shop.example.com/{number}",
        "FRONTDESK__TOOLS__ORDER__HEADERS": '{"Authorization": "hush"}',
        "FRONTDESK__TOOLS__ORDER__CONFIRM": "true",
        "FRONTDESK__TOOLS__ORDER__CONFIRM_TEXT": "cancel {number}",
        "FRONTDESK__TOOLS__ORDER__RESULT": '{"state": "order.state"}',
        "FRONTDESK__ASSISTANTS__DEFAULT__TOOLS": '["order"]',
    }
    config = read(tmp_path, "", env)
    tool = config.tools["order"]
    assert tool.headers["Authorization"].get_secret_value() == "hush"
    assert (tool.confirm, tool.result) == (True, {"state": "order.state"})
    assert config.assistants["default"].tools == ("order",)
    assert "hush" not in repr(config)


MISTAKES: dict[str, tuple[str, str, str]] = {
    "no kind": (BASE, "tools.order", "has neither url, python nor builtin; write exactly one"),
    "two kinds": (BASE + URL + 'python = "json:dumps"', "tools.order", "has url and python; write exactly one"),
    "no description": (BASE.replace('description = "d"', "") + URL, "tools.order.description", "is missing"),
    "an unknown key": (BASE + URL + 'urll = "x"', "tools.order.urll", "did you mean url?"),
    "an unknown builtin": ('[tools.x]\nbuiltin = "set_remainder"', "tools.x.builtin", "'set_reminder'"),
    "a builtin with parameters": (
        f'[tools.x]\nbuiltin = "set_reminder"\n{JSON}',
        "tools.x.parameters",
        "remove it",
    ),
    "a schema that is no object": (
        '[tools.order]\ndescription = "d"\nparameters = { type = "array" }\n' + URL,
        "tools.order.parameters",
        'write type = "object"',
    ),
    "a schema that is no JSON": (
        '[tools.order]\ndescription = "d"\nparameters = "{"\n' + URL,
        "tools.order.parameters",
        "JSON",
    ),
    "a schema that asks who the customer is": (
        BASE.replace('"number"', '"user_id"') + 'url = "https://a.example/{user_id}"',
        "tools.order.parameters",
        "{customer.user}",
    ),
    "a schema with more than it lists": (
        BASE.replace('"properties"', '"additionalProperties": true, "properties"') + URL,
        "tools.order.parameters",
        "set it to false",
    ),
    "no address": (BASE + 'url = "shop/{number}"', "tools.order.url", "should be an address"),
    "a host of the model's choice": (
        BASE + 'url = "https://{number}.example.com/"',
        "tools.order.url",
        "placeholder in the host",
    ),
    "a password in the address": (
        BASE + f'url = "https://u:{CANARY}@shop.example.com/{{number}}"',
        "tools.order.url",
        "into headers",
    ),
    "an unknown placeholder": (
        BASE + 'url = "https://a.example/{order}"',
        "tools.order.url",
        "{order} stands for nothing; known here: {number}",
    ),
    "an unknown part of the identity": (
        BASE + 'url = "https://a.example/{customer.phone}"',
        "tools.order.url",
        "{customer.phone} stands for nothing",
    ),
    "a list in the address": (
        BASE.replace('"type": "string"', '"type": "array"') + URL,
        "tools.order.url",
        "send it in json",
    ),
    "plain http over the internet": (
        BASE + 'url = "http://shop.example.com/{number}"',
        "tools.order.url",
        "write https://",
    ),
    "an unknown placeholder in the query": (
        BASE + URL + 'query = { a = "{b}" }',
        "tools.order.query",
        "{b} stands for nothing",
    ),
    "an unknown placeholder in the body": (
        BASE + URL + 'method = "POST"\nbody = { a = ["{b}"] }',
        "tools.order.body",
        "{b} stands for nothing",
    ),
    "a body with GET": (BASE + URL + "body = { a = 1 }", "tools.order.body", 'write method = "POST"'),
    "an unknown method": (BASE + URL + 'method = "FETCH"', "tools.order.method", "should be 'GET'"),
    "a header with a line break": (
        BASE + URL + f'headers = {{ X = "{CANARY}\\r\\nY: z" }}',
        "tools.order.headers.X",
        "no header can carry",
    ),
    "a header's name that is none": (
        BASE + URL + f'headers = {{ "X: y" = "{CANARY}" }}',
        "tools.order.headers.X: y",
        "is no allowed name",
    ),
    "an unknown identity in a header": (
        BASE + URL + f'headers = {{ X = "{CANARY} {{customer.phone}}" }}',
        "tools.order.headers.X",
        "stands for nothing",
    ),
    "a result that is no path": (BASE + URL + "result = 3", "tools.order.result", "should be a path"),
    "confirm without a text": (
        BASE + URL + "confirm = true",
        "tools.order.confirm_text",
        '"cancel order {number}"',
    ),
    "a text without confirm": (
        BASE + URL + 'confirm_text = "cancel {number}"',
        "tools.order.confirm_text",
        "write confirm = true",
    ),
    "a text that hides an argument": (
        BASE + URL + 'confirm = true\nconfirm_text = "cancel it"',
        "tools.order.confirm_text",
        "does not name {number}",
    ),
    "a text in an unknown language": (
        BASE + URL + 'confirm = true\nconfirm_text = { fr = "annuler {number}" }',
        "tools.order.confirm_text.fr",
        "should be 'en' or 'zh'",
    ),
    "a module that is not there": (
        BASE + 'python = "no_such_module:x"',
        "tools.order.python",
        "install its package, or add its folder",
    ),
    "a function that is not there": (BASE + 'python = "json:nothing"', "tools.order.python", "correct the name"),
    "a method of a function": (BASE + 'python = "json:dumps"\nmethod = "GET"', "tools.order.method", "remove it"),
    "a tool that is not configured": (
        ORDER + '[assistants.default]\ntools = ["ordr"]',
        "assistants.default.tools",
        "did you mean order?",
    ),
    "a tool where none is": ('[assistants.a]\ntools = ["order"]', "assistants.a.tools", "add [tools.<name>]"),
    "no rounds": ("[assistants.a]\ntool_rounds = 0", "assistants.a.tool_rounds", "greater than or equal to 1"),
    "a tool's name that is none": (ORDER.replace("tools.order", 'tools."a b"'), "tools.a b", "is no allowed name"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_with_its_key_and_the_next_step(case: str, tmp_path: Path) -> None:
    text, key, words = MISTAKES[case]
    found = problems(tmp_path, text)
    assert [problem for problem in found if problem.startswith(f"{key}: ") and words in problem], found
    assert CANARY not in str(found)


def test_all_mistakes_of_all_tools_are_told_at_once(tmp_path: Path) -> None:
    text = (
        BASE
        + 'url = "http://shop.example.com/{x}"\nconfirm = true\n[tools.b]\nbuiltin = 1\n[tools.c]\n[log]\nlevel = 1'
    )
    keys = {problem.split(": ")[0] for problem in problems(tmp_path, text)}
    assert keys == {"tools.order.url", "tools.order.confirm_text", "tools.b.builtin", "tools.c", "log.level"}


def test_a_change_that_nobody_is_asked_about_is_a_warning(tmp_path: Path) -> None:
    config = read(tmp_path, BASE + URL + 'method = "POST"')
    assert [warning for warning in config.warnings if warning.startswith("tools.order: sends POST without asking")]
    config = read(tmp_path, BASE + URL + 'method = "POST"\n' + ASKS)
    assert not [warning for warning in config.warnings if warning.startswith("tools.")]


def test_an_assistant_gets_the_tools_that_its_table_lists_and_no_other(tmp_path: Path) -> None:
    second = ORDER.replace("tools.order", "tools.other")
    config = read(tmp_path, ORDER + second + '[assistants.a]\ntools = ["other", "other"]')
    tools = build_tools(config.tools, ToolHttp(), None)
    assert set(toolbox(config.assistants["a"], tools)._tools) == {"other"}
    assert not toolbox(config.assistants["default"], tools)


def test_without_a_schedule_there_is_no_reminder(tmp_path: Path) -> None:
    config = read(tmp_path, '[tools.set_reminder]\nbuiltin = "set_reminder"')
    assert build_tools(config.tools, ToolHttp(), None) == {}


def test_the_example_names_every_setting_of_a_tool(tmp_path: Path) -> None:
    example = read(
        tmp_path, "[tools" + EXAMPLE.read_text("utf-8").partition("\n[tools")[2].partition("\n# A channel")[0]
    )
    assert set(example.tools) == {"order_status", "cancel_order", "set_reminder"}
    named = {key for table in tomllib.loads(uncommented())["tools"].values() for key in table}
    assert named == set(Tool.model_fields)
    assert Config().assistants["default"].tools == ()
