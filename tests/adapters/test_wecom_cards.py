"""Choices of a WeCom app: the card that shows them, the tap that comes back, and the card that is spent
(WeCom sheet §1.6, §2, §3.3 and §3.4)."""

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.surface import Content
from adapters.values import Choice, ControlEvent, Delivered, Message, Part
from tests.adapters.wecom_app import CONSOLE, app, control, parsed
from tests.adapters.wecom_fake import SEND, Platform, error, paths, refused, reply, sent
from tests.adapters.wecom_platform import AGENT
from tests.fakes import RecordingServer

UPDATE = "/cgi-bin/message/update_template_card"
YES_NO = (Choice(id="1", title="是"), Choice(id="2", title="否"))


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def server(platform: Platform) -> Iterator[RecordingServer]:
    with RecordingServer(platform) as server:
        yield server


def choices(count: int) -> tuple[Choice, ...]:
    return tuple(Choice(id=str(number), title=f"Nr {number}") for number in range(1, count + 1))


def card(server: RecordingServer, content: Content, **overrides: Any) -> dict[str, Any]:
    channel = app(api_base=server.url, **overrides)
    (part,) = channel.parts(content)
    assert channel.send(reply(part), 0) == Delivered(platform_id="MSGID1")
    (body,) = sent(server)
    assert body["msgtype"] == "template_card"
    found: dict[str, Any] = body["template_card"]
    return found


def test_a_few_choices_are_buttons(server: RecordingServer) -> None:
    assert card(server, Content(markdown="可以取消吗？", choices=YES_NO)) == {
        "card_type": "button_interaction",
        "main_title": {"title": "可以取消吗？"},
        "button_list": [{"text": "是", "style": 1, "key": "1:是"}, {"text": "否", "style": 1, "key": "2:否"}],
        "task_id": "fd-" + "k" * 32,
    }


def test_more_than_six_choices_are_a_list(server: RecordingServer) -> None:
    found = card(server, Content(markdown="Which?", choices=choices(7)))
    assert found["card_type"] == "vote_interaction"
    assert found["checkbox"]["mode"] == 0
    options = found["checkbox"]["option_list"]
    assert [(each["id"], each["text"]) for each in options][::6] == [("1:Nr 1", "Nr 1"), ("7:Nr 7", "Nr 7")]
    assert found["submit_button"] == {"text": "OK", "key": "submit"}


def test_more_than_twenty_choices_are_numbered() -> None:
    (part,) = app().parts(Content(markdown="Which?", choices=choices(21)))
    assert part.choices == ()
    assert "21. Nr 21" in part.text


def test_an_app_without_cards_numbers_its_choices() -> None:
    (part,) = app(cards=False).parts(Content(markdown="可以吗？", choices=YES_NO))
    assert (part.text, part.choices) == ("可以吗？\n\n1. 是\n2. 否", ())


def test_a_long_question_stands_below_the_headline(server: RecordingServer) -> None:
    words = "您的订单还没有发货，现在取消的话，款项会在三个工作日内退回。可以取消吗？"
    found = card(server, Content(markdown=words, choices=YES_NO))
    assert (found["main_title"], found["sub_title_text"]) == ({"title": ""}, words)


def test_a_card_shows_no_marks_of_markdown(server: RecordingServer) -> None:
    found = card(server, Content(markdown="**Really?**", choices=YES_NO), markdown=True)
    assert found["main_title"] == {"title": "Really?"}


def test_each_part_s_card_has_a_task_of_its_own(server: RecordingServer) -> None:
    channel = app(api_base=server.url)
    both = reply(Part(text="a?", choices=YES_NO), Part(text="b?", choices=YES_NO))
    for index in (0, 1, 1):
        channel.send(both, index)
    tasks = [body["template_card"]["task_id"] for body in sent(server)]
    assert tasks == ["fd-" + "k" * 32, "fd-" + "k" * 32 + "@1", "fd-" + "k" * 32 + "@1"]


def test_a_card_that_the_platform_knows_from_before_is_delivered(
    server: RecordingServer, platform: Platform
) -> None:
    asked = reply(Part(text="a?", choices=YES_NO))
    channel = app(api_base=server.url)
    platform.will(SEND, error(42014), error(42014))
    assert refused(channel.send(asked, 0)).code == "42014"
    assert channel.send(asked, 0, again=True) == Delivered()


