"""A value that fits a JSON schema, as a model with structured output answers.

Followed are ``$ref``, ``const``, ``enum``, ``anyOf``, ``oneOf``, ``allOf``, ``type`` and, of each
type, its bounds, ``required``, ``items`` and the usual formats of text; not ``pattern``, ``not``,
``if``. A schema that refers to itself ends at the first round.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

__all__ = ["instance_of"]

_LARGEST: Final = 2_000  # values of one instance
_DEEPEST: Final = 60
_LONGEST: Final = 100_000  # characters of one text
_GREATEST: Final = 10**300  # so that every number near it is one for JSON and a float
_CHOICES: Final = ("anyOf", "oneOf")
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class _NoInstanceError(Exception):
    """Nothing fits, or nothing small enough."""


def instance_of(schema: Any, *, text: str) -> Any:
    """A value that fits ``schema``, with ``text`` where text is wanted; None if none was found."""
    try:
        return _Builder(schema, text).build(schema, ())
    except _NoInstanceError:
        return None


class _Builder:
    def __init__(self, root: Any, text: str) -> None:
        self._root = root
        self._text = text
        self._left = _LARGEST

    def build(self, schema: Any, path: tuple[str, ...]) -> Any:
        """``path`` is the way from the root: where references led, and ``""`` for other steps."""
        self._left -= 1
        if self._left < 0 or len(path) > _DEEPEST or schema is False:
            raise _NoInstanceError
        match schema:
            case {"enum": []}:
                raise _NoInstanceError
            case {"$ref": str(reference)}:
                return self._referred(reference, _without(schema, "$ref"), path)
            case {"allOf": [first, *others]}:
                whole = _without(schema, "allOf")
                for part in (first, *others):
                    whole = _merged(whole, part)
                return self.build(whole, (*path, ""))
            case {"const": value} | {"enum": [value, *_]}:
                return value
            case {"anyOf": [*branches]} | {"oneOf": [*branches]}:
                rest = _without(schema, *_CHOICES)
                # A branch without null first: an optional field is filled in where it can be.
                ordered = sorted(branches, key=lambda branch: branch == {"type": "null"})
                return self._first([_merged(rest, branch) for branch in ordered], path)
            case {"type": [*kinds]}:
                ordered = sorted(kinds, key=lambda kind: kind == "null")
                return self._first([{**schema, "type": kind} for kind in ordered], path)
            case _:
                return self._of_type(schema, path)

    def _referred(self, reference: str, rest: Mapping[str, Any], path: tuple[str, ...]) -> Any:
        if reference in path:
            raise _NoInstanceError
        return self.build(_merged(self._find(reference), rest), (*path, reference))

    def _find(self, reference: str) -> Any:
        found = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                raise _NoInstanceError
            found = found[key]
        return found

    def _first(self, schemas: Sequence[Any], path: tuple[str, ...]) -> Any:
        for schema in schemas:
            try:
                return self.build(schema, (*path, ""))
            except _NoInstanceError:
                continue
        raise _NoInstanceError

    def _of_type(self, schema: Any, path: tuple[str, ...]) -> Any:
        match schema:
            case {"type": "object"} | {"properties": {}}:
                return self._object(schema, path)
            case {"type": "array"}:
                return self._array(schema, path)
            case {"type": "integer" | "number" as kind}:
                return _number(schema, whole=kind == "integer")
            case {"type": "boolean" | "null" as kind}:
                return True if kind == "boolean" else None
            case {"type": "string"}:
                return self._string(schema)
            case _:
                return self._text

    def _object(self, schema: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        parts = schema.get("properties")
        required = [name for name in _listed(schema, "required") if isinstance(name, str)]
        value: dict[str, Any] = {}
        for name, part in parts.items() if isinstance(parts, dict) else ():
            try:
                value[name] = self.build(part, (*path, ""))
            except _NoInstanceError:
                if name in required:
                    raise
        others = schema.get("additionalProperties", True)
        for name in required:
            if name not in value:
                value[name] = self.build(others, (*path, ""))
        while len(value) < _size(schema, "minProperties", 0):
            value[f"key_{len(value) + 1}"] = self.build(others, (*path, ""))
        return value

    def _array(self, schema: Mapping[str, Any], path: tuple[str, ...]) -> list[Any]:
        heads, others = _listed(schema, "prefixItems"), schema.get("items", True)
        least = _size(schema, "minItems", 0)
        most = _size(schema, "maxItems", max(least, len(heads), 1))
        value: list[Any] = []
        for n in range(min(most, max(least, len(heads), 1))):
            try:
                value.append(self.build(heads[n] if n < len(heads) else others, (*path, "")))
            except _NoInstanceError:
                if n < least:
                    raise
                break
        return value

    def _string(self, schema: Mapping[str, Any]) -> str:
        if (known := _FORMATS.get(str(schema.get("format")))) is not None:
            return known
        least = _size(schema, "minLength", 0)
        if least > _LONGEST:
            raise _NoInstanceError
        return self._text[: _size(schema, "maxLength", _LONGEST)].ljust(least, ".")


def _without(schema: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in keys}


def _merged(schema: Any, other: Any) -> Any:
    """Both at once: ``other`` wins, but properties and required names add up."""
    if not isinstance(schema, dict) or not isinstance(other, dict):
        # True allows everything, False nothing.
        return False if False in (schema, other) else other if schema is True else schema
    both = {**schema, **other}
    if isinstance(schema.get("properties"), dict) and isinstance(other.get("properties"), dict):
        both["properties"] = {**schema["properties"], **other["properties"]}
    if "required" in both:
        both["required"] = [*_listed(schema, "required"), *_listed(other, "required")]
    return both


def _listed(schema: Mapping[str, Any], key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []


def _size(schema: Mapping[str, Any], key: str, default: int) -> int:
    value = schema.get(key)
    return value if isinstance(value, int) and value >= 0 else default


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    over, under = _bound(schema, "exclusiveMinimum"), _bound(schema, "exclusiveMaximum")
    step = abs(_bound(schema, "multipleOf") or Fraction(0))
    if whole:
        step = Fraction(step.numerator or 1)  # the whole multiples of p/q are those of p
    for value in _candidates([low, over], [high, under], step or Fraction(1)):
        in_bounds = (
            (low is None or value >= low)
            and (high is None or value <= high)
            and (over is None or value > over)
            and (under is None or value < under)
        )
        if in_bounds and (not step or (value / step).denominator == 1):
            return int(value) if value.denominator == 1 else float(value)
    raise _NoInstanceError


def _candidates(
    lows: Sequence[Fraction | None], highs: Sequence[Fraction | None], step: Fraction
) -> Iterator[Fraction]:
    """Values to try: 1 and 0, each bound and the multiples of ``step`` around it, the middle."""
    yield Fraction(1)
    yield step
    yield Fraction(0)
    bounds = [bound for bound in (*lows, *highs) if bound is not None]
    for bound in bounds:
        near = math.floor(bound / step)
        yield bound
        yield from (step * (near + n) for n in (0, 1, 2, -1))
    if bounds:
        yield (max(bounds) + min(bounds)) / 2


def _bound(schema: Mapping[str, Any], key: str) -> Fraction | None:
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -_GREATEST <= value <= _GREATEST:
        raise _NoInstanceError
    # By its digits: the schema means 0.1, not the nearest binary number.
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))
