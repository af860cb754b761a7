"""Finds phrases in a row of words, the longest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Phrases", "expand"]

_GROUP = re.compile(r"\(([^()]*)\)")
_END = ""


class Phrases:
    """Rows of words and what stands for each."""

    def __init__(self, meanings: Iterable[tuple[Sequence[str], tuple[str, ...]]]) -> None:
        self._tree: dict[str, Any] = {}
        for words, meaning in meanings:
            node = self._tree
            for word in words:
                node = node.setdefault(word, {})
            node[_END] = meaning

    def find(self, words: Sequence[str], at: int) -> tuple[int, tuple[str, ...]] | None:
        """Where the longest phrase that begins there ends, and what stands for it."""
        node: dict[str, Any] | None = self._tree
        found = None
        for position in range(at, len(words)):
            node = node.get(words[position]) if node and words[position] else None
            if node is None:
                break
            if _END in node:
                found = position + 1, node[_END]
        return found


def expand(pattern: str) -> Iterator[tuple[str, ...]]:
    """Every phrase of a pattern with alternatives: "(can|may) i (now|)"."""
    group = _GROUP.search(pattern)
    if group is None:
        if words := tuple(pattern.split()):
            yield words
        return
    for alternative in group[1].split("|"):
        yield from expand(pattern[: group.start()] + alternative + pattern[group.end() :])


def expanded(
    table: Mapping[str, Sequence[str]],
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every phrase of a table of patterns, with its meaning."""
    for meaning, patterns in table.items():
        for pattern in patterns:
            for phrase in expand(pattern):
                yield phrase, tuple(meaning.split())
