"""The log: one JSON object a line, whatever it is given, and nothing in it that must not be there."""

import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import Malformed
from bot import logs
from bot.logs import LONGEST_LINE, log, log_crash
from sessions.errors import StoreDown

CANARY = "canary-91ce"


@pytest.fixture(autouse=True)
def _log_to_stderr() -> Iterator[None]:
    """`setup` for one test; pytest's own handlers are put back after it."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    for name in ("frontdesk", "gunicorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What is on stderr: each line must be one object, in ASCII, short enough for one write to a pipe."""
    text = capsys.readouterr().err
    assert text.isascii()
    assert all(len(line) < LONGEST_LINE for line in text.split("\n"))
    found = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(each, dict) and next(iter(each)) == "action" for each in found)
    return found


# Injection

HOSTILE: dict[str, str] = {
    "CR LF": 'a\r\n{"action": "forged"}', "LF": "a\nb", "CR": "a\rb", "only newlines": "\n" * 50, "NUL": "a\x00b",
    "ANSI colour": "\x1b[31mred\x1b[0m", "ANSI title": "\x1b]0;title\x07", "ANSI clear": "\x1b[2J\x1b[H",
    "8-bit CSI": "\x9b31m", "backspaces": "abc\b\b\b", "bell": "\a", "form feed": "\f", "vertical tab": "\v",
    "delete": "\x7f", "U+2028": "a\u2028b", "U+2029": "a\u2029b", "NEL": "a\x85b", "file separator": "a\x1cb",
    "right to left override": "\u202etxt.exe", "zero width": "a\u200bb", "BOM": "\ufeffa",
    "tag characters": "\U000e0041",
    "lone high surrogate": "\ud800", "lone low surrogate": "a\udfffb", "surrogate escape": "\udc80",
    "quote": 'a"b', "closing": '"}', "closing and forging": '", "action": "forged',
    "new object": '"}\n{"action": "x"}',
    "backslash": "\\", "backslash at the end": "a\\", "escape": "\\n\\u0000", "JSON in JSON": '{"a": {"b": [1]}}',
    "percent": "%s %d %(name)s %", "braces": "{} {0} {ids}", "dollar": "${x} $x", "template": "{{7*7}}",
    "HTML": "<script>alert(1)</script>", "comment": "/* */ // --", "XML": "]]>", "SQL": "'; drop table x; --",
    "JNDI": "${jndi:ldap://x/a}", "shell": "$(id) `id` | id", "path": "../../etc/passwd", "tabs": "a\tb",
    "empty": "",
    "emoji": "👩‍👩‍👧‍👦", "combining": "e" + "\u0301" * 5000, "Chinese": "你好" * 200, "a megabyte": "x" * 2**20,
    "a megabyte of quotes": '"' * 2**20, "a megabyte of control characters": "\x00" * 2**20,
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_no_value_forges_a_line_or_drives_a_terminal(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()
    value = HOSTILE[case]

    log("reply_sent", channel=value, conversation=value, reason=value)
    fields: dict[str, Any] = {f"k{value[:100]}": value}
    log(value, **fields)
    logging.getLogger("requests").warning("text %s", value)
    log_crash("crashed", Malformed(value))

    found = lines(capsys)
    assert len(found) == 4
    assert found[0]["action"] == "reply_sent"
    assert found[2]["action"] == "library"
    if len(value) < 100 and not any("\ud800" <= each <= "\udfff" for each in value):
        assert found[0]["channel"] == value


def test_many_fields_are_cut_to_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()

    narrow: dict[str, Any] = {f"field{number}": "\x00" * 400 for number in range(500)}
    log("many", **narrow)
    wider: dict[str, Any] = {f"{number:03}" + "\u4e00" * 100: "你" * 400 for number in range(24)}
    log("wide", **wider)

    many, wide = lines(capsys)
    assert (many["action"], wide["action"]) == ("many", "wide")


def test_a_long_value_says_how_much_of_it_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()

    log("long", reason="y" * 1000)

    assert lines(capsys)[0]["reason"] == "y" * 300 + "…+700"


def test_a_field_cannot_take_the_place_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()

    log("true_action", action="forged", at="never", pid=1)

    (line,) = lines(capsys)
    assert line["action"] == "true_action"
    assert (line["action_"], line["at_"], line["pid_"]) == ("forged", "never", 1)
    assert datetime.fromisoformat(line["at"]).tzinfo == UTC


class Colour(Enum):
    RED = "red"


VALUES: list[tuple[object, object]] = [
    (1, 1), (True, True), (None, None), (0.1234567891, 0.123457), (float("nan"), "nan"), (float("inf"), "inf"),
    (2**70, "a huge number"), (timedelta(milliseconds=1500), 1.5),
    (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    (Path("/a/b"), "/a/b"), (Colour.RED, "red"), (b"bytes", "bytes"), ([CANARY], "list"), ({"a": CANARY}, "dict"),
    (object(), "object"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "written"), VALUES, ids=[type(value).__name__ for value, _ in VALUES])
def test_a_value_is_a_scalar_or_only_its_type(
    value: object, written: object, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.setup()

    log("valued", field=value)

    assert lines(capsys)[0]["field"] == written


# Exceptions


def break_down(text: str) -> None:
    local = CANARY
    raise KeyError(text, local)


def test_an_exception_is_its_type_and_places_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()
    try:
        try:
            break_down(CANARY)
        except KeyError as cause:
            raise ValueError(CANARY) from cause
    except ValueError as error:
        log_crash("turn_crashed", error, conversation="c-1")
        logging.getLogger("werkzeug").exception("Exception on request")

    crashed, foreign = lines(capsys)
    assert (crashed["action"], crashed["level"], crashed["conversation"]) == ("turn_crashed", "error", "c-1")
    for line in (crashed, foreign):
        assert line["error"].startswith("ValueError at bot/test_logs.py:")
        assert " < KeyError at bot/test_logs.py:" in line["error"]
        assert "break_down" in line["error"]
        assert CANARY not in json.dumps(line)


def test_the_words_of_our_own_operators_errors_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()

    log_crash("down", StoreDown("Redis did not answer within 120 ms"))

    assert lines(capsys)[0]["error"] == "StoreDown: Redis did not answer within 120 ms"


def test_an_uncaught_exception_is_a_line_in_every_thread() -> None:
    script = f"""
import threading
from bot import logs
logs.setup()
thread = threading.Thread(target=lambda: {{}}["{CANARY}"], name="turn-1")
thread.start()
thread.join()
raise ValueError("{CANARY}")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)

    in_thread, at_last = [json.loads(line) for line in done.stderr.splitlines()]
    assert (in_thread["action"], in_thread["thread"]) == ("thread_crashed", "turn-1")
    assert in_thread["error"].startswith("KeyError at")
    assert (at_last["action"], at_last["error"]) == ("crashed", "ValueError at <string>:8 <module>")
    assert CANARY not in done.stderr
    assert done.returncode == 1


# Libraries

SECRETS_IN_PASSING = (
    f"https://qyapi.weixin.qq.com:443 GET /cgi-bin/gettoken?corpid=ww1&corpsecret={CANARY} HTTP/1.1",
    f"Retrying after broken connection: /robot/sendBySession?session={CANARY}",
    f"connecting to redis://user:{CANARY}@redis:6379/0",
    f"headers {{'Authorization': 'Bearer {CANARY}'}}",
    f'got {{"access_token": "{CANARY}"}}',
    f"app_secret={CANARY}&x=1",
    f"X-Hub-Signature-256: {CANARY}",
    f"Signature:{CANARY}",
    f"password = {CANARY}",
    f"API-Key: {CANARY}",
    f"bearer {CANARY}",
    f"Invalid request line: GET /webhooks/x?hub.verify_token={CANARY}",
)


@pytest.mark.parametrize("text", SECRETS_IN_PASSING)
def test_a_librarys_line_loses_queries_and_secrets(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("debug")

    logging.getLogger("requests.sessions").warning(text)
    logging.getLogger("gunicorn.error").info("%s", text)

    found = lines(capsys)
    assert [line["logger"] for line in found] == ["requests.sessions", "gunicorn.error"]
    assert CANARY not in json.dumps(found)


def test_a_librarys_debug_lines_are_left_out_at_every_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("debug")

    logging.getLogger("requests").debug("noise")
    logging.getLogger("werkzeug").info("noise")
    log("ours", level="debug")

    assert [line["action"] for line in lines(capsys)] == ["ours"]


def test_a_librarys_broken_arguments_break_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()

    logging.getLogger("requests").warning("%d items", "many")
    logging.getLogger("requests").warning("%s and %s", "one")

    assert [line["text"] for line in lines(capsys)] == ["a message whose arguments do not fit"] * 2


def test_a_warning_becomes_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert lines(capsys)[0]["logger"] == "py.warnings"


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_decides_which_of_ours_are_shown(
    level: logs.Level, shown: int, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.setup(level)

    for each in ("debug", "info", "warning", "error"):
        log(f"{each}_line", level=each)

    assert len(lines(capsys)) == shown


def test_lines_of_many_threads_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()

    def chatter() -> None:
        for _ in range(50):
            log("tick", reason="z" * 200)

    threads = [threading.Thread(target=chatter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(lines(capsys)) == 400
