"""`frontdesk deadletter` against a real Redis."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.values import ConversationId, Message
from bot.cli import exits, frontdesk
from sessions.engine import RedisInbox
from sessions.store import RedisStore

WORDS = "canary: my parcel is broken"


@pytest.fixture
def inbox(redis_store: RedisStore) -> RedisInbox:
    return RedisInbox(redis_store, consumer="test")


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch, redis_server: str, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK__REDIS__URL", redis_server)
    monkeypatch.setenv("FRONTDESK__REDIS__ALLOW_VOLATILE", "true")


def message(peer: str, *, text: str = WORDS, channel: str = "shop") -> Message:
    conversation = ConversationId(channel=channel, account="1", peer=peer)
    return Message(id=f"m-{peer}", conversation=conversation, sender=peer, text=text, sent_at=datetime.now(UTC))


def park(inbox: RedisInbox, peer: str, *, reason: str = "model_down", text: str = WORDS, detail: str = "") -> str:
    """Accepts a message of *peer* and parks its turn; returns the letter's id."""
    inbox.accept([message(peer, text=text)], horizon=timedelta(hours=1))
    (ticket,) = inbox.take(1, wait=timedelta(seconds=1))
    turn = inbox.claim(ticket)
    assert turn is not None
    inbox.park(turn.lease, reason=reason, detail=detail)
    return inbox.dead_letters(most=1)[0].id


def deadletter(*arguments: str) -> Result:
    return CliRunner().invoke(frontdesk, ["deadletter", *arguments], catch_exceptions=False)


def rows(result: Result) -> Sequence[Sequence[str]]:
    return [line.split() for line in result.output.splitlines()[1:]]


def test_an_empty_list_says_so(inbox: RedisInbox) -> None:
    result = deadletter("list")
    assert result.exit_code == exits.OK
    assert result.output == "no dead letters\n"


def test_the_list_has_one_line_a_letter_the_newest_first(inbox: RedisInbox) -> None:
    first = park(inbox, "ann")
    second = park(inbox, "bob", reason="unknown")
    result = deadletter("list")
    assert [row[0] for row in rows(result)] == [second, first]
    assert rows(result)[0][-3:] == ["shop", "unknown", "1"]


def test_the_list_never_shows_a_customers_words_or_name(inbox: RedisInbox) -> None:
    park(inbox, "ann-4915112345")
    shown = deadletter("list").output
    assert "canary" not in shown
    assert "4915112345" not in shown


def test_the_list_can_be_cut_paged_and_filtered(inbox: RedisInbox) -> None:
    letters = [park(inbox, f"p{number}", reason=("odd" if number % 2 else "even")) for number in range(5)]
    assert [row[0] for row in rows(deadletter("list", "--most", "2"))] == [letters[4], letters[3]]
    assert [row[0] for row in rows(deadletter("list", "--before", letters[3]))] == letters[2::-1]
    assert [row[0] for row in rows(deadletter("list", "--reason", "odd"))] == [letters[3], letters[1]]


def test_show_tells_everything_but_the_words(inbox: RedisInbox) -> None:
    letter = park(inbox, "ann", detail="503 from both replicas")
    shown = deadletter("show", letter).output
    assert letter in shown
    assert "model_down" in shown
    assert "503 from both replicas" in shown
    assert f"{len(WORDS)} characters" in shown
    assert "canary" not in shown


def test_show_with_text_tells_the_words_but_sends_nothing_to_the_terminal_that_steers_it(inbox: RedisInbox) -> None:
    letter = park(inbox, "ann", text="hello\x1b[2J\nmessage: forged\u2028line")
    shown = deadletter("show", letter, "--text").output
    assert "hello" in shown
    assert "\x1b" not in shown
    assert "\u2028" not in shown
    assert not any(line.startswith("message: forged") for line in shown.splitlines())


def test_show_of_an_unknown_letter_fails_with_the_next_step(inbox: RedisInbox) -> None:
    result = deadletter("show", "1763700000000-0")
    assert result.exit_code == exits.FAILED
    assert "frontdesk deadletter list" in result.output


def test_redrive_puts_one_letter_back_exactly_once(inbox: RedisInbox) -> None:
    letter, other = park(inbox, "ann"), park(inbox, "bob")
    result = deadletter("redrive", letter)
    assert result.output == "redriven: 1\n"
    assert [each.id for each in inbox.dead_letters()] == [other]
    (ticket,) = inbox.take(5, wait=timedelta(seconds=1))
    turn = inbox.claim(ticket)
    assert turn is not None
    assert [each.text for each in turn.messages] == [WORDS]
    again = deadletter("redrive", letter)
    assert again.exit_code == exits.FAILED
    assert "redriven: 0" in again.output


def test_redrive_takes_many_ids(inbox: RedisInbox) -> None:
    letters = [park(inbox, f"p{number}") for number in range(3)]
    assert deadletter("redrive", *letters[:2]).output == "redriven: 2\n"
    assert [each.id for each in inbox.dead_letters()] == letters[2:]


def test_redrive_by_reason_leaves_the_others(inbox: RedisInbox) -> None:
    park(inbox, "ann", reason="model_down")
    kept = park(inbox, "bob", reason="unknown")
    park(inbox, "cid", reason="model_down")
    assert deadletter("redrive", "--reason", "model_down").output == "redriven: 2\n"
    assert [each.id for each in inbox.dead_letters()] == [kept]


def test_redrive_all_goes_beyond_one_page(inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("bot.cli.deadletter"), "PAGE", 2)
    for number in range(5):
        park(inbox, f"p{number}")
    assert deadletter("redrive", "--all").output == "redriven: 5\n"
    assert inbox.dead_letters() == []
    assert inbox.depths().ready == 5


@pytest.mark.parametrize("arguments", [[], ["1-0", "--all"], ["--all", "--reason", "x"]])
def test_redrive_wants_exactly_one_way_of_saying_which(inbox: RedisInbox, arguments: list[str]) -> None:
    letter = park(inbox, "ann")
    assert deadletter("redrive", *arguments).exit_code == exits.USAGE
    assert [each.id for each in inbox.dead_letters()] == [letter]
