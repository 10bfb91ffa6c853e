"""JSON lines on stderr: an `action`, ids and counts; never message text, tokens, query strings or webhook URLs.

Every line is one JSON object in ASCII, so that no value can forge a second line or drive a terminal, and at most
:data:`LONGEST_LINE` bytes, which a pipe takes in one piece from each of several processes (POSIX `PIPE_BUF`).
"""

import json
import logging
import os
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Literal

from adapters.errors import AdapterError
from inference.errors import ModelError
from sessions.errors import SessionError

Level = Literal["debug", "info", "warning", "error"]

LONGEST_LINE = 4096
LONGEST_VALUE = 300
MOST_FIELDS = 24
_OWN = "frontdesk"
_RESERVED = frozenset(("action", "at", "level", "pid"))
_OPERATORS_TEXT = (AdapterError, ModelError, SessionError)
"""Errors whose text is written for the operator and holds no customer's words (see the packages' `errors`)."""

_SENSITIVE = "token|secret|password|authorization|signature|sign|api[_-]?key"
_REDACTIONS = (
    (re.compile(r"//[^/\s@]*@"), "//…@"),
    (re.compile(r"\?[^\s'\"<>)]+"), "?…"),
    (re.compile(rf"(?i)((?:{_SENSITIVE})[\w-]*['\"]?\s*[=:]\s*)[^,;&}}\n]+"), r"\1…"),
    (re.compile(r"(?i)(bearer\s+)\S+"), r"\1…"),
)

_logger = logging.getLogger(_OWN)


def setup(level: Level = "info") -> None:
    """Routes everything that this process logs to stderr as JSON lines: ours from *level* on, gunicorn's from info
    and other libraries' from warning on. Warnings and uncaught exceptions become lines too."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _logger.setLevel(level.upper())
    logging.getLogger("gunicorn").setLevel(logging.INFO if level in ("debug", "info") else level.upper())
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def log(action: str, /, *, level: Level = "info", **ids: object) -> None:
    """One line: what happened, to which ids. An exception among *ids* is written as its type and place."""
    number = logging.getLevelNamesMapping()[level.upper()]
    if _logger.isEnabledFor(number):
        _logger.log(number, action, extra={"ids": ids})


def log_crash(action: str, error: BaseException, /, **ids: object) -> None:
    """As :func:`log`, at level error, for an exception that nobody expected."""
    log(action, level="error", error=error, **ids)


def described(error: BaseException) -> str:
    """Types and places, innermost frame first, causes after it. The text only of our own operator's errors:
    a foreign one may quote what a customer wrote."""
    words = type(error).__name__
    if isinstance(error, _OPERATORS_TEXT):
        words += f": {_redacted(str(error))[:LONGEST_VALUE]}"
    if places := _places(error.__traceback__):
        words += f" at {places}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{words} < {type(cause).__name__} at {_places(cause.__traceback__)}" if cause else words


def _places(trace: TracebackType | None, most: int = 4) -> str:
    found: list[str] = []
    while trace:
        code = trace.tb_frame.f_code
        found.append(f"{'/'.join(Path(code.co_filename).parts[-2:])}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return ", ".join(reversed(found[-most:]))


class JsonLines(logging.Formatter):
    """Our records by their action; those of libraries under the action `library`, redacted."""

    def format(self, record: logging.LogRecord) -> str:
        ids = getattr(record, "ids", None)
        if record.name != _OWN or ids is None:
            return _line("library", record, {"logger": record.name, "text": _library_text(record)} | _crash(record))
        return _line(record.msg, record, ids)


def _library_text(record: logging.LogRecord) -> str:
    try:
        return _redacted(record.getMessage()[: 8 * LONGEST_VALUE])
    except (TypeError, ValueError):
        return "a message whose arguments do not fit"


def _crash(record: logging.LogRecord) -> dict[str, object]:
    error = record.exc_info[1] if record.exc_info else None
    return {"error": error} if error else {}


def _redacted(text: str) -> str:
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


def _line(action: object, record: logging.LogRecord, ids: dict[str, object]) -> str:
    head: dict[str, object] = {
        "action": _bounded(str(action), 100),
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "pid": os.getpid(),
    }
    line = ""
    for longest in (LONGEST_VALUE, 60, 12, 0):
        fields = {_named(name): _plain(value, longest) for name, value in list(ids.items())[:MOST_FIELDS]}
        line = json.dumps(head | fields if longest else head | {"cut": len(ids)}, ensure_ascii=True)
        if len(line) < LONGEST_LINE:
            break
    return line


def _named(name: str) -> str:
    name = name[:40]
    return f"{name}_" if name in _RESERVED else name


def _plain(value: object, longest: int) -> object:
    """*value* as a JSON scalar. What is no scalar is named by its type: its repr may show what it holds."""
    match value:
        case Enum():
            return _plain(value.value, longest)
        case None | bool():
            return value
        case int():
            return value if abs(value) < 2**63 else "a huge number"
        case float():
            return round(value, 6) if abs(value) < 1e300 else str(value)
        case str():
            return _bounded(value, longest)
        case timedelta():
            return round(value.total_seconds(), 6)
        case datetime():
            return value.isoformat()
        case Path():
            return _bounded(str(value), longest)
        case BaseException():
            return _bounded(described(value), 4 * longest)
    return type(value).__name__


def _bounded(text: str, longest: int) -> str:
    """The first *longest* characters, and how many are missing."""
    text, missing = text[:longest], max(0, len(text) - longest)
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate is no JSON to most readers
    return f"{text}…+{missing}" if missing else text


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log_crash("crashed", error.with_traceback(trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        log_crash("thread_crashed", args.exc_value, thread=args.thread.name if args.thread else "")
