"""What the proxy does to connections: the names, their options, and how they are written.

    NAME[;OPTION=VALUE]     pass    cut;bytes=2000    delay;ms=300

The table here is the only place where an act is defined; the proxy, the documentation and the
scenarios of drills follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from failsoft.errors import SettingError

__all__ = ["ACTS", "PASS", "Act", "Kind", "parse_act"]

# An hour, or a gigabyte: more than any drill lasts or answer has.
_MOST = {"ms": 3_600_000, "bytes": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Act:
    """One act. ``value`` is that of its option: milliseconds or bytes; 0 where it has none."""

    name: str
    value: int = 0

    def __str__(self) -> str:
        option = ACTS[self.name].option
        return f"{self.name};{option}={self.value}" if option else self.name

    @property
    def loses(self) -> bool:
        """Whether bytes are swallowed, so that the connection can never be whole again."""
        return self.name in ("blackhole", "half_open")

    @property
    def forwards(self) -> bool:
        """Whether new connections are led to the other side."""
        return self.name in ("pass", "cut", "delay", "half_open")


@dataclass(frozen=True, slots=True)
class Kind:
    """An act's meaning in one line, and the name and default of its option."""

    doc: str
    option: str = ""
    default: int = 0


ACTS: Final[Mapping[str, Kind]] = {
    "pass": Kind("bytes go through as they come"),
    "refuse": Kind("nobody listens: connecting is refused, what is open is reset"),
    "reset": Kind("connections are accepted and reset (RST), what is open too"),
    "blackhole": Kind("connections are accepted, bytes are swallowed, nothing ever comes back"),
    "cut": Kind("a connection is reset after so many bytes of the reply", "bytes", 1000),
    "delay": Kind("every piece is held back for so long, both ways", "ms", 200),
    "half_open": Kind("what is sent arrives, what comes back is swallowed; no end is told"),
}

PASS: Final = Act("pass")


def parse_act(text: str, *, where: str = "proxy") -> Act:
    """Read an act. Raises :class:`~failsoft.errors.SettingError`, which begins with ``where``."""
    name, *options = (part.strip() for part in text.split(";"))
    kind = ACTS.get(name)
    if kind is None:
        raise SettingError(where, f"{name!r} is no act: give one of {', '.join(ACTS)}")
    value = kind.default
    for option in options:
        value = _value(option, kind, name, where)
    return Act(name, value)


def _value(option: str, kind: Kind, name: str, where: str) -> int:
    key, _, said = (part.strip() for part in option.partition("="))
    if not kind.option or key != kind.option:
        takes = f"takes {kind.option}" if kind.option else "takes none"
        raise SettingError(where, f"{name} has no option {key!r}; it {takes}")
    most = _MOST[key]
    if not (said.isdecimal() and said.isascii() and len(said) < len(str(most)) + 1) or (
        int(said) > most
    ):
        raise SettingError(where, f"{key} must be a whole number from 0 to {most}; it is {said!r}")
    return int(said)
