"""Shows the settings: what is in force and from where, and the reference in the documentation."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from typing import Any

from failsoft.config.loading import Loaded
from failsoft.config.named_sections import NAMED
from failsoft.config.names import SECTIONS, KnownNames, full_name, known_settings, lookup
from failsoft.config.settings import Settings

__all__ = ["SettingRow", "reference", "rows"]


@dataclass(frozen=True, kw_only=True)
class SettingRow:
    """One setting in force; a secret's ``value`` says only whether it is set."""

    name: str
    value: str
    origin: str
    doc: str


def rows(loaded: Loaded) -> list[SettingRow]:
    """Give every setting in the order of the tree, then those of sections with a name."""
    settings = loaded.settings
    found = [(known, _value(settings, known)) for known in known_settings()]
    for section in NAMED:
        for name, own in getattr(settings, section).items():
            found += [(known, getattr(own, known.place[-1])) for known in _named(section, name)]
    return [
        SettingRow(
            name=known.name,
            value=_hidden(value) if known.spec.secret else _plain(value),
            origin=loaded.origins.get(known.name, "default"),
            doc=known.spec.doc,
        )
        for known, value in found
    ]


def reference() -> str:
    """Write the tables of ``docs/configuration.md``, one a section, as Markdown."""
    known = list(known_settings())
    parts = [_table("Top level", Settings, [one for one in known if len(one.place) == 1])]
    for name, kind in SECTIONS.items():
        parts.append(_table(f"[{name}]", kind, [one for one in known if one.place[0] == name]))
    for section, named in NAMED.items():
        title = f"[{full_name((section, named.example))}]"
        parts.append(_table(title, named.kind, _named(section, named.example)))
    return "\n".join(parts)


def _named(section: str, name: str) -> list[KnownNames]:
    """Every setting of one section with a name."""
    own = fields(NAMED[section].kind)
    return [known for one in own if (known := lookup((section, name, one.name)))]


def _table(title: str, kind: type, known: list[KnownNames]) -> str:
    about = inspect.getdoc(kind) or ""
    head = ["| setting | default | allowed | what it is | variable |", "|---|---|---|---|---|"]
    return "\n".join([f"### {title}", "", about, "", *head, *map(_line, known), ""])


def _line(known: KnownNames) -> str:
    allowed = known.spec.kind.allowed
    if known.spec.at_most:
        allowed += f", at most `{known.spec.at_most}`"
    variable = "only in the file" if known.place[0] in NAMED else f"`{known.variable}`"
    doc = known.spec.doc.replace("<", "&lt;")
    cells = (f"`{known.place[-1]}`", _plain(known.default), allowed, doc, variable)
    return f"| {' | '.join(cells)} |"


def _value(settings: Settings, known: KnownNames) -> Any:
    value: Any = settings
    for part in known.place:
        value = getattr(value, part)
    return value


def _plain(value: Any) -> str:
    match value:
        case None | "" | ():
            return "not set"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.10g}"
        case tuple():
            return ", ".join(value)
        case _:
            return str(value)


def _hidden(value: Any) -> str:
    return "set, not shown" if value else "not set"
