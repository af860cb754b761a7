"""Every setting by its name: ``breaker.probes``, and ``FAILSOFT_BREAKER_PROBES`` outside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import Field, dataclass, fields
from typing import Any, TypeAlias

from failsoft.config.fields import Spec
from failsoft.config.named_sections import NAMED
from failsoft.config.settings import Settings

__all__ = ["SECTIONS", "KnownNames", "Place", "full_name", "known_settings", "lookup"]

Place: TypeAlias = tuple[str, ...]
"""``("chain",)``, ``("breaker", "probes")`` or ``("targets", "anthropic/…", "account")``."""

SECTIONS: dict[str, type] = {
    one.name: type(one.default)
    for one in fields(Settings)
    if "spec" not in one.metadata and one.name not in NAMED
}


@dataclass(frozen=True, kw_only=True)
class KnownNames:
    """A setting that exists."""

    place: Place
    spec: Spec
    default: Any

    @property
    def name(self) -> str:
        """Give the full name, as in the file."""
        return full_name(self.place)

    @property
    def variable(self) -> str:
        """Give the environment variable that sets it."""
        return f"FAILSOFT_{'_'.join(self.place).upper()}"


def known_settings() -> Iterator[KnownNames]:
    """Give every setting in the order of the tree, but for those of sections with a name."""
    for one in fields(Settings):
        if "spec" in one.metadata:
            yield _known((one.name,), one)
    for section, kind in SECTIONS.items():
        yield from (_known((section, one.name), one) for one in fields(kind))


def lookup(place: Place) -> KnownNames | None:
    """Find the setting at this place, also one of a section with a name."""
    match place:
        case (section, _, name) if section in NAMED:
            kind: type = NAMED[section].kind
        case (section, name) if section in SECTIONS:
            kind = SECTIONS[section]
        case (name,):
            kind = Settings
        case _:
            return None
    found = [one for one in fields(kind) if one.name == name and "spec" in one.metadata]
    return _known(place, found[0]) if found else None


def full_name(place: Place) -> str:
    """Write a place as TOML does: ``targets."anthropic/claude-opus-5-5".account``."""
    return ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part) for part in place
    )


def _known(place: Place, one: Field[Any]) -> KnownNames:
    return KnownNames(place=place, spec=one.metadata["spec"], default=one.default)
