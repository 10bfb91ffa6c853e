"""The contract of aliases. An implementation inherits the class and gives `aliases`, and `other`: another process's
handle on the same ones."""

import pytest

from adapters.aliases import Aliases


class AliasesContract:
    @pytest.fixture
    def aliases(self) -> Aliases:
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def other(self, aliases: Aliases) -> Aliases:
        return aliases

    def test_what_was_never_learned_means_nobody(self, aliases: Aliases) -> None:
        assert aliases.find("shop:1") == ""

    def test_what_one_process_learned_all_know(self, aliases: Aliases, other: Aliases) -> None:
        aliases.learn("shop:447700900123", "GB.1")
        assert other.find("shop:447700900123") == "GB.1"
        assert other.find("shop:447700900124") == ""

    def test_the_newest_word_counts(self, aliases: Aliases, other: Aliases) -> None:
        aliases.learn("shop:1", "GB.1")
        other.learn("shop:1", "GB.2")
        assert aliases.find("shop:1") == "GB.2"

    @pytest.mark.parametrize("alias", ["shop:*", "店 {1}", "a%3Ab", "a b"])
    def test_an_alias_may_hold_anything(self, aliases: Aliases, alias: str) -> None:
        aliases.learn(alias, "名 字")
        assert aliases.find(alias) == "名 字"
