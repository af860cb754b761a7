"""Pairs of questions, and whether one saved answer serves both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from failsoft.errors import SettingError

__all__ = ["BUNDLED", "Pair", "bundled_pairs", "read_pairs"]

# The guards were written with a look at the first, and measured on the second meanwhile. The third
# came afterwards, from somebody who knew neither: it shows what they are worth.
BUNDLED = ("dev", "holdout", "unseen")

_FIELDS: dict[str, type] = {"asked": str, "saved": str, "same": bool, "kind": str, "language": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two questions; ``same`` where the answer to ``saved`` is right for ``asked`` too."""

    asked: str
    saved: str
    same: bool
    kind: str
    language: str


def bundled_pairs(name: str) -> list[Pair]:
    """The pairs that come with failsoft under one of the names of :data:`BUNDLED`."""
    text = files("failsoft.degrade").joinpath("pairs", f"{name}.jsonl").read_text(encoding="utf-8")
    return list(_pairs(text, f"{name}.jsonl"))


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file, one JSON object a line. Raises SettingError naming file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            str(path), f"cannot be read as UTF-8 text ({error}); give the path of a file of pairs"
        ) from error
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