# ---- the tap ----


def tapped(task: str = "fd-" + "k" * 32, *, key: str = "", options: tuple[str, ...] = ()) -> str:
    chosen = "".join(f"<OptionId>{option}</OptionId>" for option in options)
    items = f"<SelectedItem><QuestionKey>choice</QuestionKey><OptionIds>{chosen}</OptionIds></SelectedItem>"
    return CONSOLE.inner(
        "event",
        Event="template_card_event",
        EventKey=key,
        TaskId=task,
        CardType="button_interaction",
        ResponseCode="CODE_1",
        raw=f"<SelectedItems>{items}</SelectedItems>" if options else "",
    )


@pytest.mark.parametrize(
    ("key", "options", "text"),
    [
        ("1:是", (), "是"),
        ("2:10:30 at the shop", (), "10:30 at the shop"),
        ("submit", ("7:Nr 7",), "Nr 7"),
        ("submit", ("1:a", "3:c"), "a, c"),
    ],
)
def test_a_tap_says_the_choice_s_title(key: str, options: tuple[str, ...], text: str) -> None:
    (event,) = parsed(tapped(key=key, options=options))
    assert isinstance(event, Message)
    assert (event.text, event.kind, event.sender) == (text, "template_card_event", "zhangsan")
    assert "CODE_1" not in str(event)


def test_a_tap_that_is_told_again_is_the_same_message() -> None:
    first, again, other = (parsed(tapped(key=key))[0] for key in ("1:是", "1:是", "2:否"))
    assert isinstance(first, Message)
    assert isinstance(again, Message)
    assert isinstance(other, Message)
    assert first.key == again.key != other.key


@pytest.mark.parametrize(("task", "key"), [("task-20261120-1", "1:x"), ("fd-1", "btn"), ("", "1:x"), ("fd-1", "")])
def test_a_card_of_somebody_else_is_noted(task: str, key: str) -> None:
    (event,) = parsed(tapped(task, key=key))
    assert isinstance(event, ControlEvent)
    assert event.what == "template_card_event"


def test_a_submitted_list_without_a_choice_is_noted() -> None:
    (event,) = parsed(tapped(key="submit"))
    assert isinstance(event, ControlEvent)


def test_a_card_s_own_menu_is_noted() -> None:
    assert control("app_event_template_card_menu").what == "template_card_menu_event"


# ---- the card is spent ----


def test_a_tap_spends_the_card_in_its_own_exchange() -> None:
    channel, request = app(), CONSOLE.post(tapped(key="1:是"))
    answer = channel.answer(request, channel.parse(request))
    assert answer.content_type.startswith("text/xml")
    inner = CONSOLE.opened(answer.body)
    assert inner["MsgType"] == "update_button"
    assert inner["ReplaceName"] == "已选择 是"
    assert (inner["ToUserName"], inner["FromUserName"]) == ("zhangsan", CONSOLE.corp)


def test_an_english_choice_is_confirmed_without_chinese() -> None:
    channel, request = app(), CONSOLE.post(tapped(key="1:Yes"))
    assert CONSOLE.opened(channel.answer(request, channel.parse(request)).body)["ReplaceName"] == "✓ Yes"


def test_row_20_where_nothing_is_said_at_once_the_card_is_spent_by_a_call(server: RecordingServer) -> None:
    channel = app(api_base=server.url, passive=False)
    request = CONSOLE.post(tapped(key="1:是"))
    (event,) = channel.parse(request)
    assert isinstance(event, Message)
    assert channel.answer(request, (event,)).body == b""
    channel.send(reply("好的", "再见", route=event.route), 0)
    channel.send(reply("好的", "再见", route=event.route), 1)
    assert paths(server) == ["gettoken", "message/update_template_card", "message/send", "message/send"]
    assert [call.json for call in server.calls if call.path == UPDATE] == [
        {
            "userids": ["zhangsan"],
            "agentid": AGENT,
            "response_code": "CODE_1",
            "button": {"replace_name": "已选择 是"},
        }
    ]


def test_a_card_that_cannot_be_spent_holds_no_answer_back(server: RecordingServer, platform: Platform) -> None:
    platform.will(UPDATE, error(42018))
    answered = reply("好的", route={"response_code": "CODE_1", "chosen": "是"})
    assert isinstance(app(api_base=server.url, passive=False).send(answered, 0), Delivered)
