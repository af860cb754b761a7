"""Reads the texts of one language from its TOML tables and checks them.

Folders are found, parsed and laid over one another; errors name the file, the key and the remedy.
Waits and ages are written with the plural forms that the file gives.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal, cast, get_args

from failsoft.errors import NoticeFileError
from failsoft.notices.notice import ActionType, Notice, Severity

__all__ = [
    "FACTS",
    "DurationWords",
    "Layer",
    "LocaleEntry",
    "LocaleFile",
    "LocaleSection",
    "Plural",
    "Suggestion",
    "bundled_layers",
    "direction",
    "fill",
    "overlay",
    "placeholders",
    "read_durations",
    "read_languages",
    "read_layers",
    "whole_seconds",
]


_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file says: ``file`` is its name for messages, ``tree`` its tables."""

    file: str
    tree: Mapping[str, Any]


@cache
def bundled_layers() -> Mapping[str, Layer]:
    """The languages that come with failsoft, by tag; read once, as they do not change."""
    return read_layers(resources.files("failsoft.notices") / "locales")


def read_layers(folder: Traversable) -> dict[str, Layer]:
    """Every ``<locale>.toml`` of a folder, by tag in lower case.

    Raises :class:`~failsoft.errors.NoticeFileError` naming the file and what to do.
    """
    try:
        files = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    except OSError as error:
        raise NoticeFileError(
            f"{folder}: cannot be read ({error.strerror}); make it a folder of <locale>.toml files"
        ) from error
    return {_tag(file): Layer(str(file), _parse(file)) for file in sorted(files, key=str)}


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``below`` with every key that ``above`` has, table by table."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            merged[key] = overlay(under, value)
        else:
            merged[key] = value
    return merged


def _tag(file: Traversable) -> str:
    tag = file.name.removesuffix(".toml").lower()
    if not _TAG.fullmatch(tag):
        raise NoticeFileError(
            f"{file}: is not named after a language; name it like en.toml or es-MX.toml, "
            "or move it away"
        )
    return tag


