"""Finds phrases in a row of words, the longest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Phrases", "expanded"]

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
