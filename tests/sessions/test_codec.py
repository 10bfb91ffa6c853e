"""Whatever is accepted can be stored and read again, unchanged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.values import Attachment, Choice, ConversationId, Media, Message, Part, Reply
from sessions import codec
from sessions.inbox import HistoryEntry, PartRecord, PartState
from tests.contracts.inbox_kit import NOON, conversation, message

words = st.text(st.characters(), max_size=40)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
PACIFIC = timezone(timedelta(hours=-8))
CHINA = timezone(timedelta(hours=8))
moments = st.datetimes(timezones=st.just(CHINA) | st.just(UTC)).filter(lambda moment: 1 < moment.year < 9999)
conversations = st.builds(ConversationId, channel=ids, account=ids, peer=ids)
media = st.builds(
    Media,
    kind=words,
    id=words,
    mime=words,
    sha256=words,
    caption=words,
    filename=words,
    seconds=st.none() | st.floats(0, 1e6),
)
messages = st.builds(
    Message,
    id=ids,
    conversation=conversations,
    sender=words,
    sender_name=words,
    text=words,
    media=st.lists(media, max_size=3).map(tuple),
    sent_at=moments,
    quoted=words,
    kind=words,
    route=st.dictionaries(words, words, max_size=3),
)


@given(messages)
def test_a_message_comes_back_as_it_was(original: Message) -> None:
    assert codec.load_message(codec.dump_message(original)) == original


@given(st.lists(messages, max_size=3))
def test_a_dead_letters_messages_come_back_as_they_were(originals: list[Message]) -> None:
    joined = b"[" + b",".join(map(codec.dump_message, originals)) + b"]"
    assert codec.load_messages(joined) == tuple(originals)


@given(
    st.builds(
        HistoryEntry,
        role=words,
        content=words,
        at=moments,
        key=words,
        pending=words,
        choices=st.lists(words, max_size=3).map(tuple),
    )
)
def test_a_history_entry_comes_back_as_it_was(entry: HistoryEntry) -> None:
    assert codec.load_entry(codec.dump_entry(entry)) == entry


parts = st.builds(
    Part,
    text=words,
    repeated=st.booleans(),
    template=st.just("") | words,
    choices=st.lists(st.builds(Choice, id=words, title=words, description=words), max_size=3).map(tuple),
    attachment=st.none() | st.builds(Attachment, kind=words, file=words, url=words, name=words, mime=words),
)


@given(
    st.lists(parts, max_size=3).map(tuple),
    st.lists(
        st.builds(
            PartRecord,
            state=st.sampled_from(PartState),
            at=moments,
            platform_id=words,
            sends=st.integers(0, 9),
            refusals=st.integers(0, 9),
        ),
        max_size=3,
    ).map(tuple),
    st.dictionaries(words, words, max_size=3),
)
def test_a_reply_comes_back_as_it_was(
    pieces: tuple[Part, ...], records: tuple[PartRecord, ...], route: dict[str, str]
) -> None:
    reply = Reply(key="k", conversation=conversation(), parts=pieces, route=route)
    fields = [codec.load_fields(codec.dump_record(record)) for record in records]
    stored = codec.load_stored(codec.dump_reply(reply), fields, b"model_down", conversation())
    assert (stored.reply, stored.records, stored.fallback) == (reply, records, "model_down")


def test_a_plain_message_is_small() -> None:
    """Defaults are left out: what is stored most is stored shortest."""
    assert set(codec.load_fields(codec.dump_message(message("m1")))) == {
        "id",
        "conversation",
        "sender",
        "text",
        "sent_at",
        "kind",
        "route",
    }


def test_a_newer_versions_fields_are_ignored() -> None:
    stored = codec.dump_message(message("m1")).replace(b'{"id"', b'{"mood":"new","id"')
    assert codec.load_message(stored) == message("m1")


def test_parts_that_were_stored_before_templates_are_read() -> None:
    stored = b'{"key":"k","parts":[["a"],["b",1]],"route":{}}'
    found = codec.load_stored(stored, [], b"", conversation()).reply.parts
    assert found == (Part(text="a"), Part(text="b", repeated=True))


def test_a_plain_part_and_a_plain_entry_are_small() -> None:
    plain = codec.load_fields(codec.dump_reply(reply_of(Part(text="a"))))
    assert plain["parts"] == [["a"]]
    entry = HistoryEntry(role="assistant", content="hello", at=NOON, key="k")
    assert set(codec.load_fields(codec.dump_entry(entry))) == {"role", "content", "at", "key"}


def test_parts_that_were_stored_by_a_newer_version_are_read() -> None:
    stored = b'{"key":"k","parts":[["a",0,"",[["i","t","d","new"]],{"kind":"image","mood":1},"new"]],"route":{}}'
    [part] = codec.load_stored(stored, [], b"", conversation()).reply.parts
    expected = Choice(id="i", title="t", description="d")
    assert part == Part(text="a", choices=(expected,), attachment=Attachment(kind="image"))


def test_a_part_is_known_by_all_that_is_shown_and_sent() -> None:
    plain = Part(text="a")
    others = [
        Part(text="a", choices=(Choice(id="1", title="yes"),)),
        Part(text="a", choices=(Choice(id="1", title="no"),)),
        Part(text="a", attachment=Attachment(kind="image", file="a.jpg")),
        Part(text="a", attachment=Attachment(kind="image", file="b.jpg")),
        Part(text="b"),
    ]
    assert codec.part_digest(plain) == codec.digest("a")
    assert len({codec.part_digest(part) for part in (plain, *others)}) == 6
    assert codec.part_digest(replace(plain, repeated=True)) == codec.part_digest(plain)


def reply_of(*parts: Part) -> Reply:
    return Reply(key="k", conversation=conversation(), parts=parts, route={})


def test_equal_texts_have_equal_digests() -> None:
    assert codec.digest("你好\ud800") == codec.digest("你好\ud800") != codec.digest("你好")


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=CHINA), datetime.max.replace(tzinfo=PACIFIC)])
def test_a_time_beyond_the_calendar_is_no_poison(moment: datetime) -> None:
    assert codec.from_micros(codec.micros(moment)).year == moment.year


def test_times_are_exact_to_the_microsecond() -> None:
    assert codec.from_micros(codec.micros(NOON)) == NOON
