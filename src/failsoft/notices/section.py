"""One table of a notices file, read with errors that name the file, the key and the remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failsoft.errors import NoticeFileError

__all__ = ["Section", "fill", "placeholders"]

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


def placeholders(text: str) -> frozenset[str]:
    """The names that stand in braces in ``text``."""
    return frozenset(_PLACEHOLDER.findall(text))


def fill(text: str, **values: str) -> str:
    """``text`` with every ``{name}`` replaced, once: braces inside a value stay as they are."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


@dataclass(frozen=True, slots=True)
class Section:
    """A table: ``file`` and ``path`` are where it stands, ``table`` what it holds.

    Every reader raises :class:`~failsoft.errors.NoticeFileError` when the value is not of its kind.
    """

    file: str
    path: str
    table: Mapping[str, Any]

    def bad(self, name: str, remedy: str) -> NoticeFileError:
        """The error for one key of this table."""
        return NoticeFileError(f"{self.file}: {self._at(name)}: {remedy}")

    def section(self, name: str) -> Section:
        """The table of that name; one that is not there is empty."""
        table = self.table.get(name, {})
        if not isinstance(table, dict):
            raise self.bad(name, f"must be a table of keys; it is {table!r}")
        return Section(self.file, self._at(name), table)

    def sections(self) -> dict[str, Section]:
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
