"""One prepared answer, and what can be wrong with it."""

from __future__ import annotations

import locale
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Rule", "RuleEntry", "RuleProblem", "remarks"]

_LONG_TEXT_CHARS = 1_200
# RFC 2606: these are never registered.
_STAND_IN = re.compile(r"\bexample\.(com|org|net)\b")


class RuleEntry(NamedTuple):
    """A text and the line of the file that it stands in."""

    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A prepared answer: ``text`` in Markdown, for questions like ``questions``.

    ``locale`` is a tag in lower case; ``routes`` is ``None`` for all of them; ``lines`` says where
    in its file each key stands, and ``text``.
    """

    name: str
    text: str
    questions: tuple[RuleEntry, ...] = ()
    keywords: tuple[RuleEntry, ...] = ()
    link: str | None = None
    link_label: str | None = None
    action: str | None = None
    locale: str = "en"
    routes: frozenset[str] | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    def serves(self, route: str) -> bool:
        """Whether it may be given on that route."""
        return self.routes is None or route in self.routes


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblem:
    """Something wrong with a file, where, and what to do. A ``warning`` does not keep it out."""

    file: str
    line: int
    what: str
    remedy: str
    warning: bool = False

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        return f"{self.file}:{self.line}: {kind}{self.what}, {self.remedy}"


def remarks(rule: Rule, file: str) -> Iterator[RuleProblem]:
    """What may be meant so, but is worth a look."""
    for line, what, remedy in _remarks(rule):
        yield RuleProblem(file=file, line=line, what=what, remedy=remedy, warning=True)


def _remarks(rule: Rule) -> Iterator[tuple[int, str, str]]:
    places = rule.lines
    if not rule.questions:
        yield 1, "has no questions", "add some as people would ask them"
    if len(rule.text) > _LONG_TEXT_CHARS:
        what = f"has an answer of {len(rule.text):,} characters, more than {_LONG_TEXT_CHARS:,}"
        yield places["text"], what, "shorten it and link to the rest"
    if rule.locale.partition("-")[0] not in _languages():
        what = f"is in no known language: {rule.locale}"
        yield places["locale"], what, "use its code, such as en, de or fr"
    for name, text in (("link", rule.link), ("text", rule.text)):
        if text and _STAND_IN.search(text):
            yield places[name], "leads to an address that is only an example", "put in your own"


def _languages() -> frozenset[str]:
    """Languages that this Python has heard of, among other names."""
    return frozenset(re.split(r"[_.@]", alias)[0] for alias in locale.locale_alias)
