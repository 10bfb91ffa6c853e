"""Knowledge from a table of questions and answers.

A CSV file in UTF-8 with the columns `question` and `answer`. A question cell may hold several wordings, each ended
by its question mark; each is matched on its own. The score is the share of what the customer's question and the
stored one have in common (Dice's coefficient over terms, a rare term counting more): 1 is the same question. It is
made for precision: a wrong answer costs more than none. Measured on the shipped example with 72 paraphrases and 51
unrelated questions (tests/inference/questions.csv): at FLOOR 1.00 precise at 0.97 recall, at CERTAIN 1.00 at 0.93.
"""

import csv
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

from inference.terms import terms
from inference.values import Passage

FLOOR = 0.35
"""Below this, nothing is found: unrelated questions stay below it."""
CERTAIN = 0.45
"""From here on an entry may be sent to a customer as it is, without a model that reads it first."""

EXAMPLE = Path(__file__).parent / "data" / "example_faq.csv"
"""The example shop's, in Chinese and English."""

_WORDINGS = re.compile(r"(?<=[？?])\s*|\s*\n\s*")
_SMALLEST = 20  # so that in a table of three entries an unknown word does not outweigh all known ones


class BadTable(ValueError):
    """A question table cannot be used. The text names the file, and each problem with its line."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row."""

    question: str
    answer: str


class Faq:
    """A :class:`~inference.values.Knowledge` over rows of questions and answers. Immutable, so thread-safe."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._wordings = [(entry, words) for entry in self.entries for words in _wordings(entry)]
        self._weights = _weights(self.entries)
        self._unknown = self._weight_of(0)
        self._sums = [self._sum(words) for _, words in self._wordings]
        self._holding: dict[str, list[int]] = defaultdict(list)
        for index, (_, words) in enumerate(self._wordings):
            for term in words:
                self._holding[term].append(index)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a CSV file. Raises :class:`BadTable` with every problem at once."""
        return cls(read_table(path))

    def find(self, question: str, *, most: int = 3) -> Sequence[Passage]:
        asked = terms(question)
        total = self._sum(asked)
        shared: dict[int, float] = defaultdict(float)
        for term in asked:
            for index in self._holding.get(term, ()):
                shared[index] += self._weights.get(term, self._unknown)
        best: dict[Entry, float] = {}
        for index, weight in shared.items():
            entry, score = self._wordings[index][0], 2 * weight / (total + self._sums[index])
            if score >= FLOOR:
                best[entry] = max(score, best.get(entry, 0.0))
        ranked = sorted(best.items(), key=lambda item: -item[1])[:most]
        return [Passage(question=e.question, answer=e.answer, score=min(score, 1.0)) for e, score in ranked]

    def _sum(self, words: frozenset[str]) -> float:
        return sum(self._weights.get(term, self._unknown) for term in words)

    def _weight_of(self, holders: int) -> float:
        return _rarity(holders, len(self.entries))


class NoKnowledge:
    """Knows nothing: for an assistant without a table."""

    def find(self, question: str, *, most: int = 3) -> Sequence[Passage]:
        return ()


def _wordings(entry: Entry) -> Iterator[frozenset[str]]:
    """The whole cell, and each wording in it."""
    cells = {entry.question, *_WORDINGS.split(entry.question)}
    yield from {words for cell in cells if (words := terms(cell))}


def _weights(entries: Sequence[Entry]) -> dict[str, float]:
    holders = Counter(chain.from_iterable(terms(entry.question) | terms(entry.answer) for entry in entries))
    return {term: _rarity(count, len(entries)) for term, count in holders.items()}


def _rarity(holders: int, entries: int) -> float:
    """BM25's inverse document frequency."""
    return math.log(1 + (max(entries, _SMALLEST, holders) - holders + 0.5) / (holders + 0.5))


def read_table(path: Path) -> list[Entry]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadTable(path, [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadTable(path, [f"line {line}: not UTF-8; in Excel, save it as “CSV UTF-8”"]) from None
    entries: list[Entry] = []
    problems: list[str] = []
    for line, row in _rows(path, text):
        problem = _problem(row)
        if problem:
            problems.append(f"line {line}: {problem}")
        else:
            entries.append(Entry(question=row["question"].strip(), answer=row["answer"].strip()))
    problems += _repeated(entries)
    if not problems and not entries:
        problems.append("holds no entry")
    if problems:
        raise BadTable(path, problems)
    return entries


def _rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row that is not blank, with the line that it begins at."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    header: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            if header is None:
                header = [cell.strip().casefold() for cell in cells]
                missing = {"question", "answer"} - set(header)
                if missing:
                    wanted = " and ".join(sorted(missing, reverse=True))
                    raise BadTable(path, [f"line {begins}: the header has no column {wanted}"])
            elif any(cell.strip() for cell in cells):
                yield begins, dict(zip(header, cells, strict=False)) | {"": str(len(cells) - len(header))}
            begins = reader.line_num + 1
    except csv.Error as error:
        raise BadTable(path, [f"line {begins}: {error}; is a quotation mark not closed?"]) from None


def _problem(row: dict[str, str]) -> str:
    if int(row[""]) > 0:
        return "more cells than the header has columns; put text that holds a comma in quotation marks"
    for column in ("question", "answer"):
        if not row.get(column, "").strip():
            return f"the {column} is empty"
    if not terms(row["question"]):
        return "the question has no word that could be matched"
    return ""


def _repeated(entries: Sequence[Entry]) -> list[str]:
    counted = Counter(entry.question for entry in entries)
    return [f"the question “{question[:40]}” is there {n} times" for question, n in counted.items() if n > 1]
