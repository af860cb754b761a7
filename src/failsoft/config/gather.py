"""Collects what every source says, the later over the earlier, and all that is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from failsoft.config.named import NAMED
from failsoft.config.names import SECTIONS, Known, Place, full_name, known_settings, lookup
from failsoft.config.settings import Settings
from failsoft.errors import SettingError

__all__ = ["Gathered", "did_you_mean"]


@dataclass
class Gathered:
    """What was found so far, and ``origins``: where each value and each empty section is from."""

    values: dict[Place, Any] = field(default_factory=dict)
    origins: dict[Place, str] = field(default_factory=dict)
    empty: dict[Place, str] = field(default_factory=dict)
    problems: list[SettingError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def put(self, place: Place, value: object, origin: str) -> None:
        """Check a value and keep it, or note what is wrong with it."""
        known = lookup(place)
        if known is None:
            if _is_section(place) and value == {}:
                self.empty[place] = origin
            else:
                self.wrong(full_name(place), _unknown(place), origin)
            return
        try:
            self.values[place] = known.spec.check(known.name, value)
            self.origins[place] = origin
        except SettingError as error:
            self.wrong(error.setting, error.problem, origin)

    def wrong(self, setting: str, problem: str, origin: str) -> None:
        """Note a problem and where it came from."""
        self.problems.append(SettingError(setting, f"{problem} ({origin})"))

    def check_together(self) -> None:
        """Note what is wrong only between settings that are right by themselves."""
        refused = {problem.setting for problem in self.problems}
        known = {one.place: one for one in known_settings()}
        for lower in known.values():
            if lower.spec.at_most:
                upper = known[*lower.place[:-1], lower.spec.at_most]
                if refused.isdisjoint((lower.name, upper.name)):
                    self._check_order(lower, upper)
        for section, named in NAMED.items():
            example = full_name((section, named.example))
            for name, origin in self._names(section).items():
                if not named.valid(name):
                    problem = f"must be named {named.form}, as in [{example}]"
                    self.wrong(full_name((section, name)), problem, origin)

    def settings(self) -> Settings:
        """Put the tree together; for when there are no problems."""
        sections = {name: kind(**self._below(name)) for name, kind in SECTIONS.items()}
        named: dict[str, Any] = {
            section: {name: of.kind(**self._below(section, name)) for name in self._names(section)}
            for section, of in NAMED.items()
        }
        return Settings(**self._below(), **sections, **named)

    def _below(self, *section: str) -> dict[str, Any]:
        return {place[-1]: value for place, value in self.values.items() if place[:-1] == section}

    def _names(self, section: str) -> dict[str, str]:
        """The names under ``section``, and where each is from."""
        found = self.empty | self.origins
        return {place[1]: found[place] for place in found if place[0] == section and place[1:]}

    def _check_order(self, lower: Known, upper: Known) -> None:
        value, limit = (self.values.get(one.place, one.default) for one in (lower, upper))
        if value > limit:
            places = [one.place for one in (lower, upper) if one.place in self.origins]
            set_in = dict.fromkeys(self.origins[place] for place in places)
            problem = f"must be at most {upper.name}, {limit:.10g}; it is {value:.10g}"
            self.wrong(lower.name, problem, ", ".join(set_in))


def did_you_mean(word: str, options: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Give the end of a sentence that names the closest option, if its likeness is enough."""
    close = difflib.get_close_matches(word, list(options), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]}?" if close else ""


def _is_section(place: Place) -> bool:
    match place:
        case (section,):
            return section in SECTIONS or section in NAMED
        case (section, _):
            return section in NAMED
        case _:
            return False


def _unknown(place: Place) -> str:
    if _is_section(place):
        return f"is a section: write [{full_name(place)}] and its settings below it"
    if place[0] in NAMED:
        own = fields(NAMED[place[0]].kind)
        options = [full_name((*place[:2], one.name)) for one in own]
    else:
        options = [known.name for known in known_settings()] + [*SECTIONS, *NAMED]
    misplaced = [name for name in options if name.rpartition(".")[2] == place[-1]]
    cutoff = 0.0 if misplaced else 0.6
    return f"is not a setting{did_you_mean(full_name(place), misplaced or options, cutoff=cutoff)}"
