"""Figures and numerals as one value each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["figure", "numeral"]

_FIGURE = re.compile(r"-?\d")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_HUNDRED = 100


def figure(word: str, decimal: str) -> str | None:
    """The value of a word of digits, ``None`` for any other: 1,000 and 1000, 2.50 and 2.5."""
    if not _FIGURE.match(word):
        return None
    if ordinal := _ORDINAL.fullmatch(word):
        return ordinal[1]
    thousands = "," if decimal == "." else "."
    if re.fullmatch(
        rf"-?\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+(?:{re.escape(decimal)}\d+)?", word
    ):
        word = word.replace(thousands, "")
    if re.fullmatch(rf"-?\d+{re.escape(decimal)}\d+", word):
        whole, _, rest = word.partition(decimal)
        rest = rest.rstrip("0")
        return f"{whole.lstrip('0') or '0'}.{rest}" if rest else whole.lstrip("0") or "0"
    return word.lstrip("0") or "0" if word.isdigit() else word


def numeral(words: Sequence[str], at: int, numbers: Mapping[str, int]) -> tuple[int, int]:
    """Where the numeral that begins there ends, and its value: two hundred (and) fifty."""
    total = part = 0
    end, last = at, 0
    while end < len(words) and (value := numbers.get(words[end])) is not None:
        if value >= _HUNDRED:
            part = (part or 1) * value
            if value > _HUNDRED:
                total, part = total + part, 0
        elif end > at and (not _follows(value, last)):
            break
        else:
            part += value
        end, last = end + 1, value
    return end, total + part


def _follows(value: int, last: int) -> bool:
    """Whether it is the next place of the same number: five after twenty, not five after two."""
    return last >= _HUNDRED or (last >= 20 and last % 10 == 0 and value < 10)  # noqa: PLR2004
