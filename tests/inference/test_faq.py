"""Knowledge from a table: what is found, what is not, and what a bad table says."""

import csv
from pathlib import Path

import pytest

from inference.faq import CERTAIN, EXAMPLE, FLOOR, BadTable, Entry, Faq, NoKnowledge, read_table

QUESTIONS = list(csv.DictReader((Path(__file__).parent / "questions.csv").read_text("utf-8").splitlines()))
"""Paraphrases, with the beginning of the entry that they are about, and unrelated questions, with none."""


@pytest.fixture(scope="module")
def example() -> Faq:
    return Faq.load(EXAMPLE)


def precision_and_recall(faq: Faq, least: float) -> tuple[float, float]:
    answered = right = 0
    for row in QUESTIONS:
        found = faq.find(row["question"])
        if found and found[0].score >= least:
            answered += 1
            right += bool(row["about"]) and found[0].question.startswith(row["about"])
    return right / answered, right / sum(bool(row["about"]) for row in QUESTIONS)


def test_the_fixture_asks_about_real_entries(example: Faq) -> None:
    for row in QUESTIONS:
        assert any(entry.question.startswith(row["about"]) for entry in example.entries)
    assert sum(not row["about"] for row in QUESTIONS) >= 50


@pytest.mark.parametrize(("least", "precision", "recall"), [(FLOOR, 0.98, 0.90), (CERTAIN, 1.0, 0.80)])
def test_paraphrases_are_found_and_rarely_the_wrong_one(
    example: Faq, least: float, precision: float, recall: float
) -> None:
    reached = precision_and_recall(example, least)
    assert reached[0] >= precision
    assert reached[1] >= recall


@pytest.mark.parametrize("question", [row["question"] for row in QUESTIONS if not row["about"]])
def test_an_unrelated_question_finds_nothing(example: Faq, question: str) -> None:
    assert example.find(question) == []


def test_each_question_as_it_is_written_finds_its_own_answer(example: Faq) -> None:
    for entry in example.entries:
        best = example.find(entry.question)[0]
        assert best.answer == entry.answer
        assert best.score == pytest.approx(1.0)


def test_the_example_is_about_thirty_entries_in_two_languages(example: Faq) -> None:
    chinese = [entry for entry in example.entries if not entry.question.isascii()]
    assert len(example.entries) == 34
    assert len(chinese) == 17


def test_the_answer_is_in_the_language_of_the_question(example: Faq) -> None:
    assert not example.find("支持哪些付款方式")[0].answer.isascii()
    assert example.find("which payment methods do you accept")[0].answer.isascii()


def test_the_best_come_first_and_no_more_than_asked_for(example: Faq) -> None:
    found = example.find("return refund item delivery order", most=2)
    assert len(found) <= 2
    assert [passage.score for passage in found] == sorted((passage.score for passage in found), reverse=True)


@pytest.mark.parametrize("question", ["", "???", "😀", "   ", "\x00", "请问", "x" * 100_000, "退" * 100_000])
def test_odd_questions_find_nothing(example: Faq, question: str) -> None:
    assert example.find(question) == []


def test_a_table_of_one_entry_works() -> None:
    faq = Faq([Entry(question="Do you sell gift cards?", answer="Yes.")])
    assert faq.find("gift cards?")[0].answer == "Yes."
    assert faq.find("Are you selling gift cards these days?")
    assert faq.find("What is the weather like?") == []


def test_width_case_and_endings_do_not_matter() -> None:
    faq = Faq([Entry(question="How are refunds handled for VIP customers?", answer="Fast.")])
    assert faq.find("ＶＩＰ customer's refund handling")


def test_nothing_is_known_without_a_table() -> None:
    assert NoKnowledge().find("Where is my order?") == ()


def table(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "faq.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "question,answer\nWhere?,There.\n",
        "\ufeffquestion,answer\r\nWhere?,There.\r\n",
        "Answer , Question\nThere.,Where?\n",
        "id,question,answer\n7,Where?,There.\n\n,,\n",
    ],
)
def test_a_table_is_read_with_bom_other_columns_and_blank_lines(tmp_path: Path, content: str) -> None:
    assert read_table(table(tmp_path, content)) == [Entry(question="Where?", answer="There.")]


def test_a_cell_may_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    path = table(tmp_path, 'question,answer\n"Where, ""exactly""?","There,\nand here."\n')
    assert read_table(path) == [Entry(question='Where, "exactly"?', answer="There,\nand here.")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "holds no entry"),
        ("question,answer\n", "holds no entry"),
        ("q,a\nWhere?,There.\n", "line 1: the header has no column question and answer"),
        ("question\nWhere?\n", "line 1: the header has no column answer"),
        ("question,answer\nWhere?,\n", "line 2: the answer is empty"),
        ('question,answer\n"A\nB?",x\n,There.\n', "line 4: the question is empty"),
        ("question,answer\nWhere?,Here, there.\n", "line 2: more cells than the header has columns"),
        ('question,answer\nWhere?,"There.\n', "line 2: unexpected end of data"),
        ("question,answer\n?!,There.\n", "line 2: the question has no word"),
        ("question,answer\nWhere?,A\nWhere?,B\n", "“Where?” is there 2 times"),
        (b"question,answer\n" + "运费？,八元\n".encode("gbk"), "line 2: not UTF-8"),
    ],
)
def test_a_bad_table_names_file_line_and_problem(tmp_path: Path, content: str | bytes, problem: str) -> None:
    path = table(tmp_path, content)
    with pytest.raises(BadTable) as caught:
        Faq.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


def test_all_problems_of_a_table_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadTable) as caught:
        Faq.load(table(tmp_path, "question,answer\n,x\nWhere?,\n"))
    assert len(caught.value.problems) == 2


def test_a_missing_table_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="No such file"):
        Faq.load(tmp_path / "faq.csv")
