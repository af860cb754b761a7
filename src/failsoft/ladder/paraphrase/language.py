"""What the guards know of a language, read from its table in ``words/``.

Inflection joins the forms of a word only where that never changes what is asked. English has rules
of its own: the usual stemmers take off so much that a customer becomes customs and an employer an
employee. Phrases are found the longest first; evidence says whether a text is in its language.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from threading import Lock
from typing import Any

from failsoft.errors import extra
from failsoft.ladder.paraphrase.tokens import WORDS_KEPT

__all__ = ["Inflection", "Language", "Phrases", "expanded", "language_of", "languages", "speaks"]


_SHORT = 5
_VOWELS = re.compile(r"[aeiouy]+")
_ONE_CONSONANT = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
_SILENT_E = re.compile(r"(?:[vzcu]|[aeiou]s|[^aeiour]l|dg|rg|ng|at|iz)$")
_SIBILANTS = ("sses", "shes", "ches", "xes", "zes")


class Inflection:
    """The key of a word: equal for its forms. ``stemmer`` is Snowball's name, empty for English."""

    def __init__(self, stemmer: str, irregular: Mapping[str, str], whole: Collection[str]) -> None:
        self._stem = _snowball(stemmer) if stemmer else _english
        self._irregular = irregular
        self._whole = frozenset(whole)
        self.key = lru_cache(WORDS_KEPT)(self._key)

    def _key(self, word: str) -> str:
        word = self._irregular.get(word, word)
        return word if word in self._whole else self._stem(word)


def _snowball(name: str) -> Callable[[str], str]:
    with extra("cache", "finding like questions (cache.semantic)"):
        import snowballstemmer  # noqa: PLC0415 - a fifth of a second that not everybody needs

    stemmer = snowballstemmer.stemmer(name)
    one_at_a_time = Lock()  # it keeps the word that it works on

    def stem(word: str) -> str:
        with one_at_a_time:
            return str(stemmer.stemWord(word))

    return stem


def _english(word: str) -> str:
    if len(word) < 4:  # noqa: PLR2004 - too short to end in anything
        return word
    return _spelling(_participle(_singular(word)))


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(_SIBILANTS):
        return word[:-2]
    return word[:-1] if word.endswith("s") and word[-2] not in "sui" else word


def _participle(word: str) -> str:
    if word.endswith("ied"):
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) > 1 and _VOWELS.search(root):
            return _root(root)
    return word


def _root(root: str) -> str:
    """What stood before the ending: its doubled letter undone, its silent e put back."""
    if root[-1] == root[-2]:
        return root if len(root) < _SHORT and root[-1] in "lsfzd" else root[:-1]
    if _ONE_CONSONANT.fullmatch(root) or _SILENT_E.search(root):
        return root + "e"
    return root


def _spelling(word: str) -> str:
    """One spelling for British and American; it need not be a word."""
    if len(word) > _SHORT:
        word = re.sub("is(e|ation)$", r"iz\1", word)
        word = re.sub("our$", "or", word)
        word = word.removesuffix("e")
    if len(word) >= _SHORT and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    return word


_GROUP = re.compile(r"\(([^()]*)\)")
_END = None


class Phrases:
    """Rows of words and what stands for each."""

    def __init__(self, meanings: Iterable[tuple[Sequence[str], tuple[str, ...]]]) -> None:
        self._tree: dict[str | None, Any] = {}
        for words, meaning in meanings:
            node = self._tree
            for word in words:
                node = node.setdefault(word, {})
            node[_END] = meaning

    def cut(self, words: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...] | None]]:
        """Where each phrase begins and what stands for it; ``None`` for a word in no phrase."""
        at = 0
        while at < len(words):
            end, meaning = at + 1, None
            node, position = self._tree.get(words[at]), at + 1
            while node is not None:
                if _END in node:
                    end, meaning = position, node[_END]
                node = node.get(words[position]) if position < len(words) else None
                position += 1
            yield at, meaning
            at = end


def _expand(pattern: str) -> Iterator[tuple[str, ...]]:
    """Every phrase of a pattern with alternatives: "(can|may) i (now|)"."""
    group = _GROUP.search(pattern)
    if group is None:
        if words := tuple(pattern.split()):
            yield words
        return
    for alternative in group[1].split("|"):
        yield from _expand(pattern[: group.start()] + alternative + pattern[group.end() :])


def expanded(
    table: Mapping[str, Sequence[str]],
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every phrase of a table of patterns, with its meaning."""
    for meaning, patterns in table.items():
        for pattern in patterns:
            for phrase in _expand(pattern):
                yield phrase, tuple(meaning.split())


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
    """What marks a language, and how it builds its words and sentences."""
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
    """Every word of the table that is so long that a slip in it makes no other word of it."""
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


_WORD = re.compile(r"[^\W\d_]+")

# Languages without a table, by small words that the others do not have.
_FOREIGN = {
    "fr": "le la les des est une dans pour avec sur comment puis mon ma mes où quel quelle quels"
    " quelles combien ne pas je nous vous et ou ce cette du au aux sont être avoir faut peut quand",
    "it": "il lo gli di che per non come posso mio mia quando quanto dove è sono della del nel"
    " alla",
    "pt": "o os um uma não como posso meu minha quando quanto onde é são da do no na para com"
    " fazer",
    "nl": "het een van ik je mijn hoe wat kan niet waar wanneer hoeveel voor met op zijn is dit"
    " dat",
}


@lru_cache(4096)
def speaks(text: str, tag: str) -> bool:
    """Whether no other language has more of its small words in that text than this one."""
    words = set(_WORD.findall(text.lower()))
    own, others = _small_words(tag)
    known = len(words & own)
    return all(len(words & other) <= known for other in others)


@cache
def _small_words(tag: str) -> tuple[frozenset[str], tuple[frozenset[str], ...]]:
    words = {name: frozenset(text.split()) for name, text in _FOREIGN.items()}
    for name in languages():
        if language := language_of(name):
            words[name] = language.evidence
    return words.pop(tag), tuple(words.values())
