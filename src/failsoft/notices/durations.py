"""Waits and ages in words, with the plural forms a language's file gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from failsoft.notices.section import Section, fill

__all__ = ["DurationWords", "Plural", "read_durations", "whole_seconds"]

_UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


def whole_seconds(seconds: float | None) -> int | None:
    """Seconds to count down: rounded up, never below 0; ``None`` if not known or not finite."""
    if seconds is None or not math.isfinite(seconds):
        return None
    return max(0, math.ceil(seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plural:
    """When a plural form is used: the number, or its remainder, is from ``low`` to ``high``."""

    form: str
    low: int
    high: int
    modulo: int | None = None

    def holds(self, number: int) -> bool:
        """Whether this form is right for ``number``."""
        return self.low <= (number % self.modulo if self.modulo else number) <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationWords:
    """A language's words for waits and ages. ``units`` are texts by unit and plural form."""

    units: Mapping[str, Mapping[str, str]]
    plurals: tuple[Plural, ...]
    none: str
    recent: str
    past: str
    unknown: str

    def wait(self, seconds: float | None) -> str:
        """A wait, never shorter than it is: 119.2 s is "2 minutes", 121 s "3 minutes"."""
        whole = whole_seconds(seconds)
        return self._words(whole, round_up=True) if whole else self.none

    def age(self, seconds: float | None) -> str:
        """An age, never older than it is: 10,900 s is "3 hours ago"; ``None`` is not known."""
        if seconds is None or not math.isfinite(seconds):
            return self.unknown
        if seconds < _UNITS["minute"]:
            return self.recent
        return fill(self.past, time=self._words(int(seconds), round_up=False))

    def _words(self, seconds: int, *, round_up: bool) -> str:
        # From one unit to two, rounding could nearly double a wait: the smaller unit says it.
        unit = next(u for u, size in _UNITS.items() if seconds == size or seconds >= 2 * size)
        number = math.ceil(seconds / _UNITS[unit]) if round_up else seconds // _UNITS[unit]
        form = next((plural.form for plural in self.plurals if plural.holds(number)), "other")
        return fill(self.units[unit][form], n=str(number))


def read_durations(section: Section) -> DurationWords:
    """The ``[durations]`` of a file; raises NoticeFileError where a form is missing or wrong."""
    plurals = tuple(
        _plural(name, each) for name, each in section.section("plurals").sections().items()
    )
    forms = [*(plural.form for plural in plurals), "other"]
    return DurationWords(
        units={
            unit: {form: section.section(unit).text(form, "n") for form in forms} for unit in _UNITS
        },
        plurals=plurals,
        none=section.text("none"),
        recent=section.text("recent"),
        past=section.text("past", "time"),
        unknown=section.text("unknown"),
    )


def _plural(form: str, section: Section) -> Plural:
    low, high = section.whole("from"), section.whole("to")
    if low is None or high is None:
        raise section.bad("from", "a plural form needs both 'from' and 'to', as whole numbers")
    return Plural(form=form, low=low, high=high, modulo=section.whole("modulo"))
