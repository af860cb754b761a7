"""Finds the one rule that answers a question: by its wording, its meaning or its subject.

The subject is found by the words that question and rule share, the meaning by the embedder, which
needs numpy.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from failsoft.ladder.paraphrase.same_question import difference, normalized
from failsoft.ladder.rules.rule import Rule
from failsoft.ladder.rules.vocabulary import Vocabulary
from failsoft.notices.catalogue import nearest

if TYPE_CHECKING:
    from failsoft.ladder.embedder import Embedder

__all__ = ["Close", "Example", "Found", "Meanings", "RuleIndex", "Shelves", "Subjects"]


# Chosen on the starter rules: unseen wordings score above, other questions of the trade below.
_ENOUGH = 0.65
_CLEAR = 1.15
_LEAST_WORDS = 2


@dataclass(frozen=True, slots=True)
class Close:
    """A rule, how much of its subject is that of the question (up to 1), its closest examples."""

    rule: Rule
    score: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Subject:
    rule: Rule
    examples: tuple[tuple[str, frozenset[str]], ...]
    keywords: Mapping[frozenset[str], tuple[str, ...]]
    words: frozenset[str]


class Subjects:
    """What each rule of a shelf is about.

    A word weighs more the fewer rules have it (the inverse document frequency of BM25; its other
    half, for long texts, has nothing to do here). The score is the geometric mean of two shares by
    weight: how much of the question the rule covers, and how much of the rule's closest example the
    question has. The second separates "how do I send it?" from "do I have to send it again?".
    """

    def __init__(self, rules: Sequence[Rule], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._subjects = [_subject(rule, vocabulary) for rule in rules]
        found = Counter(word for subject in self._subjects for word in subject.words)
        self._weights = {word: _rarity(count, len(rules)) for word, count in found.items()}
        self._unknown = _rarity(1, len(rules))

    def closest(self, question: str, locale: str, route: str) -> list[Close]:
        """The rules that score enough and are not far behind the best, which comes first."""
        asked = self._vocabulary.content(question, locale)
        weight = self._weight(asked)
        scored = [
            close
            for subject in self._subjects
            if subject.rule.serves(route) and (close := self._close(asked, weight, subject))
        ]
        scored.sort(key=lambda close: -close.score)  # keeps the order of equals
        return [close for close in scored if close.score * _CLEAR >= scored[0].score]

    def _close(self, asked: frozenset[str], weight: float, subject: _Subject) -> Close | None:
        if asked in subject.keywords:
            return Close(subject.rule, 1.0, subject.keywords[asked])
        shared = asked & subject.words
        if len(shared) < _LEAST_WORDS:
            return None
        covered = self._weight(shared) / weight
        if covered < _ENOUGH**2:  # whatever the example, the mean is too small
            return None
        had, texts = self._closest_examples(asked, subject)
        score = math.sqrt(covered * had)
        return Close(subject.rule, score, texts) if score >= _ENOUGH else None

    def _closest_examples(
        self, asked: frozenset[str], subject: _Subject
    ) -> tuple[float, tuple[str, ...]]:
        """The largest share of an example that the question has, and the examples it is of."""
        shares = [
            (self._weight(asked & words) / self._weight(words), text)
            for text, words in subject.examples
        ]
        most = max((share for share, _ in shares), default=0.0)
        return most, tuple(text for share, text in shares if share == most)

    def _weight(self, words: Iterable[str]) -> float:
        """Rounded once, so that equal sets weigh the same in any order."""
        return math.fsum(self._weights.get(word, self._unknown) for word in words)


def _rarity(count: int, total: int) -> float:
    return math.log(1 + (total - count + 0.5) / (count + 0.5))


def _subject(rule: Rule, vocabulary: Vocabulary) -> _Subject:
    questions, keywords = (
        [(text, vocabulary.content(text, rule.locale)) for text, _ in entries]
        for entries in (rule.questions, rule.keywords)
    )
    phrases = (*questions, *keywords)
    return _Subject(
        rule=rule,
        examples=tuple(each for each in phrases if len(each[1]) >= _LEAST_WORDS),
        keywords={
            words: tuple(text for text, same in phrases if same == words)
            for _, words in keywords
            if words
        },
        words=frozenset[str]().union(*(words for _, words in phrases)),
    )


# Each is compared by the guards, at 0.1 to 0.4 milliseconds.
_MOST = 2

Example = tuple[Rule, str]


class Meanings:
    """The examples of a shelf as one matrix of unit vectors."""

    def __init__(self, embedder: Embedder, examples: Sequence[Example]) -> None:
        import numpy as np  # noqa: PLC0415 - comes with the extra "cache"

        self._embedder = embedder
        self._examples = examples
        empty = np.empty((0, embedder.dimensions), np.float32)
        vectors = [embedder.embed(text) for _, text in examples]
        self._matrix = np.stack(vectors) if vectors else empty

    def alike(self, question: str) -> Iterator[tuple[Example, float]]:
        """The few examples that the embedder finds alike, most alike first."""
        # JSON can carry half a character, which no tokenizer takes.
        whole = question.encode(errors="replace").decode()
        similarities = self._matrix @ self._embedder.embed(whole)
        for place in (-similarities).argsort(kind="stable")[:_MOST]:
            if similarities[place] >= self._embedder.threshold:
                yield self._examples[place], float(similarities[place])


# A prepared answer is for a question, not for a page of text.
_LONGEST_QUESTION = 1_000
# What makes another question of the same words. Other words for the same thing do not.
_TELLING = frozenset(
    ("number", "negation", "opposite", "date", "unit", "currency", "name", "quantity")
)


class Found(NamedTuple):
    """A rule, how well it fits (at most 1), and by what."""

    rule: Rule
    score: float
    how: Literal["exact", "semantic", "text"]


class RuleIndex:
    """The rules that a person of one locale can be given, more local ones first."""

    def __init__(
        self, rules: Sequence[Rule], *, vocabulary: Vocabulary, embedder: Embedder | None
    ) -> None:
        examples = [(rule, text) for rule in rules for text, _ in rule.questions]
        self._claims: dict[str, list[Rule]] = {}
        for rule, text in examples:
            self._claims.setdefault(normalized(text), []).append(rule)
        self._meanings = None if embedder is None else Meanings(embedder, examples)
        self._subjects = Subjects(rules, vocabulary)
        self._locale = rules[0].locale

    def find(self, question: str, route: str) -> Found | None:
        """The rule that answers this, ``None`` where none clearly does."""
        if len(question) > _LONGEST_QUESTION:
            return None
        return (
            self._by_wording(question, route)
            or self._by_meaning(question, route)
            or self._by_subject(question, route)
        )

    def claimants(self, question: str) -> list[Rule]:
        """The rules that have this question among their own."""
        return self._claims.get(normalized(question), [])

    def closest(self, question: str, route: str) -> list[Close]:
        """The rules whose subject this is, as far as they are close to the best."""
        return self._subjects.closest(question, self._locale, route)

    def _by_wording(self, question: str, route: str) -> Found | None:
        rules = (rule for rule in self.claimants(question) if rule.serves(route))
        return next((Found(rule, 1.0, "exact") for rule in rules), None)

    def _by_meaning(self, question: str, route: str) -> Found | None:
        for (rule, text), similarity in self._meanings.alike(question) if self._meanings else ():
            if rule.serves(route) and not difference(question, text, locale=rule.locale):
                return Found(rule, min(1.0, similarity), "semantic")
        return None

    def _by_subject(self, question: str, route: str) -> Found | None:
        close = self.closest(question, route)
        most_local = max((len(each.rule.locale) for each in close), default=0)
        own = [each for each in close if len(each.rule.locale) == most_local]
        if len(own) == 1 and _asks_the_same(question, own[0]):
            return Found(own[0].rule, own[0].score, "text")
        return None


class Shelves:
    """Rules that do not change any more, by locale. Safe under threads."""

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        vocabulary: Vocabulary,
        embedder: Embedder | None = None,
    ) -> None:
        all_rules = list(rules)
        self._shelves = {
            tag: RuleIndex(_within(tag, all_rules), vocabulary=vocabulary, embedder=embedder)
            for tag in {rule.locale for rule in all_rules}
        }

    def shelf(self, locale: str) -> RuleIndex | None:
        """What there is for a locale: ``de-AT`` has its own rules and those for ``de``."""
        tag = nearest(locale, self._shelves)
        return None if tag is None else self._shelves[tag]


def _within(tag: str, rules: Iterable[Rule]) -> list[Rule]:
    wide = [rule for rule in rules if f"{tag}-".startswith(f"{rule.locale}-")]
    return sorted(wide, key=lambda rule: (-len(rule.locale), rule.name))


def _asks_the_same(question: str, close: Close) -> bool:
    """Whether one of the closest examples asks it; a rule of mere keywords has none to compare."""
    locale = close.rule.locale
    found = {difference(question, text, locale=locale) for text in close.examples}
    return not found or bool(found - _TELLING)
