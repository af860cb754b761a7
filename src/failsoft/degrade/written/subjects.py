"""Which rule a question is about, by the words that they share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from failsoft.degrade.written.rule import Rule
from failsoft.degrade.written.vocabulary import Vocabulary

__all__ = ["Close", "Subjects"]

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
    question has. The second tells "how do I send it?" from "do I have to send it again?".
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
