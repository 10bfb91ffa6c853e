"""WeCom's envelopes: every published vector through the channel, rotation, and what surrounds the ciphertext."""

import json
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import tostring

import pytest
from defusedxml.ElementTree import fromstring
from pydantic import ValidationError

from adapters.crypto import BadContent, NotSealed
from adapters.errors import Malformed, Unverified
from adapters.values import ControlEvent, Message, Response
from adapters.wecom import WeComSettings
from tests.adapters.wecom_app import CONSOLE, app, config_of, events_of, message, received
from tests.adapters.wecom_platform import (
    AGENT,
    KEY,
    NEW_KEY,
    NEW_TOKEN,
    TOKEN,
    Console,
    request_of,
    vector,
    vectors,
)

ROTATED: dict[str, Any] = {
    "token": NEW_TOKEN,
    "encoding_aes_key": NEW_KEY,
    "token_previous": TOKEN,
    "encoding_aes_key_previous": KEY,
}


@pytest.mark.parametrize("name", [each for each in vectors("app-get") if not vector(each)["expected"]["error"]])
def test_the_url_check_is_answered_with_the_exact_bytes(name: str) -> None:
    found = vector(name)
    channel, request = app(**config_of(found)), request_of(found)
    channel.verify(request)
    assert channel.parse(request) == ()
    answer = channel.answer(request, ())
    assert answer.status == 200
    assert answer.content_type.startswith("text/plain")
    assert answer.body == found["expected"]["plaintext"].encode()
    if "response_body_exact_bytes_hex" in found["expected"]:
        assert answer.body.hex() == found["expected"]["response_body_exact_bytes_hex"]


@pytest.mark.parametrize("name", [each for each in vectors("app-xml") if vector(each)["expected"]["error"] is None])
def test_every_published_callback_is_accepted(name: str) -> None:
    found = vector(name)
    channel, request = app(**config_of(found)), request_of(found)
    channel.verify(request)
    assert len(channel.parse(request)) == 1
    assert channel.answer(request, ()) == Response()


@pytest.mark.parametrize(
    "name", [each for each in vectors("app-xml", "app-get") if vector(each)["expected"]["error"]]
)
def test_every_published_bad_callback_is_refused(name: str) -> None:
    found = vector(name)
    channel, request = app(**config_of(found)), request_of(found)
    with pytest.raises((Unverified, Malformed)) as caught:
        events_of(channel, request)
    error = caught.value
    assert isinstance(error, NotSealed | BadContent)
    assert error.flaw.value in found["expected"]["error"].split("|")


@pytest.mark.parametrize("name", [each for each in vectors("app-xml") if "parsed" in vector(each)["expected"]])
def test_the_published_fields_are_read(name: str) -> None:
    found = vector(name)
    fields = found["expected"]["parsed"]
    event = received(name)
    if isinstance(event, Message):
        assert event.text == fields.get("Content", event.text)
        assert event.sender == fields.get("FromUserName", event.sender)
        assert event.kind == fields.get("MsgType", "text")
        assert event.id == f"{AGENT}:zhangsan:{fields.get('MsgId', event.id.rpartition(':')[2])}"
    else:
        assert isinstance(event, ControlEvent)
        assert event.what == fields["Event"]
        assert event.detail["open_kf_id"] == fields["OpenKfId"]
        assert fields["Token"] not in str(event)


def test_an_old_timestamp_is_no_reason_to_refuse() -> None:
    assert message("neg_old_timestamp").text == "x"


def test_a_json_envelope_is_read_in_either_spelling() -> None:
    found = vector("app_text_json_envelope")
    request = request_of(found)
    outer = json.loads(request.body)
    lower = json.dumps({name.lower(): value for name, value in outer.items()}).encode()
    for body in (request.body, lower, b"\xef\xbb\xbf " + lower):
        (event,) = app().parse(replace(request, body=body))
        assert isinstance(event, Message)
        assert event.text == "json 外壳"


@pytest.mark.parametrize("place", ["ToUserName", "AgentID"])
def test_unsigned_words_that_contradict_the_message_are_unverified(place: str) -> None:
    request = CONSOLE.text("hi")
    changed = fromstring(request.body)
    for element in changed.iter(place):
        element.text = "1000003"
    with pytest.raises(Unverified):
        app().verify(replace(request, body=tostring(changed)))


def test_an_envelope_without_its_unsigned_words_is_read() -> None:
    request = CONSOLE.text("hi")
    bare = fromstring(request.body)
    for name in ("ToUserName", "AgentID"):
        for element in bare.findall(name):
            bare.remove(element)
    app().verify(replace(request, body=tostring(bare)))


@pytest.mark.parametrize(
    "overrides",
    [
        {"token": NEW_TOKEN, "token_previous": TOKEN},
        {"encoding_aes_key": NEW_KEY, "encoding_aes_key_previous": KEY},
    ],
)
def test_one_of_the_two_secrets_may_be_rotated_alone(overrides: dict[str, Any]) -> None:
    channel = app(**overrides)
    channel.verify(CONSOLE.text("old"))
    channel.verify(
        Console(token=overrides.get("token", TOKEN), key=overrides.get("encoding_aes_key", KEY)).text("new")
    )


@pytest.mark.parametrize("token", [NEW_TOKEN, TOKEN])
@pytest.mark.parametrize("key", [NEW_KEY, KEY])
def test_during_a_rotation_each_token_goes_with_each_key(token: str, key: str) -> None:
    app(**ROTATED).verify(Console(token=token, key=key).text("in between"))


def test_after_the_rotation_no_old_secret_is_good() -> None:
    rotated = app(token=NEW_TOKEN, encoding_aes_key=NEW_KEY)
    for token, key in ((TOKEN, KEY), (NEW_TOKEN, KEY), (TOKEN, NEW_KEY)):
        with pytest.raises(Unverified):
            rotated.verify(Console(token=token, key=key).text("old"))


def test_the_url_check_is_answered_with_the_previous_secrets_too() -> None:
    found = vector("get_app_ok")
    assert app(**ROTATED).answer(request_of(found), ()).body == b"2836502384937403712"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"encoding_aes_key": KEY[:-1]}, "encoding_aes_key has 42 characters, not 43"),
        ({"encoding_aes_key": "!" * 43}, "encoding_aes_key is not base64"),
        ({"encoding_aes_key_previous": "short"}, "5 characters"),
        ({"token": ""}, "token is empty"),
    ],
)
def test_a_channel_with_a_bad_secret_is_not_built(overrides: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        app(**overrides)


@pytest.mark.parametrize("name", ["encoding_aes_key", "encoding_aes_key_previous"])
def test_a_bad_key_is_told_with_the_other_problems_of_the_configuration(name: str) -> None:
    table = {
        "platform": "wecom",
        "corp_id": "",
        "agent_id": 1,
        "secret": "s",
        "token": "t",
        "encoding_aes_key": KEY,
    }
    with pytest.raises(ValidationError) as caught:
        WeComSettings.model_validate({**table, name: KEY[:-1]})
    assert {each["loc"] for each in caught.value.errors()} == {("corp_id",), (name,)}
