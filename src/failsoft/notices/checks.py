"""Checks every notice in every language, reading grade included: ``failsoft notices check``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from failsoft.notices.catalogue import Catalogue
from failsoft.notices.jargon import still_trying, unfit_words
from failsoft.notices.locale_file import (
    FACTS,
    LocaleEntry,
    LocaleFile,
    bundled_layers,
    placeholders,
)

__all__ = ["NoticeProblem", "check", "load_grader"]


def load_grader() -> Callable[[str], float] | None:
    """The Flesch-Kincaid grade of a text, by textstat; ``None`` where that is not installed.

    It reads its word list (1 s, once) from its own package, never from the network.
    """
    try:
        textstat = import_module("textstat")
    except ImportError:
        return None
    grade: Callable[[str], float] = textstat.flesch_kincaid_grade
    return grade


_BODY_LIMIT = 200
_GRADE_LIMIT = 8.0
# Of each unit the longest number, one step less than where the next unit takes over, and numbers
# of every plural form: "واحدة" is longer than "119".
_LONG_WAITS = (0, 119, 119 * 60, 47 * 3600, 99 * 86_400)
_WAITS = (*_LONG_WAITS, *(n * size for size in (1, 60, 3600, 86_400) for n in (1, 2, 3, 11)))
_AGES = ("none", "recent", "past", "unknown")
_QUESTIONS = {
    "title": "in a few words what this is",
    "happened": "what happened",
    "you": "whether it is the person's fault or they need to act",
    "next": "what to do now",
    "action_label": "what its button does",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeProblem:
    """Something wrong with a text, where it stands and what to do about it.

    ``skipped`` marks a check that could not be made here; the text may be right.
    """

    locale: str
    key: str
    field: str
    what: str
    remedy: str
    skipped: bool = False

    def __str__(self) -> str:
        place = ".".join(part for part in (self.key, self.field) if part)
        return f"{self.locale}: {place}: {self.what}; {self.remedy}"


_UNMEASURED = NoticeProblem(
    locale="en",
    key="",
    field="body",
    what="the reading grade was not measured",
    remedy="install what measures it: pip install 'failsoft[notices]'",
    skipped=True,
)


def check(catalogue: Catalogue) -> list[NoticeProblem]:
    """Every problem of every language; empty when the texts are fit to be read by anybody."""
    languages = [catalogue.language(tag) for tag in catalogue.locales]
    english, shipped = catalogue.language("en"), Catalogue.load().language("en")
    problems = [
        problem
        for language in languages
        for problem in (
            *_missing_and_extra(language),
            *_left_in_english(language, english),
            *_other_placeholders(language, english, shipped),
            *_unfit(language),
            *_unanswered(language),
            *_too_long(language),
            *_untrue(language),
        )
    ]
    return [*problems, *_hard_to_read([each for each in languages if each.english])]


def _missing_and_extra(language: LocaleFile) -> Iterator[NoticeProblem]:
    bundled = _paths(bundled_layers()["en"].tree)
    words = {path for path in bundled if path.rpartition(".")[2] not in (*FACTS, "link")}
    own = _paths(language.own)
    for path in sorted(words - own):
        yield _at(language, path, "is missing", "write it in this language")
    for path in sorted(own - (bundled if language.english else words)):
        fact = path in bundled
        what = "is a fact that en.toml states for all" if fact else "is not a key that is used"
        yield _at(language, path, what, "remove it" if fact else "correct its name or remove it")


def _left_in_english(language: LocaleFile, english: LocaleFile) -> Iterator[NoticeProblem]:
    if language.english:
        return
    written, original = _leaves(language.own), _leaves(english.own)
    for path in sorted(written.keys() & original.keys()):
        # A unit may well be the same word: "minutes" is French, too.
        sentence = path.rpartition(".")[2] in (*_QUESTIONS, "text")
        if sentence and written[path] == original[path]:
            yield _at(language, path, "is the English text", "write it in this language")


def _other_placeholders(
    language: LocaleFile, english: LocaleFile, shipped: LocaleFile
) -> Iterator[NoticeProblem]:
    texts, expected, usual = _texts(language), _texts(english), _texts(shipped)
    for place in texts.keys() & expected.keys():
        found, wanted = placeholders(texts[place]), placeholders(expected[place])
        if found == placeholders(usual.get(place, "")):
            continue  # who changes the English words need not change those of every language
        for name in sorted(found - wanted):
            yield _problem(language, place, f"has {{{name}}}, which English has not", "take it out")
        for name in sorted(wanted - found):
            yield _problem(language, place, f"lacks {{{name}}}, which English has", "put it in")


def _unfit(language: LocaleFile) -> Iterator[NoticeProblem]:
    labels = {(key, "action_label"): e.action_label for key, e in language.entries.items()}
    for place, text in {**_texts(language), **labels}.items():
        for kind, words in dict.fromkeys(unfit_words(text, language=language.mother)):
            yield _problem(language, place, f"has {kind}: {words!r}", "say it in everyday words")


def _unanswered(language: LocaleFile) -> Iterator[NoticeProblem]:
    for key, entry in language.entries.items():
        for field, question in _QUESTIONS.items():
            if not str(getattr(entry, field)).strip():
                yield _problem(language, (key, field), f"does not say {question}", "write it")


def _too_long(language: LocaleFile) -> Iterator[NoticeProblem]:
    for key in language.entries:
        length = max(map(len, _bodies(language, key, _WAITS)))
        if length > _BODY_LIMIT:
            what = f"can be {length} characters long, more than {_BODY_LIMIT}"
            yield _problem(language, (key, "body"), what, "shorten it")


def _untrue(language: LocaleFile) -> Iterator[NoticeProblem]:
    for key, entry in language.entries.items():
        found = still_trying(_body(entry), language=language.mother)
        if found and key.endswith(".given_up"):
            what = f"says {found!r} when nothing is being tried"
            yield _problem(language, (key, "body"), what, "say what the person can do")


def _hard_to_read(languages: list[LocaleFile]) -> Iterator[NoticeProblem]:
    grade = load_grader()
    if grade is None:
        yield _UNMEASURED
        return
    for language in languages:
        for key in language.entries:
            found = max(map(grade, _bodies(language, key, _LONG_WAITS)))
            if found > _GRADE_LIMIT:
                what = f"has reading grade {found:.1f}, above {_GRADE_LIMIT:g}"
                yield _problem(language, (key, "body"), what, "use shorter sentences and words")


def _bodies(language: LocaleFile, key: str, waits: tuple[int, ...]) -> list[str]:
    return [
        language.notice(key, reference="", seconds=wait, age_seconds=wait).body for wait in waits
    ]


def _body(entry: LocaleEntry) -> str:
    return f"{entry.happened} {entry.you} {entry.next}"


def _texts(language: LocaleFile) -> dict[tuple[str, str], str]:
    """Every text by its place. A body is one: languages share out its parts differently."""
    entries = language.entries.items()
    return {
        **{(key, "title"): entry.title for key, entry in entries},
        **{(key, "body"): _body(entry) for key, entry in entries},
        **{("durations", name): getattr(language.durations, name) for name in _AGES},
        **{(f"actions.{name}", "text"): each.text for name, each in language.suggestions.items()},
    }


def _paths(tree: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Every key with the tables it is in; plural forms differ by language, so a unit is one key."""
    paths: set[str] = set()
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and not path.startswith("durations."):
            paths |= _paths(value, f"{path}.")
        elif path != "durations.plurals":
            paths.add(path)
    return paths


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        leaves |= _leaves(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return leaves


def _at(language: LocaleFile, path: str, what: str, remedy: str) -> NoticeProblem:
    key, _, field = path.rpartition(".")
    return _problem(language, (key.removeprefix("notices."), field), what, remedy)


def _problem(language: LocaleFile, place: tuple[str, str], what: str, remedy: str) -> NoticeProblem:
    key, field = place
    return NoticeProblem(locale=language.tag, key=key, field=field, what=what, remedy=remedy)
