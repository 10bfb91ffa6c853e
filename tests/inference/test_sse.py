"""The event stream reader on its own."""

import pytest

from inference.sse import EventReader

STREAM = (
    ': keep-alive\n\ndata: {"a": "退款"}\n\nevent: x\nid: 7\ndata: two\ndata:lines\n\n\n\r\ndata: [DONE]\r\n\r\n'
).encode()
EVENTS = ['{"a": "退款"}'.encode(), b"two\nlines", b"[DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 1000])
def test_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    reader = EventReader()
    chunks = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [event for chunk in chunks for event in reader.feed(chunk)] == EVENTS


def test_an_event_without_its_empty_line_is_not_given() -> None:
    reader = EventReader()
    assert list(reader.feed(b"data: half\n")) == []
    assert list(reader.feed(b"\n")) == [b"half"]


def test_a_comment_with_a_colon_in_it_is_no_data() -> None:
    assert list(EventReader().feed(b":data: x\n\n")) == []
