"""What a provider's own words mean: the type of the tables that one file a provider fills."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CodePattern", "Sentence", "Table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePattern:
    """A family of codes, told by a part of the code; read under these statuses (empty: any)."""

    pattern: re.Pattern[str]
    row: str
    statuses: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Words of an error's message; read under these statuses and only where no code is given."""

    pattern: re.Pattern[str]
    row: str
    statuses: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One provider's vocabulary. Values are names of rows, but ``types``: HTTP statuses.

    ``codes`` name one cause. ``types`` are broad: each says no more than the status it goes with,
    and counts where the status itself is missing or says something else.
    """

    codes: Mapping[str, str]
    code_patterns: tuple[CodePattern, ...]
    types: Mapping[str, int]
    sentences: tuple[Sentence, ...]
    statuses: Mapping[int, str]
    stops: Mapping[str, str]
