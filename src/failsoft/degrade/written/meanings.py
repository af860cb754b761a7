"""Which example a question means, by the embedder. Needs numpy, as every embedder does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from failsoft.degrade.written.rule import Rule

if TYPE_CHECKING:
    from failsoft.degrade.embedder import Embedder

__all__ = ["Example", "Meanings"]

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
