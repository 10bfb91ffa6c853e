"""The journeys find nothing in our bot, and find each mistake that is planted in a copy of it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import bot
from bot.sandbox import example
from bot.sandbox.conformance import journeys
from bot.sandbox.conformance.own_bot import played
from bot.sandbox.conformance.run import Choice, Seen, run

ROOT = Path(bot.__file__).parents[1]
CHANNELS = {*example.config("")["channels"], "dingtalk-stream", "wecom-aibot-socket"}
CODE = ("adapters", "bot", "inference", "sessions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """*wrong* takes the place of *right* in *file*. Then *journey* must fail on *channel*: *words* is a pattern."""

    file: str
    right: str
    wrong: str
    channel: str
    journey: str
    words: str


MISTAKES: Mapping[str, Mistake] = {
    "the webhook is acknowledged only after the model has answered": Mistake(
        file="bot/wiring.py",
        right="    app = create_app(\n",
        wrong="""
    from inference.values import Question
    keep = Intake.keep

    def asked(self, channel, events, **more):
        for event in events:
            asks = Question(conversation="", history=(), texts=[event.text], now=datetime.now(UTC),
                            deadline=timedelta(seconds=20))
            desk.assistants["default"].answer(asks)
        return keep(self, channel, events, **more)

    Intake.keep = asked
    app = create_app(
""",
        channel="whatsapp",
        journey="slow_model",
        words="acknowledged after ",
    ),
    "the signature is taken over JSON that was read and written again": Mistake(
        file="adapters/whatsapp/channel.py",
        right='f"sha256={hmac_sha256(secret, request.body).hex()}"',
        wrong='f"sha256={hmac_sha256(secret, AGAIN(request.body)).hex()}" '
        'for AGAIN in [lambda body: __import__("json").dumps(__import__("json").loads(body), '
        'separators=(",", ":")).encode()]',
        channel="whatsapp",
        journey="letters",
        words="not acknowledged: HTTP 401",
    ),
    "a message that comes again is taken for a new one": Mistake(
        file="sessions/scripts/accept.lua",
        right="if redis.call('EXISTS', KEYS[i]) == 1 then",
        wrong="if false then",
        channel="whatsapp",
        journey="late_duplicate",
        words="answered 2 times",
    ),
    "characters are counted where the platform counts bytes": Mistake(
        file="adapters/wecom/app.py",
        right="Limit(size=2048, measure=utf8_bytes)",
        wrong="Limit(size=2048, measure=len)",
        channel="wecom",
        journey="long_answer",
        words=r"text_cut \(",
    ),
    "the stream is never finished": Mistake(
        file="adapters/wecom_aibot/by_url.py",
        right="stream(stream_id, content, finish=growing.finished, ",
        wrong="stream(stream_id, content, finish=False, ",
        channel="wecom-aibot",
        journey="stream",
        words=r"stream_never_finished \(",
    ),
    "every send fetches a token": Mistake(
        file="adapters/tokens.py",
        right="""\
        if stored is not None and stored.expires_at > self._now():
            return stored.value
        try:
            return self._refresh(lambda found: found.expires_at > self._now())
""",
        wrong="        try:\n            return self._fetch().value\n",
        channel="wecom",
        journey="few_tokens",
        words=r"the token was fetched \d\d times",
    ),
    "every process fetches a token": Mistake(
        file="bot/wiring.py",
        right="lone_services(config, RedisTokenStore(store))",
        wrong="lone_services(config, MemoryTokenStore())",
        channel="wecom",
        journey="few_tokens",
        words=r"the token was fetched [2-9] times",
    ),
}


def copy_to(folder: Path) -> Path:
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def seen(code: Path, wanted: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Seen]:
    """What became of the *wanted* channels' journeys with the bot that *code* holds."""
    names, channels = {journey for _, journey in wanted}, {channel for channel, _ in wanted}
    tables = {name: table for name, table in example.config("")["channels"].items() if name in channels}
    with played(tables, code=str(code)) as platforms:
        found = run(platforms, Choice(names=frozenset(names)), own_model=True)
        return {(each.channel, each.journey): each for each in found}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_planted_mistake_is_found_by_the_journey_meant_for_it(mistake: Mistake, tmp_path: Path) -> None:
    code = copy_to(tmp_path)
    source = (code / mistake.file).read_text("utf-8")
    assert source.count(mistake.right) == 1
    (code / mistake.file).write_text(source.replace(mistake.right, mistake.wrong), "utf-8")
    place = (mistake.channel, mistake.journey)
    assert re.search(mistake.words, seen(code, [place])[place].wrong)


def test_the_same_journeys_find_nothing_in_an_unchanged_copy(tmp_path: Path) -> None:
    wanted = {(mistake.channel, mistake.journey) for mistake in MISTAKES.values()}
    found = seen(copy_to(tmp_path), wanted)
    assert wanted <= set(found)
    assert {place: each.wrong for place, each in found.items() if each.wrong} == {}


QUICK = (
    *("address", "connection", "text", "letters", "duplicate", "late_duplicate", "lost_webhook", "batch", "pages"),
    *("statuses", "forged", "broken", "reconnect", "token", "few_tokens", "human"),
)


def checked(*only: str) -> list[list[str]]:
    """The lines of a real `frontdesk sandbox --check`, in words; the last says that all is well."""
    options = [word for name in only for word in ("--only", name)]
    command = [sys.executable, "-m", "bot.cli", "sandbox", "--check", "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    *lines, last = [line.split() for line in done.stdout.splitlines() if line]
    assert last[1:] == ["journeys,", "and", "every", "one", "went", "well."]
    return lines


def test_the_quick_journeys_find_nothing_on_any_channel() -> None:
    lines = checked(*QUICK)
    assert {channel for channel, *_ in lines} == CHANNELS
    assert {journey for _, journey, *_ in lines} == set(QUICK)


@pytest.mark.conformance
@pytest.mark.timeout(600)
def test_no_journey_finds_anything_on_any_channel() -> None:
    lines = checked()
    assert {channel for channel, *_ in lines} == CHANNELS
    assert {journey for _, journey, *_ in lines if not journey.startswith("fault:")} == journeys.names()
