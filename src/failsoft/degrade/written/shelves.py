"""Finds the one rule that answers a question: by its wording, its meaning or its subject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from failsoft.degrade.same import difference, normalized
from failsoft.degrade.written.meanings import Meanings
from failsoft.degrade.written.rule import Rule
from failsoft.degrade.written.subjects import Close, Subjects
from failsoft.degrade.written.vocabulary import Vocabulary
from failsoft.notices.negotiate import nearest

if TYPE_CHECKING:
    from failsoft.degrade.embedder import Embedder

__all__ = ["Found", "Shelf", "Shelves"]

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


class Shelf:
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
            tag: Shelf(_within(tag, all_rules), vocabulary=vocabulary, embedder=embedder)
            for tag in {rule.locale for rule in all_rules}
        }

    def shelf(self, locale: str) -> Shelf | None:
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
