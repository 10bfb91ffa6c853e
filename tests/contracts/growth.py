"""The contract of answers that grow. An implementation inherits the class and gives `growth` and `other`, another
process's."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from adapters.growth import Growth


class GrowthContract:
    @pytest.fixture
    def growth(self) -> Growth:
        raise NotImplementedError("the implementation's own fixture")

    @pytest.fixture
    def other(self, growth: Growth) -> Growth:
        return growth

    def test_what_was_not_opened_cannot_be_read_or_grow(self, growth: Growth) -> None:
        assert growth.read("s1") is None
        assert growth.grow("s1", "hello") is False
        assert growth.read("s1") is None

    def test_an_answer_is_opened_with_a_text(self, growth: Growth, other: Growth) -> None:
        opened = growth.open("s1", "one moment")
        assert (opened.text, opened.finished) == ("one moment", False)
        assert other.read("s1") == opened

    def test_an_answer_may_be_opened_empty(self, growth: Growth) -> None:
        assert growth.open("s1").text == ""

    def test_the_time_is_aware(self, growth: Growth) -> None:
        assert growth.open("s1").opened_at.utcoffset() == timedelta()

    def test_opening_again_gives_what_is_there(self, growth: Growth, other: Growth) -> None:
        opened = growth.open("s1")
        growth.grow("s1", "hello")
        again = other.open("s1", "one moment")
        assert (again.text, again.opened_at) == ("hello", opened.opened_at)

    def test_a_finished_answer_that_is_opened_again_stays_finished(self, growth: Growth) -> None:
        growth.open("s1")
        growth.grow("s1", "hello", finished=True)
        again = growth.open("s1", "one moment")
        assert (again.text, again.finished) == ("hello", True)

    def test_an_answer_grows_by_whole_texts(self, growth: Growth, other: Growth) -> None:
        opened = growth.open("s1")
        for text in ("h", "hello", "hel"):
            assert growth.grow("s1", text)
            found = other.read("s1")
            assert found is not None
            assert (found.text, found.finished, found.opened_at) == (text, False, opened.opened_at)

    def test_who_finishes_first_has_finished_it_for_all(self, growth: Growth, other: Growth) -> None:
        growth.open("s1")
        assert growth.grow("s1", "the worker's", finished=True) is True
        assert other.grow("s1", "the web process's", finished=True) is False
        assert other.grow("s1", "more") is False
        found = other.read("s1")
        assert found is not None
        assert (found.text, found.finished) == ("the worker's", True)

    def test_of_many_who_finish_at_once_one_does(self, growth: Growth, other: Growth) -> None:
        growth.open("s1")
        handles = [growth, other] * 8

        def finish(number: int) -> bool:
            return handles[number].grow("s1", str(number), finished=True)

        with ThreadPoolExecutor(16) as pool:
            done = list(pool.map(finish, range(16)))
        assert done.count(True) == 1
        found = growth.read("s1")
        assert found is not None
        assert found.text == str(done.index(True))

    @pytest.mark.parametrize("text", ["", "你好 👩‍👩‍👧\r\n\0", "half a character \ud800", "x" * 20_480])
    def test_a_text_comes_back_as_it_was(self, growth: Growth, text: str) -> None:
        growth.open("s1", text)
        growth.grow("s1", text, finished=True)
        found = growth.read("s1")
        assert found is not None
        assert found.text == text

    @pytest.mark.parametrize("name", ["s1:2", "s1*", "{s1}", "流 1"])
    def test_names_do_not_mix(self, growth: Growth, name: str) -> None:
        growth.open(name, "mine")
        assert growth.read("s1") is None
        assert growth.grow(name, "more")
