"""Files, pictures and choices in answers: what is lifted out of the Markdown, and what the customer then sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.values import Action, Attachment, Refused
from bot.turns.choosing import meant
from bot.turns.content import MOST_ATTACHMENTS, content, lift, shown
from inference.values import Passage
from tests.bot.room import Room
from tests.bot.test_turn_tools import CANCEL, Desk
from tests.inference.tool_kit import open_shop

HOSTS = ("cdn.example.com",)


class Shelf:
    """Knowledge that names the files; the model may name no others. *score* 1 answers by itself."""

    def __init__(self, answer: str, score: float = 0.5) -> None:
        self.passage = Passage(question="files", answer=answer, score=score)

    def find(self, question: str, *, most: int = 3) -> tuple[Passage, ...]:
        return (self.passage,)


FILES = (
    "![the plan](file:plan.png) [prices](file:prices.pdf) ![gone](file:gone.png) [tune](file:tune.mp3) "
    "[film](https://cdn.example.com/film.mp4)"
)


@pytest.fixture
def room() -> Room:
    return room_with(Shelf(FILES))


def room_with(shelf: Shelf) -> Room:
    room = Room()
    room.knowledge = shelf
    room.engine = room.engine_of({"shop": room.channel})
    return room


# What is lifted


def test_a_picture_leaves_the_text_and_a_linked_file_leaves_its_words() -> None:
    lifted = lift("Here it is:\n\n![the plan](file:plan.png)\n\nSee our [price list](file:prices.pdf).", HOSTS)
    assert lifted.markdown == "Here it is:\n\nSee our price list."
    assert lifted.attachments == (
        Attachment(kind="image", file="plan.png", name="the plan.png", mime="image/png"),
        Attachment(kind="document", file="prices.pdf", name="price list.pdf", mime="application/pdf"),
    )


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("a.mp3", "audio"),
        ("a.mp4", "video"),
        ("a.zip", "document"),
        ("a.JPG", "image"),
        ("folder/a.docx", "document"),
    ],
)
def test_the_kind_goes_by_the_ending(target: str, kind: str) -> None:
    (attachment,) = lift(f"[x](file:{target})", ()).attachments
    assert attachment.kind == kind
    assert attachment.file == target


def test_a_name_with_spaces_may_be_written_either_way() -> None:
    for target in ("<file:my plan.png>", "file:my%20plan.png"):
        assert lift(f"![]({target})", ()).attachments[0].file == "my plan.png"


@pytest.mark.parametrize(
    "text",
    [
        "[x](https://evil.example/a.pdf)",
        "[x](http://cdn.example.com/a.pdf)",
        "[x](https://cdn.example.com@evil.example/a.pdf)",
        "[x](https://cdn.example.com:8443/a.pdf)",
        "[the page](https://cdn.example.com/terms)",
        "[the page](https://cdn.example.com/terms.html)",
        "[x](file:)",
        "`[x](file:a.pdf)`",
        "```\n![x](file:a.png)\n```",
        "[order 7] (file:a.pdf)",
    ],
)
def test_what_is_no_file_of_ours_stays_as_it_is(text: str) -> None:
    lifted = lift(text, HOSTS)
    assert lifted.markdown == text
    assert lifted.attachments == ()


def test_files_of_the_named_hosts_are_lifted() -> None:
    (pdf, picture) = lift("[a](https://cdn.example.com/a.pdf) ![b](https://cdn.example.com/b)", HOSTS).attachments
    assert (pdf.kind, pdf.url, pdf.name) == ("document", "https://cdn.example.com/a.pdf", "a.pdf")
    assert (picture.kind, picture.url) == ("image", "https://cdn.example.com/b")


def test_words_may_hold_brackets() -> None:
    lifted = lift("Our [price list [2026]](file:prices.pdf).", ())
    assert lifted.markdown == "Our price list [2026]."
    assert lifted.attachments[0].name == "price list [2026].pdf"


def test_a_file_named_twice_is_sent_once_and_a_parcel_not_at_all() -> None:
    assert len(lift("![a](file:a.png) ![a](file:a.png)", ()).attachments) == 1
    many = lift(" ".join(f"![{n}](file:{n}.png)" for n in range(20)), ())
    assert len(many.attachments) == MOST_ATTACHMENTS


@given(st.text(alphabet='[]()!`<>\n \\file:apng.htscdx/"', max_size=80))
def test_lifting_never_raises_and_loses_no_plain_words(text: str) -> None:
    lifted = lift(text, HOSTS)
    assert lifted.attachments or lifted.markdown == text
    shown(text, HOSTS)


def test_a_link_that_is_still_being_written_is_not_shown() -> None:
    whole = "Our prices: [price list](file:prices.pdf), and ![plan](file:plan.png) the plan."
    for length in range(len(whole)):
        seen = shown(whole[:length], ())
        assert "](" not in seen
        assert "file:" not in seen
    assert shown("An array a[1] and more", ()) == "An array a[1] and more"


def test_choices_are_known_by_their_numbers() -> None:
    made = content("Which?", ("Red", "Green"), hosts=(), prompt="Please choose:")
    assert [(choice.id, choice.title) for choice in made.choices] == [("1", "Red"), ("2", "Green")]


# What the customer sees


def test_an_answer_of_the_faq_brings_its_file() -> None:
    room = room_with(Shelf("All prices are in our [price list](file:prices.pdf).", 1.0))
    room.model.up = False
    room.say("What does it cost?")
    room.run()
    (sent,) = room.channel.sent
    assert sent.text == "All prices are in our price list."
    assert sent.attachment is not None
    assert sent.attachment.name == "price list.pdf"
    assert sent.content == b"%PDF-1.7"


def test_an_answer_of_the_model_brings_its_picture_and_is_remembered_whole(room: Room) -> None:
    room.model.script("Here is the plan: ![plan](file:plan.png)")
    room.say("Where are you?")
    room.run()
    assert room.channel.sent[0].content == b"\x89PNG"
    room.say("Thanks")
    room.run()
    assert any("![plan](file:plan.png)" in each.content for each in room.model.asked[-1].messages)


def test_what_the_channel_cannot_send_is_named_instead(room: Room) -> None:
    room.model.script("[the tune](file:tune.mp3) [the film](https://cdn.example.com/film.mp4)")
    room.say("Play it")
    room.run()
    (sent,) = room.channel.sent
    assert sent.attachment is None
    assert "📎 the tune.mp3" in sent.text
    assert "📎 the film.mp4: https://cdn.example.com/film.mp4" in sent.text


def test_each_part_has_a_record_and_a_key_of_its_own(room: Room) -> None:
    room.model.script("x" * 900 + " ![a](file:plan.png) ![b](file:prices.pdf)")
    room.say("all of it")
    room.channel.outcomes.extend([Refused(reason="busy", action=Action.RETRY)])
    room.run()
    room.clock.advance(5)
    room.run()
    assert [bool(sent.attachment) for sent in room.channel.sent] == [False, False, True, True]
    assert len({sent.key for sent in room.channel.sent}) == 3
    assert room.idle()


def test_another_file_below_the_same_words_is_no_repetition(room: Room) -> None:
    for name, repeated in (("plan.png", False), ("prices.pdf", False), ("plan.png", True)):
        room.model.script(f"Here: ![it]({'file:' + name})")
        room.say("the file")
        room.run()
        assert room.channel.sent[-1].repeated is repeated, name


def test_a_file_that_is_gone_is_a_dead_letter_with_the_next_step(room: Room) -> None:
    room.model.script("![it](file:gone.png)")
    room.say("the file")
    room.run()
    assert room.parked() == ["refused_give_up"]
    assert "gone.png" in room.inbox.dead_letters()[0].detail


# Choices


@pytest.mark.parametrize(
    ("text", "title"),
    [("2", "Green"), (" 2. ", "Green"), ("２", "Green"), ("2)", "Green"), ("green", "Green"), ("1", "Red")],
)
def test_a_number_or_the_words_pick_a_choice(text: str, title: str) -> None:
    assert meant(text, ("Red", "Green")) == title


@pytest.mark.parametrize("text", ["3", "0", "2 of them", "12", "-1", "二", "2.5", "²", "", "greenish"])
def test_other_words_pick_none(text: str) -> None:
    assert meant(text, ("Red", "Green")) == text


def test_a_number_means_nothing_where_nothing_was_offered() -> None:
    assert meant("1", ()) == "1"


@pytest.mark.parametrize(("said", "acts"), [("1", 1), ("Yes", 1), ("2", 0), ("no", 0)])
def test_a_confirmation_is_offered_to_tap_and_understood_by_its_number(said: str, acts: int) -> None:
    with open_shop() as (opened, url):
        desk = Desk(url)
        desk.model.script(CANCEL)
        desk.say("Cancel order 1001")
        desk.run()
        assert [choice.title for choice in desk.channel.sent[-1].choices] == ["Yes", "No"]
        desk.say(said)
        desk.run()
        assert len(opened.acts) == acts


def test_choices_are_over_with_the_next_answer() -> None:
    with open_shop() as (opened, url):
        desk = Desk(url)
        desk.model.script(CANCEL)
        for text in ("Cancel order 1001", "What was that?", "1"):
            desk.say(text)
            desk.run()
        assert opened.acts == {}
        assert "1" in desk.asked()[-1]
