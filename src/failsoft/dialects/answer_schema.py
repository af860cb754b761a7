"""JSON schemas as the two dialects take them: open, closed, strict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["closed", "is_strict"]

# Where a schema has others in it: by name, in a list, or one.
_BY_NAME = ("properties", "$defs", "definitions", "patternProperties")
_SEVERAL = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE = ("items", "additionalProperties", "not", "if", "then", "else")


def is_strict(schema: object) -> bool:
    """Whether a JSON schema is one that OpenAI takes as ``strict``.

    Each object in it names every property as required and allows no others.

    >>> is_strict({"type": "object", "properties": {"a": {}}, "additionalProperties": False})
    False
    """
    try:
        return isinstance(schema, dict) and all(map(_requires_all, _schemas(schema)))
    except RecursionError:
        return False


def closed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A JSON schema whose objects allow no properties but their own, as the Messages API asks.

    An object that says itself which others it allows stays as it is, and so does one that names
    none. A schema that is closed already is returned itself.

    >>> closed({"type": "object", "properties": {"a": {}}})
    {'type': 'object', 'properties': {'a': {}}, 'additionalProperties': False}
    """
    try:
        found = _closed(schema)
    except RecursionError:
        return schema
    return schema if found == schema else found


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for key in _BY_NAME:
        if isinstance(inner := schema.get(key), dict):
            made[key] = {name: _closed(one) for name, one in inner.items()}
    for key in _SEVERAL:
        if isinstance(inner := schema.get(key), list):
            made[key] = [_closed(one) for one in inner]
    for key in _ONE:
        if isinstance(inner := schema.get(key), dict):
            made[key] = _closed(inner)
    if schema.get("properties"):
        made.setdefault("additionalProperties", False)
    return made


def _schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all others in it."""
    yield schema
    inside = [schema.get(key) for key in _ONE]
    for key in _BY_NAME:
        inside += inner.values() if isinstance(inner := schema.get(key), dict) else ()
    for key in _SEVERAL:
        inside += inner if isinstance(inner := schema.get(key), list) else ()
    for one in inside:
        if isinstance(one, dict):
            yield from _schemas(one)


def _requires_all(schema: dict[str, Any]) -> bool:
    properties = schema.get("properties")
    if not isinstance(properties, dict) and schema.get("type") != "object":
        return True
    named = set(properties) if isinstance(properties, dict) else set()
    required = schema.get("required")
    known = required if isinstance(required, list) else ()
    return schema.get("additionalProperties") is False and all(name in known for name in named)
