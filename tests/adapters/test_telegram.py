"""Telegram: the contract, the recorded webhooks, and what is peculiar to the Bot API."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from adapters.http import MaybeSent
from adapters.hypertext import plain, shown, typeset
from adapters.surface import Content
from adapters.telegram import RULES, Telegram
from adapters.values import Action, Choice, Delivered, Message, Refused, Reply, Request, Unknown
from tests.contracts.channel import ChannelContract
from tests.contracts.vectors import holds, vectors
from tests.fakes import Answer, Call, RecordingServer, json_answer

BOT = "7100000001"
TOKEN = f"{BOT}:AAkit-bot-token-00000000000000000000"
SECRET = "kit-webhook-secret"
GROUP = -1002000000456
MENTION = {"type": "mention", "offset": 0, "length": 14}


def update(
    text: str = "hello", *, number: int = 1, user: int = 5_200_000_000_001, **changes: Any
) -> dict[str, Any]:
    message = {
        "message_id": number,
        "from": {"id": user, "is_bot": False, "first_name": "Ana"},
        "chat": {"id": user, "type": "private"},
        "date": 1795176000,
        "text": text,
        **changes,
    }
    return {"update_id": 900000000 + number, "message": message}


def in_group(text: str = "@KitShopBot hi", **changes: Any) -> dict[str, Any]:
    chat = {"id": GROUP, "type": "supergroup"}
    entities = [{"type": "mention", "offset": 0, "length": 11}]
    return update(text, chat=chat, entities=entities, **changes)


def refused(status: int, description: str, **parameters: int) -> Answer:
    body = {"ok": False, "error_code": status, "description": description}
    return json_answer({**body, "parameters": parameters} if parameters else body, status=status)


class TestTelegram(ChannelContract):
    channel_type = Telegram
    settings: ClassVar[Mapping[str, Any]] = {
        "platform": "telegram",
        "bot_token": TOKEN,
        "webhook_secret": SECRET,
        "username": "KitShopBot",
    }
    rotated: ClassVar[Mapping[str, Any]] = {"webhook_secret": "kit-new", "webhook_secret_previous": SECRET}
    retired: ClassVar[Mapping[str, Any]] = {"webhook_secret": "kit-new"}
    private = (TOKEN, TOKEN.partition(":")[2], SECRET)
    body_is_signed = False
    documented_codes = tuple(RULES)
    temporary_code = "429"
    permanent_code = "403 bot was blocked by the user"
    account_codes = ("401", "404")

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        number, customer = int(message_id.partition("-")[2]), 5_200_000_000_000 + int(user.partition("-")[2])
        return self.posted(update(text, number=number, user=customer))

    def posted(self, payload: object) -> Request:
        return self.signed(json.dumps(payload, ensure_ascii=False).encode())

    def payload(self) -> bytes:
        return json.dumps(update(entities=[MENTION], reply_to_message={"text": "x"})).encode()

    def signed(self, payload: bytes) -> Request:
        return Request(
            method="POST",
            path="/webhooks/shop",
            query={},
            headers={"x-telegram-bot-api-secret-token": SECRET},
            body=payload,
            received_at=self.now,
        )

    def forged(self) -> Iterator[Request]:
        good = self.text_webhook()
        for given in ("", "another", SECRET[:-1], f" {SECRET}", SECRET.upper(), "é中", "\ud800"):
            yield replace(good, headers={"x-telegram-bot-api-secret-token": given})
        yield replace(good, method="GET")

    def platform(self, call: Call) -> Answer:
        method = call.path.removeprefix(f"/bot{TOKEN}/")
        results = {
            "sendMessage": {"message_id": 41, "chat": {"id": 1}},
            "sendChatAction": True,
            "getMe": {"id": int(BOT), "is_bot": True, "username": "KitShopBot"},
            "getWebhookInfo": {"url": "https://bot.example.com/webhooks/shop", "pending_update_count": 0},
        }
        return (
            json_answer({"ok": True, "result": results[method]}) if method in results else refused(404, "Not Found")
        )

    def is_send(self, call: Call) -> bool:
        return call.path.endswith("/sendMessage")

    def sent_text(self, call: Call) -> str:
        sent = call.json
        text: str = sent["text"]
        return shown(text) if sent.get("parse_mode") == "HTML" else text

    def refusal(self, code: str) -> Answer:
        status, _, said = code.partition(" ")
        known = 100 <= int(status) < 600
        return json_answer(
            {"ok": False, "error_code": int(status), "description": f"Bad Request: {said.upper()}"},
            status=int(status) if known else 400,
        )

    # ---- peculiar to Telegram ----

    def test_choices_are_keys_whose_words_come_back_as_a_message(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        choices = (Choice(id="1", title="Yes"), Choice(id="2", title="No"))
        (part,) = channel.parts(Content(markdown="Shall I?", choices=choices))
        assert isinstance(channel.send(replace(self.reply(channel, "x"), parts=(part,)), 0), Delivered)
        (call,) = self.sends(server)
        assert call.json["reply_markup"]["keyboard"] == [[{"text": "Yes"}], [{"text": "No"}]]
        assert call.json["reply_markup"]["one_time_keyboard"] is True

    def group_reply(self, channel: Any, *texts: str, **changes: Any) -> Reply:
        request = self.posted(in_group(**changes))
        message = self.message(channel, request)
        return replace(
            self.reply(channel, *(texts or ("hi",))), conversation=message.conversation, route=message.route
        )

    @pytest.mark.parametrize("vector", vectors("telegram"))
    def test_a_recorded_webhook_comes_to_what_it_must(self, vector: dict[str, Any]) -> None:
        channel = self.channel(
            bot_token=f"{BOT}:AAvector-token-0000000000000000000",
            webhook_secret="vector-secret_1",
            username="VectorShopBot",
            **vector.get("settings", {}),
        )
        holds(channel, vector, media=("kind", "id", "caption", "filename", "seconds"))

    def test_the_account_is_the_bots_own_id(self) -> None:
        assert self.channel().account == BOT

    @pytest.mark.parametrize(
        "wrong",
        [
            {"bot_token": "no-token"},
            {"bot_token": ""},
            {"webhook_secret": ""},
            {"webhook_secret": "with space"},
            {"webhook_secret": "x" * 257},
            {"username": "@KitShopBot"},
        ],
    )
    def test_a_setting_of_another_form_is_refused_and_not_shown(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as caught:
            self.channel(**wrong)
        assert "with space" not in str(caught.value)
        assert "no-token" not in str(caught.value)

    def test_a_wait_is_obeyed_exactly(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(refused(429, "Too Many Requests: retry after 37", retry_after=37))
        outcome = channel.send(self.reply(channel, "x"), 0)
        assert isinstance(outcome, Refused)
        assert (outcome.action, outcome.retry_after) == (Action.RETRY, timedelta(seconds=37))

    def test_html_that_cannot_be_parsed_is_sent_as_text(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(refused(400, "Bad Request: can't parse entities: Unsupported start tag"))
        (text,) = channel.compose("**Yes** & [here](https://example.com/?a=1&b=2) < 3")
        assert isinstance(channel.send(self.reply(channel, text), 0), Delivered)
        first, second = (call.json for call in self.sends(server))
        assert first["parse_mode"] == "HTML"
        assert "parse_mode" not in second
        assert second["text"] == "Yes & here (https://example.com/?a=1&b=2) < 3"

    def test_a_group_that_moved_gets_the_reply_at_its_new_place(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        moved = "Bad Request: group chat was upgraded to a supergroup chat"
        server.faults.append(refused(400, moved, migrate_to_chat_id=-1009000000001))
        assert isinstance(channel.send(self.group_reply(channel), 0), Delivered)
        assert [call.json["chat_id"] for call in self.sends(server)] == [GROUP, -1009000000001]

    def test_a_group_that_moves_twice_is_not_followed_for_ever(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        moved = refused(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1009000000001)
        server.faults.extend([moved] * 5)
        outcome = channel.send(self.group_reply(channel), 0)
        assert isinstance(outcome, Refused)
        assert outcome.permanent
        assert len(self.sends(server)) == 2

    def test_an_error_of_the_server_is_unknown_also_in_its_own_words(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        server.faults.append(refused(502, "Bad Gateway"))
        assert isinstance(channel.send(self.reply(channel, "x"), 0), Unknown)

    def test_a_group_sees_whom_the_first_part_answers(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        reply = self.group_reply(channel, "one", "two", message_thread_id=77, is_topic_message=True)
        for index in (0, 1):
            channel.send(reply, index)
        first, second = (call.json for call in self.sends(server))
        assert first["reply_parameters"] == {"message_id": 1, "allow_sending_without_reply": True}
        assert "reply_parameters" not in second
        assert first["message_thread_id"] == second["message_thread_id"] == 77

    def test_a_private_chat_is_not_quoted(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        channel.send(self.reply(channel, "x"), 0)
        (call,) = self.sends(server)
        assert call.json == {"chat_id": 5_200_000_000_001, "text": "x", "parse_mode": "HTML"}

    def test_typing_is_shown_where_the_message_came_from(self, server: RecordingServer) -> None:
        channel = self.channel(server.url)
        message = self.message(channel, self.posted(in_group(message_thread_id=77, is_topic_message=True)))
        channel.turn_started(message)
        (call,) = server.calls
        assert call.path.endswith("/sendChatAction")
        assert call.json == {"chat_id": GROUP, "message_thread_id": 77, "action": "typing"}

    def test_typing_that_is_refused_is_said_so_without_the_address(self) -> None:
        with RecordingServer(lambda _: refused(403, "Forbidden")) as server:
            channel = self.channel(server.url)
            message = self.message(channel, self.text_webhook())
            with pytest.raises(MaybeSent) as caught:
                channel.turn_started(message)
        assert TOKEN not in repr(caught.value)

    def test_the_token_in_the_address_is_in_no_log(self, server: RecordingServer, caplog: Any) -> None:
        with caplog.at_level(logging.DEBUG):
            channel = self.channel(server.url)
            channel.send(self.reply(channel, "x"), 0)
            channel.check()
        assert server.calls[0].path.startswith(f"/bot{TOKEN}/")
        assert TOKEN not in caplog.text

    # ---- check ----

    def checked(self, **info: Any) -> str:
        """What `check` says of a webhook in that state, or ""."""

        def platform(call: Call) -> Answer:
            found = {"url": "https://bot.example.com/webhooks/shop", "pending_update_count": 0, **info}
            return (
                json_answer({"ok": True, "result": found}) if "getWebhookInfo" in call.path else self.platform(call)
            )

        with RecordingServer(platform) as server:
            (finding,) = (each for each in self.channel(server.url).check() if each.what == "webhook")
        assert finding.ok is not bool(finding.next_step)
        return finding.next_step

    def test_a_webhook_that_is_not_registered_is_found(self) -> None:
        assert "setWebhook" in self.checked(url="")
        assert "/webhooks/shop" in self.checked(url="")

    def test_a_webhook_at_another_address_is_found_and_not_told(self) -> None:
        said = self.checked(url="https://elsewhere.example.com/secret-path")
        assert "another address" in said
        assert "secret-path" not in said

    def test_a_webhook_without_messages_is_found(self) -> None:
        assert "without messages" in self.checked(allowed_updates=["callback_query"])
        assert not self.checked(allowed_updates=["message", "my_chat_member"])

    def test_updates_that_wait_are_found_with_what_telegram_met(self) -> None:
        said = self.checked(pending_update_count=3, last_error_message="Wrong response: 401\nUnauthorized")
        assert "3 updates" in said
        assert "401?Unauthorized" in said
        assert not self.checked(pending_update_count=0, last_error_message="long ago")

    def test_a_revoked_token_is_found(self) -> None:
        with RecordingServer(lambda _: refused(401, "Unauthorized")) as server:
            (finding,) = self.channel(server.url).check()
        assert not finding.ok
        assert "@BotFather" in finding.next_step

    def test_another_bots_name_is_found(self, server: RecordingServer) -> None:
        findings = self.channel(server.url, username="OtherBot").check()
        assert [finding.what for finding in findings if not finding.ok] == ["username OtherBot"]


# ---- the dialect ----


@pytest.mark.parametrize(
    ("markdown", "written"),
    [
        ("plain", "plain"),
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("**b** *i* ~~s~~ `c<`", "<b>b</b> <i>i</i> <s>s</s> <code>c&lt;</code>"),
        ("***both***", "<b><i>both</i></b>"),
        ("# Title\ntext", "<b>Title</b>\ntext"),
        ("```\nx < *1*\n```", "<pre>x &lt; *1*</pre>"),
        ('[a "b"](https://e.example/?x=1&y="2")', '<a href="https://e.example/?x=1&amp;y=&quot;2&quot;">a "b"</a>'),
        ("[**a**](https://e.example)", '<a href="https://e.example"><b>a</b></a>'),
        ("**[a\nb](https://e.example)**", '<b><a href="https://e.example">a</a></b>\n<b>b</b>'),
        ("[x](javascript:alert(1))", "x"),
        ("<b>raw</b> &amp;", "&lt;b&gt;raw&lt;/b&gt; &amp;"),
        ("a \ue000private\ue007 b", "a private b"),
    ],
)
def test_markdown_becomes_telegrams_html(markdown: str, written: str) -> None:
    assert "".join(typeset(markdown, longest=4096)) == written


def test_what_is_open_at_a_cut_is_closed_and_opened_again() -> None:
    parts = list(typeset("**" + "word " * 50 + "end**", longest=100))
    assert len(parts) > 2
    assert all(part.startswith("<b>") and part.endswith("</b>") and part.count("<b>") == 1 for part in parts)


def test_neither_a_tag_nor_an_entity_is_ever_cut() -> None:
    markdown = "& <x> **b&b** [l<l](https://e.example/?a&b) `<&>` " * 60
    for longest in range(40, 60):
        for part in typeset(markdown, longest=longest):
            assert len(shown(part)) <= longest
            assert "&" not in part.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
            assert part.count("<") == part.count(">") == 2 * part.count("</")


def test_the_text_of_a_fallback_keeps_the_addresses() -> None:
    assert plain('<b>a</b> <a href="https://e.example/?a=1&amp;b">l</a> &lt;') == "a l (https://e.example/?a=1&b) <"


def test_a_message_of_a_private_chat_knows_its_sender() -> None:
    contract = TestTelegram()
    contract.opened = []
    channel, sender = contract.channel(), {"id": 7, "first_name": "Ana", "last_name": "P"}
    (event,) = channel.parse(contract.posted({"message": update()["message"] | {"from": sender}}))
    assert isinstance(event, Message)
    assert event.sender_name == "Ana P"


del ChannelContract  # collected by its heirs only
