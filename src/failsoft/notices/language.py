"""The words of one language, read from its tables and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast, get_args

from failsoft.notices.durations import DurationWords, read_durations, whole_seconds
from failsoft.notices.layers import Layer, overlay
from failsoft.notices.notice import ActionType, Notice, Severity
from failsoft.notices.section import Section, fill

__all__ = ["FACTS", "Entry", "Language", "Suggestion", "read_languages"]

FACTS = ("action", "countdown_seconds", "status_link", "severity", "suggest")
_LINKS = ("help", "status_page", "history")
_ENGLISH = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One notice as it is written; the body's three parts answer the three questions."""

    title: str
    happened: str
    you: str
    next: str
    action_label: str
    action: ActionType
    countdown_seconds: int | None
    status_link: bool
    severity: Severity
    suggest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something to do next; one with a ``link`` needs a deployment that has that link."""

    text: str
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """All words of a language. ``own`` is what its own files say, without what English lends."""

    tag: str
    name: str
    sentence_space: str
    entries: Mapping[str, Entry]
    suggestions: Mapping[str, Suggestion]
    durations: DurationWords
    own: Mapping[str, Any]

    @property
    def mother(self) -> str:
        """The language without its region: ``es`` for ``es-mx``."""
        return self.tag.partition("-")[0]

    @property
    def english(self) -> bool:
        """Whether this is English, of whatever region."""
        return self.mother == _ENGLISH

    def notice(
        self, key: str, *, reference: str, seconds: float | None, age_seconds: float | None
    ) -> Notice:
        """The notice of that key; see :meth:`failsoft.notices.catalogue.Catalogue.notice`."""
        entry = self.entries[key]
        values = self._values(entry, seconds, age_seconds)
        body = self.sentence_space.join((entry.happened, entry.you, entry.next))
        return Notice(
            title=fill(entry.title, **values),
            body=fill(body, **values),
            primary_action_label=fill(entry.action_label, **values),
            primary_action_type=entry.action,
            retry_countdown_seconds=_countdown(entry, seconds),
            show_status_page_link=entry.status_link,
            severity=entry.severity,
            reference=reference,
            locale=self.tag,
        )

    def actions(
        self, key: str, *, seconds: float | None, links: Collection[str]
    ) -> tuple[str, ...]:
        """What to suggest with the notice of that key."""
        entry = self.entries[key]
        values = self._values(entry, seconds, None)
        offered = (self.suggestions[name] for name in entry.suggest)
        return tuple(fill(s.text, **values) for s in offered if s.link is None or s.link in links)

    def _values(
        self, entry: Entry, seconds: float | None, age_seconds: float | None
    ) -> dict[str, str]:
        wait = self.durations.wait(_countdown(entry, seconds))
        return {"time": wait, "age": self.durations.age(age_seconds)}


def read_languages(
    layers: Mapping[str, Layer], overrides: Mapping[str, Layer]
) -> dict[str, Language]:
    """Every language of two folders by tag, the second laid over the first.

    A regional language stands on its mother language, and each on English, so that a missing text
    is shown in English rather than not at all. Raises NoticeFileError naming file, key and remedy.
    """
    keys = _notice_keys(layers[_ENGLISH].tree["notices"])
    languages: dict[str, Language] = {}
    trees: dict[str, dict[str, Any]] = {"": {}}
    # English first, mother languages before regional ones: an error is then the file's that has it.
    for tag in sorted({*layers, *overrides}, key=lambda tag: (tag != _ENGLISH, len(tag), tag)):
        found = [folder[tag] for folder in (layers, overrides) if tag in folder]
        mother = tag.partition("-")[0]
        own: Mapping[str, Any] = languages[mother].own if mother in languages else {}
        for layer in found:
            own = overlay(own, layer.tree)
        parent = next(p for p in (mother, _ENGLISH, "") if p in trees)
        trees[tag] = _stand_on(trees[parent], own)
        languages[tag] = _read_language(tag, Section(found[-1].file, "", trees[tag]), keys, own)
    return languages


def _stand_on(parent: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    tree = overlay(parent, own)
    if "durations" in own:
        # Plural forms are a language's own: another's forms mixed in would be wrong numbers.
        tree["durations"] = own["durations"]
    return tree


def _read_language(
    tag: str, root: Section, keys: Collection[tuple[str, ...]], own: Mapping[str, Any]
) -> Language:
    about = root.section("language")
    actions = root.section("actions").sections()
    suggestions = {name: _read_suggestion(each) for name, each in actions.items()}
    notices = root.section("notices")
    return Language(
        tag=tag,
        name=about.text("name"),
        sentence_space=about.text("sentence_space"),
        entries={
            ".".join(key): _read_entry(reduce(Section.section, key, notices), suggestions)
            for key in keys
        },
        suggestions=suggestions,
        durations=read_durations(root.section("durations")),
        own=own,
    )


def _notice_keys(notices: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Where each notice stands: a table that holds only tables is a group of them."""
    keys: list[tuple[str, ...]] = []
    for name, table in notices.items():
        group = all(isinstance(value, dict) for value in table.values())
        keys += [(name, each) for each in table] if group else [(name,)]
    return keys


def _read_entry(section: Section, suggestions: Mapping[str, Suggestion]) -> Entry:
    words = {
        name: section.text(name, "time", "age")
        for name in ("title", "happened", "you", "next", "action_label")
    }
    return Entry(
        **words,
        action=cast("ActionType", section.choice("action", get_args(ActionType))),
        countdown_seconds=section.whole("countdown_seconds"),
        status_link=section.flag("status_link"),
        severity=cast("Severity", section.choice("severity", get_args(Severity))),
        suggest=section.names("suggest", suggestions),
    )


def _read_suggestion(section: Section) -> Suggestion:
    link = section.choice("link", _LINKS) if "link" in section.table else None
    return Suggestion(section.text("text", "time"), link)


def _countdown(entry: Entry, seconds: float | None) -> int | None:
    if entry.countdown_seconds is None:
        return None
    known = whole_seconds(seconds)
    return entry.countdown_seconds if known is None else known
