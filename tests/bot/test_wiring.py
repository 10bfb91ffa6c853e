"""What the wiring decides by itself."""

from pathlib import Path

from bot.config import Assistant, load
from bot.wiring import load_knowledge

QUESTION = "How long does shipping take?"


def test_the_example_shop_knows_its_own_terms() -> None:
    assert load_knowledge(Assistant()).find(QUESTION)


def test_another_company_without_a_table_does_not_tell_the_example_shops_terms() -> None:
    assert not load_knowledge(Assistant(company_name="Acme")).find(QUESTION)


def test_a_companys_own_table_is_what_it_knows(tmp_path: Path) -> None:
    table = tmp_path / "faq.csv"
    table.write_text("question,answer\nHow long does shipping take?,A week.\n", "utf-8")
    found = load_knowledge(Assistant(company_name="Acme", faq=table)).find(QUESTION)
    assert [passage.answer for passage in found] == ["A week."]


def test_a_company_with_neither_model_nor_table_is_warned() -> None:
    config = load(None, platforms={}, env={"FRONTDESK__ASSISTANTS__DEFAULT__COMPANY_NAME": "Acme"})
    assert any(warning.startswith("assistants.default.faq") for warning in config.warnings)
