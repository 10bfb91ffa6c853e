"""The bugs that other WeCom bots have, by their row in the WeCom sheet's §10: what comes in."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from adapters.errors import Malformed, Unverified
from adapters.values import ControlEvent, Message
from tests.adapters.wecom_app import CONSOLE, app, config_of, events_of, message, parsed
from tests.adapters.wecom_platform import (
    KEY,
    TOKEN,
    request_of,
    vector,
)


def test_row_1_a_callback_is_answered_without_a_call_to_anyone() -> None:
    """The address answers nothing: any call out would fail."""
    assert isinstance(message("app_text", api_base="http://127.0.0.1:9"), Message)


def test_row_2_the_retry_of_a_message_has_its_key() -> None:
    first, retry = message("app_text"), message("app_text_retry")
    assert request_of(vector("app_text")).body != request_of(vector("app_text_retry")).body
    assert first.key == retry.key


def test_row_3_events_of_one_second_are_not_duplicates() -> None:
    kinds: list[dict[str, Any]] = [
        {"Event": "click", "EventKey": "a"},
        {"Event": "click", "EventKey": "b"},
        {"Event": "view", "EventKey": "a"},
        {"Event": "template_card_event", "EventKey": "a", "TaskId": "1"},
        {"Event": "template_card_event", "EventKey": "a", "TaskId": "2"},
    ]
    ids = [parsed(CONSOLE.inner("event", **fields))[0] for fields in kinds]
    keys = [event.detail["id"] for event in ids if isinstance(event, ControlEvent)]
    assert len(set(keys)) == len(kinds)
    (again,) = parsed(CONSOLE.inner("event", **kinds[0]))
    assert isinstance(again, ControlEvent)
    assert again.detail["id"] == keys[0]


def test_row_3_the_same_message_id_of_two_members_is_two_messages() -> None:
    one = parsed(CONSOLE.inner(user="a", Content="x", MsgId="7"))[0]
    two = parsed(CONSOLE.inner(user="b", Content="x", MsgId="7"))[0]
    assert isinstance(one, Message)
    assert isinstance(two, Message)
    assert one.key != two.key


@pytest.mark.parametrize("pair", [(("a:b", "c"), ("a", "b:c")), (("a%3Ab", "c"), ("a:b", "c"))])
def test_row_3_hostile_ids_do_not_collide(pair: tuple[tuple[str, str], tuple[str, str]]) -> None:
    keys = set()
    for user, message_id in pair:
        (event,) = parsed(CONSOLE.inner(user=user, Content="x", MsgId=message_id))
        assert isinstance(event, Message)
        keys.add(event.key)
    assert len(keys) == 2


def test_row_3_a_message_without_an_id_is_keyed_by_its_content() -> None:
    events = [parsed(CONSOLE.inner(Content=content))[0] for content in ("x", "y", "x")]
    keys = [event.key for event in events if isinstance(event, Message)]
    assert keys[0] == keys[2] != keys[1]


def test_row_4_the_url_check_is_neither_quoted_nor_ended_by_a_line() -> None:
    found = vector("get_app_ok")
    body = app().answer(request_of(found), ()).body
    assert body == b"2836502384937403712"
    assert json.dumps(body.decode()).encode() != body


def test_row_5_a_wrong_receive_id_says_what_to_compare() -> None:
    found = vector("app_text")
    with pytest.raises(Unverified, match="corp_id"):
        app(**config_of(found, corp_id="wwanother")).verify(request_of(found))


def test_row_6_a_plus_that_became_a_space_is_repaired() -> None:
    found = vector("get_app_ok")
    assert "+" in found["request"]["query"]["echostr"]
    request = request_of(found)
    spaced = {**request.query, "echostr": request.query["echostr"].replace("+", " ")}
    channel = app()
    channel.verify(replace(request, query=spaced))
    assert channel.answer(replace(request, query=spaced), ()).body == b"2836502384937403712"


def test_row_20_a_message_is_never_answered_in_the_same_exchange() -> None:
    channel, request = app(), CONSOLE.text("hi")
    assert channel.answer(request, channel.parse(request)).body == b""


@pytest.mark.parametrize("name", ["neg_xxe_inner", "neg_inner_not_xml", "neg_bad_padding", "neg_entity_bomb_outer"])
def test_row_23_an_error_tells_nothing_of_the_message(name: str, caplog: pytest.LogCaptureFixture) -> None:
    found = vector(name)
    channel, request = app(), request_of(found)
    with caplog.at_level(logging.DEBUG), pytest.raises((Unverified, Malformed)) as caught:
        events_of(channel, request)
    told = str(caught.value) + repr(caught.value) + caplog.text
    for private in (
        found["encrypt"],
        found["expected"].get("plaintext") or "?",
        request.query["nonce"],
        TOKEN,
        KEY,
    ):
        assert private not in told