def _parse(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoticeFileError(
            f"{file}: cannot be read ({error.strerror}); check that it may be read"
        ) from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, nested without end
        raise NoticeFileError(
            f"{file}: is not TOML in UTF-8: {error}; correct that place"
        ) from error


_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


def placeholders(text: str) -> frozenset[str]:
    """The names that stand in braces in ``text``."""
    return frozenset(_PLACEHOLDER.findall(text))


def fill(text: str, **values: str) -> str:
    """``text`` with every ``{name}`` replaced, once: braces inside a value stay as they are."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


@dataclass(frozen=True, slots=True)
class LocaleSection:
    """A table: ``file`` and ``path`` are where it stands, ``table`` what it holds.

    Every reader raises :class:`~failsoft.errors.NoticeFileError` when the value is not of its kind.
    """

    file: str
    path: str
    table: Mapping[str, Any]

    def bad(self, name: str, remedy: str) -> NoticeFileError:
        """The error for one key of this table."""
        return NoticeFileError(f"{self.file}: {self._at(name)}: {remedy}")

    def section(self, name: str) -> LocaleSection:
        """The table of that name; one that is not there is empty."""
        table = self.table.get(name, {})
        if not isinstance(table, dict):
            raise self.bad(name, f"must be a table of keys; it is {table!r}")
        return LocaleSection(self.file, self._at(name), table)

    def sections(self) -> dict[str, LocaleSection]:
        """Every key of this table; all must be tables."""
        return {name: self.section(name) for name in self.table}

    def text(self, name: str, *allowed: str) -> str:
        """A text whose placeholders are among ``allowed``."""
        text = self.table.get(name)
        if not isinstance(text, str):
            raise self.bad(name, f"must be a text in quotes; it is {_told(text)}")
        known = "".join(f"{{{each}}}" for each in allowed) or "none"
        unknown = placeholders(text) - set(allowed)
        if unknown or set("{}") & set(_PLACEHOLDER.sub("", text)):
            raise self.bad(name, f"has a placeholder that is not known; use only: {known}")
        return text

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of ``allowed``."""
        value = self.table.get(name)
        if value not in allowed:
            raise self.bad(name, f"must be one of {', '.join(allowed)}; it is {_told(value)}")
        return str(value)

    def whole(self, name: str) -> int | None:
        """A whole number from 0, or ``None`` where the key is not there."""
        value = self.table.get(name)
        if value is None or (type(value) is int and value >= 0):
            return value
        raise self.bad(name, f"must be a whole number, 0 or more; it is {value!r}")

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.table.get(name)
        if isinstance(value, bool):
            return value
        raise self.bad(name, f"must be true or false; it is {_told(value)}")

    def names(self, name: str, known: Mapping[str, object]) -> tuple[str, ...]:
        """A list of at least one of the ``known`` names; empty where the key is not there."""
        value = self.table.get(name)
        if value is None:
            return ()
        if isinstance(value, list) and value and all(each in known for each in map(str, value)):
            return tuple(map(str, value))
        raise self.bad(name, f"must list at least one of {', '.join(known)}; it is {value!r}")

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def _told(value: object) -> str:
    return "missing" if value is None else repr(value)


_UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


def whole_seconds(seconds: float | None) -> int | None:
    """Seconds to count down: rounded up, never below 0; ``None`` if not known or not finite."""
    if seconds is None or not math.isfinite(seconds):
        return None
    return max(0, math.ceil(seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plural:
    """When a plural form is used: the number, or its remainder, is from ``low`` to ``high``."""

    form: str
    low: int
    high: int
    modulo: int | None = None

    def holds(self, number: int) -> bool:
        """Whether this form is right for ``number``."""
        return self.low <= (number % self.modulo if self.modulo else number) <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationWords:
    """A language's words for waits and ages. ``units`` are texts by unit and plural form."""

    units: Mapping[str, Mapping[str, str]]
    plurals: tuple[Plural, ...]
    none: str
    recent: str
    past: str
    unknown: str

    def wait(self, seconds: float | None) -> str:
        """A wait, never shorter than it is: 119.2 s is "2 minutes", 121 s "3 minutes"."""
        whole = whole_seconds(seconds)
        return self._words(whole, round_up=True) if whole else self.none

    def age(self, seconds: float | None) -> str:
        """An age, never older than it is: 10,900 s is "3 hours ago"; ``None`` is not known."""
        if seconds is None or not math.isfinite(seconds):
            return self.unknown
        if seconds < _UNITS["minute"]:
            return self.recent
        return fill(self.past, time=self._words(int(seconds), round_up=False))

    def _words(self, seconds: int, *, round_up: bool) -> str:
        # From one unit to two, rounding could nearly double a wait: the smaller unit says it.
        unit = next(u for u, size in _UNITS.items() if seconds == size or seconds >= 2 * size)
        number = math.ceil(seconds / _UNITS[unit]) if round_up else seconds // _UNITS[unit]
        form = next((plural.form for plural in self.plurals if plural.holds(number)), "other")
        return fill(self.units[unit][form], n=str(number))


def read_durations(section: LocaleSection) -> DurationWords:
    """The ``[durations]`` of a file; raises NoticeFileError where a form is missing or wrong."""
    plurals = tuple(
        _plural(name, each) for name, each in section.section("plurals").sections().items()
    )
    forms = [*(plural.form for plural in plurals), "other"]
    return DurationWords(
        units={
            unit: {form: section.section(unit).text(form, "n") for form in forms} for unit in _UNITS
        },
        plurals=plurals,
        none=section.text("none"),
        recent=section.text("recent"),
        past=section.text("past", "time"),
        unknown=section.text("unknown"),
    )


def _plural(form: str, section: LocaleSection) -> Plural:
    low, high = section.whole("from"), section.whole("to")
    if low is None or high is None:
        raise section.bad("from", "a plural form needs both 'from' and 'to', as whole numbers")
    return Plural(form=form, low=low, high=high, modulo=section.whole("modulo"))


FACTS = ("action", "countdown_seconds", "status_link", "severity", "suggest")
_LINKS = ("help", "status_page", "history")
_ENGLISH = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocaleEntry:
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
class LocaleFile:
    """All words of a language. ``own`` is what its own files say, without what English lends."""

    tag: str
    name: str
    sentence_space: str
    entries: Mapping[str, LocaleEntry]
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
        self, entry: LocaleEntry, seconds: float | None, age_seconds: float | None
    ) -> dict[str, str]:
        wait = self.durations.wait(_countdown(entry, seconds))
        return {"time": wait, "age": self.durations.age(age_seconds)}


def read_languages(
    layers: Mapping[str, Layer], overrides: Mapping[str, Layer]
) -> dict[str, LocaleFile]:
    """Every language of two folders by tag, the second laid over the first.

    A regional language stands on its mother language, and each on English, so that a missing text
    is shown in English rather than not at all. Raises NoticeFileError naming file, key and remedy.
    """
    keys = _notice_keys(layers[_ENGLISH].tree["notices"])
    languages: dict[str, LocaleFile] = {}
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
        languages[tag] = _read_language(
            tag, LocaleSection(found[-1].file, "", trees[tag]), keys, own
        )
    return languages


def _stand_on(parent: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    tree = overlay(parent, own)
    if "durations" in own:
        # Plural forms are a language's own: another's forms mixed in would be wrong numbers.
        tree["durations"] = own["durations"]
    return tree


def _read_language(
    tag: str, root: LocaleSection, keys: Collection[tuple[str, ...]], own: Mapping[str, Any]
) -> LocaleFile:
    about = root.section("language")
    actions = root.section("actions").sections()
    suggestions = {name: _read_suggestion(each) for name, each in actions.items()}
    notices = root.section("notices")
    return LocaleFile(
        tag=tag,
        name=about.text("name"),
        sentence_space=about.text("sentence_space"),
        entries={
            ".".join(key): _read_entry(reduce(LocaleSection.section, key, notices), suggestions)
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


def _read_entry(section: LocaleSection, suggestions: Mapping[str, Suggestion]) -> LocaleEntry:
    words = {
        name: section.text(name, "time", "age")
        for name in ("title", "happened", "you", "next", "action_label")
    }
    return LocaleEntry(
        **words,
        action=cast("ActionType", section.choice("action", get_args(ActionType))),
        countdown_seconds=section.whole("countdown_seconds"),
        status_link=section.flag("status_link"),
        severity=cast("Severity", section.choice("severity", get_args(Severity))),
        suggest=section.names("suggest", suggestions),
    )


def _read_suggestion(section: LocaleSection) -> Suggestion:
    link = section.choice("link", _LINKS) if "link" in section.table else None
    return Suggestion(section.text("text", "time"), link)


def _countdown(entry: LocaleEntry, seconds: float | None) -> int | None:
    if entry.countdown_seconds is None:
        return None
    known = whole_seconds(seconds)
    return entry.countdown_seconds if known is None else known


# Languages written mostly from right to left (CLDR, likely subtags), and the scripts themselves,
# which a tag may name: az-Arab is, ur-Latn is not.
_LANGUAGES = frozenset(
    ("ar", "arc", "ckb", "dv", "fa", "he", "iw", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi")
)
_SCRIPTS = frozenset(("adlm", "arab", "hebr", "mand", "nkoo", "rohg", "syrc", "thaa"))
_SCRIPT_LETTERS = 4


def direction(locale: str) -> Literal["ltr", "rtl"]:
    """The value of HTML's ``dir`` for a language tag, such as ``ar-EG``: ``ltr`` or ``rtl``."""
    language, *rest = locale.lower().replace("_", "-").split("-")
    script = next((each for each in rest if len(each) == _SCRIPT_LETTERS and each.isalpha()), None)
    rtl = script in _SCRIPTS if script else language in _LANGUAGES
    return "rtl" if rtl else "ltr"
