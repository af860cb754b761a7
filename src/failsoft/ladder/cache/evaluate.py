"""Measures how often a saved answer is served where it should be, and where it must not be.

Pairs of questions say whether one saved answer serves both.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from failsoft.errors import SettingError
from failsoft.ladder.embedder import Embedder
from failsoft.ladder.paraphrase.same_question import difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "CANDIDATES",
    "EvaluationTally",
    "EvaluationTrial",
    "Judged",
    "Pair",
    "judge",
    "neighbours",
    "read_pairs",
    "tally",
]


_FIELDS: dict[str, type] = {"asked": str, "saved": str, "same": bool, "kind": str, "language": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two questions; ``same`` where the answer to ``saved`` is right for ``asked`` too."""

    asked: str
    saved: str
    same: bool
    kind: str
    language: str


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file, one JSON object a line. Raises SettingError naming file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); give the path of a file of pairs"
        raise SettingError(str(path), problem) from error
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise SettingError(str(path), problem) from error
    pairs = list(_pairs(text, str(path)))
    if not pairs:
        raise SettingError(str(path), f"has no pairs; write one a line, like {_EXAMPLE}")
    return pairs


_EXAMPLE = (
    '{"asked": "how do i pay", "saved": "How can I pay?", "same": true, '
    '"kind": "wording", "language": "en"}'
)


def _pairs(text: str, name: str) -> Iterator[Pair]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _pair(line, f"{name}:{number}")


def _pair(line: str, place: str) -> Pair:
    try:
        fields: Any = json.loads(line)
    except ValueError as error:
        raise SettingError(place, f"is not JSON ({error}); write it like {_EXAMPLE}") from error
    if not isinstance(fields, dict):
        raise SettingError(place, f"is not an object; write it like {_EXAMPLE}")
    if wrong := _wrong(fields):
        raise SettingError(place, f"{wrong}; write it like {_EXAMPLE}")
    return Pair(**fields)


def _wrong(fields: dict[str, Any]) -> str | None:
    for name, kind in _FIELDS.items():
        if name not in fields:
            return f'has no "{name}"'
        if not isinstance(fields[name], kind) or fields[name] == "":
            return f'"{name}" must be {"true or false" if kind is bool else "a text"}'
    unknown = sorted(set(fields) - set(_FIELDS))
    return f'has "{unknown[0]}", which means nothing here' if unknown else None


# So many of the nearest saved questions are put before the guards.
CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair, how alike its vectors are, and the guard that separates the two, if one does."""

    pair: Pair
    similarity: float
    guard: str | None

    def hit(self, threshold: float, *, guarded: bool = True) -> bool:
        """Whether the saved answer would be served."""
        return self.similarity >= threshold and not (guarded and self.guard)


@dataclass(slots=True)
class EvaluationTally:
    """Hits of so many pairs."""

    hits: int = 0
    pairs: int = 0

    @property
    def share(self) -> float:
        """Hits a pair, 0 without pairs."""
        return self.hits / self.pairs if self.pairs else 0.0

    def __str__(self) -> str:
        return f"{self.hits} of {self.pairs}"


@dataclass(frozen=True, slots=True)
class EvaluationTrial:
    """A question put to a cache that holds all saved questions of its set."""

    right: int
    wrong: int
    asked: int


def judge(pairs: Iterable[Pair], embedder: Embedder) -> list[Judged]:
    """Measure every pair. Raises MissingExtraError where the embedder's package is missing."""
    return [
        Judged(
            pair,
            float(embedder.embed(pair.asked) @ embedder.embed(pair.saved)),
            difference(pair.asked, pair.saved, locale=pair.language),
        )
        for pair in pairs
    ]


def tally(
    judged: Iterable[Judged], hit: Callable[[Judged], bool], *, by: Callable[[Judged], str]
) -> dict[str, EvaluationTally]:
    """Count the hits in groups."""
    found: defaultdict[str, EvaluationTally] = defaultdict(EvaluationTally)
    for one in judged:
        found[by(one)].pairs += 1
        found[by(one)].hits += hit(one)
    return dict(found)


def neighbours(pairs: Sequence[Pair], embedder: Embedder, threshold: float) -> EvaluationTrial:
    """Ask every question of a cache that holds them all: most of what it holds is unrelated.

    A hit is right where the pair says that it is the same. Where several questions of a set ask the
    same without a pair that says so, this counts a wrong hit that is none.
    """
    saved = sorted({(pair.language, pair.saved) for pair in pairs})
    same = {(pair.asked, pair.saved) for pair in pairs if pair.same}
    vectors = {question: embedder.embed(question) for _, question in saved}
    right = wrong = 0
    asked = sorted({(pair.language, pair.asked) for pair in pairs})
    for language, question in asked:
        held = [text for tag, text in saved if tag == language]
        served = _served(question, held, vectors, embedder, threshold, language)
        right += (question, served) in same
        wrong += served is not None and (question, served) not in same
    return EvaluationTrial(right, wrong, len(asked))


def _served(  # noqa: PLR0917 - one call, a line below the names
    question: str,
    held: list[str],
    vectors: Mapping[str, NDArray[np.float32]],
    embedder: Embedder,
    threshold: float,
    language: str,
) -> str | None:
    """What the cache would serve: the first of the nearest that no guard rejects."""
    vector = embedder.embed(question)
    near = nlargest(CANDIDATES, ((float(vectors[text] @ vector), text) for text in held))
    for similarity, text in near:
        if similarity >= threshold and difference(question, text, locale=language) is None:
            return text
    return None
