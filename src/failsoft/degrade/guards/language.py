"""What the guards know of a language, read from its table in ``words/``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from failsoft.degrade.guards.inflection import Inflection
from failsoft.degrade.guards.phrases import Phrases, expanded

__all__ = ["Language", "language_of", "languages"]

_PERSONS = ("subjects_first", "subjects_second", "others_first", "others_second", "owners_first")
_SPELLED = 5
_LISTS = ("person", "scope", "modality", "tense", "date", "currency", "unit", "negation")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Language:
    """The words of one language by what they do in a question; one object for each language."""

    tag: str
    capitals: bool
    decimal: str
    evidence: frozenset[str]
    dotted: Mapping[str, str]
    contractions: Mapping[str, tuple[str, ...]]
    fillers: Phrases
    phrases: Phrases
    meanings: Phrases
    known: frozenset[str]
    verbs: frozenset[str]
    rewrites: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    dropped: frozenset[str]
    classes: Mapping[str, str]
    units: Mapping[str, str]
    directed: frozenset[str]
    clauses: frozenset[str]
    placed: frozenset[str]
    separable: frozenset[str]
    particled: Mapping[str, frozenset[str]]
    present: Mapping[str, str]
    impersonal: frozenset[str]
    compound: re.Pattern[str] | None
    linking: tuple[str, ...]
    infinitive: re.Pattern[str] | None
    floating: frozenset[str]
    sounds: tuple[tuple[re.Pattern[str], str], ...]
    reversing: frozenset[str]
    stranded: frozenset[str]
    numbers: Mapping[str, int]
    persons: Mapping[str, str]
    auxiliaries: frozenset[str]
    particles: frozenset[str]
    listed: frozenset[str]
    grammar: frozenset[str]
    conjugated: re.Pattern[str] | None
    helping: frozenset[str]
    be: frozenset[str]
    polite: frozenset[str]
    thanks: frozenset[str]
    leading: frozenset[str]
    telling: frozenset[str]
    asking: frozenset[str]
    whether: frozenset[str]
    opening: frozenset[str]
    told: frozenset[str]
    small: frozenset[str]
    participles: frozenset[str]
    past: re.Pattern[str] | None
    articles: frozenset[str]
    spelled: frozenset[str]
    confusable: frozenset[str]
    opposites: Mapping[str, frozenset[str]]
    key: Callable[[str], str]


@cache
def languages() -> tuple[str, ...]:
    """The languages that have a table."""
    names = (file.name for file in files(__package__).joinpath("words").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def language_of(tag: str) -> Language | None:
    """The language of a locale ("en-GB"), if it has a table."""
    name = tag.replace("_", "-").partition("-")[0].lower()
    if name not in languages():
        return None
    words = files(__package__).joinpath("words")
    table = words.joinpath(f"{name}.toml").read_text(encoding="utf-8")
    near = words.joinpath(f"{name}.near.txt")
    return _read(name, tomllib.loads(table), near.read_text("utf-8") if near.is_file() else "")


def _read(tag: str, table: dict[str, Any], near: str) -> Language:
    words, courtesy = table["words"], table["courtesy"]
    inflection = Inflection(table["stemmer"], table["irregular"], words["whole"].split())
    key = inflection.key
    verbs = list(_lines(table["meanings"]["verbs"], key))
    others = list(_lines(table["meanings"]["others"], key))
    # A word that stands on two lines means neither for certain: the first line has it.
    meanings = dict(reversed(verbs + others))
    return Language(
        tag=tag,
        capitals=table["capitals"],
        decimal=table["decimal"],
        dotted=table["dotted"],
        contractions={short: tuple(long.split()) for short, long in table["contractions"].items()},
        fillers=Phrases((tuple(one.split()), ()) for one in _commas(table["fillers"])),
        phrases=Phrases(expanded(table["phrases"])),
        meanings=Phrases((words, (meaning,)) for words, meaning in meanings.items()),
        known=frozenset(word for words in meanings for word in words),
        verbs=frozenset(meaning for _, meaning in verbs),
        rewrites=tuple(
            (_keys(left, key), _keys(right, key)) for left, right in table["rewrites"].items()
        ),
        classes=_classes(table["classes"], key),
        units={key(word): unit for unit, all_ in table["units"].items() for word in all_.split()},
        numbers=table["numbers"],
        persons=_persons(words),
        grammar=_grammar(table),
        listed=frozenset(_listed(table["meanings"])),
        small=_grammar(table) - frozenset(_measures(table)),
        # With neither right words near by nor a sound, it would be a guess which one is meant.
        spelled=frozenset(_spelled(table) if near or table["slips"]["sounds"] else ()),
        confusable=frozenset(f"{table['slips']['confusable']} {near}".split()),
        particled=_particled(verbs, frozenset(table["forms"]["verb_particles"].split())),
        key=key,
        **_places(table["prepositions"]),
        **_sorts(words, key),
        **_manners(courtesy),
        **_forms(table, key),
    )


def _places(prepositions: dict[str, str]) -> dict[str, Any]:
    """The words that say where to or from, by how much depends on them."""
    names = ("directed", "clauses", "placed", "reversing")
    found = {name: frozenset(prepositions[name].split()) for name in names}
    return found | {"stranded": found["placed"] | found["reversing"]}


def _forms(table: dict[str, Any], key: Callable[[str], str]) -> dict[str, Any]:
    """What tells a language, and how it builds its words and sentences."""
    forms = table["forms"]
    sounds = table["slips"]["sounds"].items()
    return {
        "evidence": frozenset(table["evidence"].split()),
        "dropped": frozenset(table["drop"].split()),
        "sounds": tuple((re.compile(sound), written) for sound, written in sounds),
        "present": _present(table["meanings"]["verbs"]) if forms["present"] else {},
        "impersonal": frozenset(forms["impersonal"].split()),
        "compound": re.compile(forms["compound"], re.IGNORECASE) if forms["compound"] else None,
        "linking": ("", *forms["linking"].split()),
        "infinitive": re.compile(forms["infinitive"]) if forms["infinitive"] else None,
        "floating": frozenset(map(key, forms["floating"].split())),
    }


def _sorts(words: dict[str, Any], key: Callable[[str], str]) -> dict[str, Any]:
    """The words that a sentence is built with, by what they do in it."""
    return {
        "separable": frozenset(words["separable"].split()),
        "auxiliaries": frozenset(words["auxiliaries"].split()),
        "particles": frozenset(words["particles"].split()),
        "articles": frozenset(words["articles"].split()),
        "helping": frozenset(words["be"].split()) | frozenset(words["helping"].split()),
        "be": frozenset(words["be"].split()),
        "participles": frozenset(words["participles"].split()),
        "conjugated": re.compile(words["conjugated"]) if words["conjugated"] else None,
        "past": re.compile(words["past"]) if words["past"] else None,
        "opposites": _opposites(_commas(words["opposites"]), key),
    }


def _opposites(pairs: list[str], key: Callable[[str], str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for pair in pairs:
        for form in (str, key):  # prepositions are kept as they are written
            one, other = map(form, pair.split())
            found[one] = found.get(one, frozenset()) | {other}
            found[other] = found.get(other, frozenset()) | {one}
    return found


def _manners(courtesy: dict[str, Any]) -> dict[str, Any]:
    """The words of politeness."""
    return {
        "polite": frozenset(courtesy["polite"].split()) | frozenset(courtesy["thanks"].split()),
        "thanks": frozenset(courtesy["thanks"].split()),
        "leading": frozenset(courtesy["leading"].split()) | frozenset(courtesy["telling"].split()),
        "telling": frozenset(courtesy["telling"].split()),
        "asking": frozenset(f"{courtesy['asking']} {courtesy['whether']}".split()),
        "told": frozenset(courtesy["told"].split()),
        "opening": frozenset(courtesy["opening"].split()),
        "whether": frozenset(courtesy["whether"].split()),
    }


def _particled(
    verbs: list[tuple[tuple[str, ...], str]], particles: frozenset[str]
) -> dict[str, frozenset[str]]:
    """The verbs of two words, by the first: what may be said apart from it."""
    found: dict[str, frozenset[str]] = {}
    for words, _ in verbs:
        if len(words) == 2 and words[1] in particles:  # noqa: PLR2004 - as it says
            found[words[0]] = found.get(words[0], frozenset()) | {words[1]}
    return found


def _present(verbs: str) -> dict[str, str]:
    """What one does, by its ending, and the verb: German "bucht" of "buchen"."""
    found: dict[str, str] = {}
    for verb in re.findall(r"\b\w+(?:en|ern|eln)\b", verbs):
        root = verb.removesuffix("n") if verb.endswith(("ern", "eln")) else verb[:-2]
        found |= {root + ending: verb for ending in ("t", "et")}
    return found


def _lines(text: str, key: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    for line in text.strip().splitlines():
        group = [tuple(key(word) for word in one.split()) for one in _commas(line)]
        for words in group:
            yield words, "_".join(group[0])


def _listed(meanings: Mapping[str, str]) -> Iterator[str]:
    for text in meanings.values():
        yield from re.findall(r"[^\s,]+", text)


def _grammar(table: Mapping[str, Any]) -> frozenset[str]:
    """Words that stand for themselves in whatever form."""
    lists = [*table["classes"].values(), *table["units"].values(), *table["prepositions"].values()]
    persons = [table["words"][kind] for kind in _PERSONS]
    texts = [table["drop"], table["evidence"], *lists, *persons]
    return frozenset((*" ".join(texts).split(), *table["numbers"]))


def _spelled(table: Mapping[str, Any]) -> Iterator[str]:
    """Every word of the table that is long enough for a slip in it to be told from another word."""
    yield from (word for word in _grammar(table) if len(word) >= _SPELLED)
    texts = [*table["meanings"].values(), table["slips"]["plain"], *table["words"].values()]
    phrases = (pattern for patterns in table["phrases"].values() for pattern in patterns)
    for text in (*texts, *table["courtesy"].values(), *phrases):
        yield from (word for word in re.findall(r"[^\W\d_]+", text) if len(word) >= _SPELLED)


def _measures(table: Mapping[str, Any]) -> Iterator[str]:
    for name in ("date", "unit", "currency"):
        yield from table["classes"][name].split()
    for words in table["units"].values():
        yield from words.split()


def _keys(text: str, key: Any) -> tuple[str, ...]:
    return tuple(word if word.startswith("#") else key(word) for word in text.split())


def _commas(text: str) -> list[str]:
    return [stripped for part in text.split(",") if (stripped := part.strip())]


def _classes(table: Mapping[str, str], key: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _LISTS:
        for word in table[name].split():
            found[word] = found[key(word)] = name
    return found


def _persons(words: Mapping[str, str]) -> dict[str, str]:
    return {word: kind for kind in _PERSONS for word in words[kind].split()}
