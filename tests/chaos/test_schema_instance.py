"""A value that fits a schema: checked by a small reading of JSON schema that is the tests' own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from failsoft.chaos.simulator.schema_instance import instance_of

TYPES: Mapping[str, Any] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}


def fits(value: Any, schema: Any, root: Any) -> bool:
    if isinstance(schema, bool):
        return schema
    kinds = schema.get("type", list(TYPES))
    return (
        ("$ref" not in schema or fits(value, referred(schema["$ref"], root), root))
        and ("const" not in schema or value == schema["const"])
        and ("enum" not in schema or value in schema["enum"])
        and ("anyOf" not in schema or any(fits(value, each, root) for each in schema["anyOf"]))
        and all(fits(value, each, root) for each in schema.get("allOf", []))
        and any(of_kind(value, kind) for kind in (kinds if isinstance(kinds, list) else [kinds]))
        and fits_inside(value, schema, root)
    )


def referred(reference: str, root: Any) -> Any:
    for step in reference.split("/")[1:]:
        root = root[step]
    return root


def of_kind(value: Any, kind: str) -> bool:
    is_bool = isinstance(value, bool)
    return isinstance(value, TYPES[kind]) and is_bool == (kind == "boolean")


def fits_inside(value: Any, schema: Any, root: Any) -> bool:
    match value:
        case dict():
            named = schema.get("properties", {})
            others = schema.get("additionalProperties", True)
            return (
                set(schema.get("required", [])) <= set(value)
                and len(value) >= schema.get("minProperties", 0)
                and all(fits(each, named.get(key, others), root) for key, each in value.items())
            )
        case list():
            heads, items = schema.get("prefixItems", []), schema.get("items", True)
            parts = [*heads, *[items] * len(value)]
            return schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 99) and all(
                fits(each, part, root) for each, part in zip(value, parts, strict=False)
            )
        case str():
            return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 999)
        case bool() | None:
            return True
        case _:
            step = schema.get("multipleOf")
            return (
                schema.get("minimum", value) <= value <= schema.get("maximum", value)
                and not value <= schema.get("exclusiveMinimum", value - 1)
                and not value >= schema.get("exclusiveMaximum", value + 1)
                and (step is None or abs(value / step - round(value / step)) < 1e-9)
            )


SMALL = st.integers(0, 4)
NUMBERS = st.fixed_dictionaries(
    {"type": st.sampled_from(["number", "integer"])},
    optional={
        "minimum": st.integers(-50, 50) | st.floats(-50, 50),
        "multipleOf": st.sampled_from([1, 3, 0.5, 0.25]),
    },
) | st.builds(
    lambda low, room: {
        "type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + room
    },
    st.floats(-50, 50), st.floats(0.1, 9),
)  # fmt: skip
LEAVES = (
    NUMBERS
    | st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": SMALL})
    | st.builds(lambda n: {"type": "string", "maxLength": n}, SMALL)
    | st.builds(lambda values: {"enum": values}, st.lists(st.text(), min_size=1))
    | st.builds(lambda value: {"const": value}, st.none() | st.text() | st.integers())
    | st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["null", "integer"]}, True])
    | st.builds(lambda name: {"$ref": f"#/$defs/{name}"}, st.sampled_from(["node", "leaf"]))
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda parts, extra: {
            "type": "object",
            "properties": parts,
            # What refers to the root's "node" may go round, so it is not required.
            "required": [
                *(name for name in parts if "node" not in json.dumps(parts[name])),
                *extra,
            ],
            "minProperties": len(extra),
        },
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        st.lists(st.sampled_from(["x", "y"]), unique=True),
    )


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    plain = st.builds(
        lambda part, least, room: {
            "type": "array",
            "items": part,
            "minItems": 0 if "node" in json.dumps(part) else least,
            "maxItems": least + room,
        },
        inner, SMALL, SMALL,
    )  # fmt: skip
    heads = st.lists(LEAVES.filter(lambda part: "node" not in json.dumps(part)), max_size=2)
    tuples = st.builds(
        lambda parts: {"type": "array", "prefixItems": parts, "minItems": len(parts)}, heads
    )
    return plain | tuples


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: (
        objects(inner)
        | arrays(inner)
        | st.builds(
            lambda parts: {"anyOf": [*parts, {"type": "null"}]}, st.lists(inner, max_size=2)
        )
        | st.builds(
            lambda parts: {"allOf": parts}, st.lists(objects(inner), min_size=1, max_size=1)
        )
    ),
    max_leaves=8,
)


@given(objects(SCHEMAS), objects(SCHEMAS), st.text(max_size=20))
def test_the_value_fits_the_schema(schema: Any, node: Any, text: str) -> None:
    root = {**schema, "$defs": {"node": node, "leaf": {"type": "string", "minLength": 1}}}
    value = instance_of(root, text=text)
    assert fits(value, root, root), value
    assert json.loads(json.dumps(value)) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "items", "properties", "anyOf", "allOf", "$ref", "required",
                         "enum", "minItems", "minimum", "multipleOf", "minLength", "a"]),
        inner | st.sampled_from(["#", "#/a", "object", "array", "string", "integer"]),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_json_as_a_schema_ends_in_a_value(schema: Any) -> None:
    json.dumps(instance_of(schema, text="x"))


def deep(levels: int) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema, "minItems": 1}
    return schema


MUTUAL = {
    "$ref": "#/$defs/0",
    "$defs": {
        str(n): {
            "type": "object",
            "properties": {str(m): {"$ref": f"#/$defs/{m}"} for m in range(12)},
        }
        for n in range(12)
    },
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "array", "minItems": 10**9}, None),
        ({"type": "string", "minLength": 10**9}, None),
        ({"type": "object", "minProperties": 10**9}, None),
        ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, None),
        ({"enum": [], "type": "string"}, None),
        ({"$ref": "#"}, None),
        ({"$ref": "#/$defs/missing"}, None),
        (False, None),
        (deep(400), None),
        (True, "text"),
        ({"type": "number", "multipleOf": 0.1, "minimum": 1.05}, 1.1),
        ({"type": "integer", "multipleOf": 2.5, "minimum": 6}, 10),
        ({"type": "integer", "minimum": 10**400}, None),
    ],
)
def test_what_no_value_fits_or_none_that_is_small(schema: Any, value: Any) -> None:
    assert instance_of(schema, text="text") == value


def test_schemas_that_refer_to_each_other_end() -> None:
    assert len(json.dumps(instance_of(MUTUAL, text="x"))) < 100_000


class Colour(Enum):
    RED = "red"


class Part(BaseModel):
    name: Annotated[str, Field(min_length=3, max_length=5)]
    weight: Annotated[float, Field(gt=0, lt=0.5)]


class Machine(BaseModel):
    """Most of what pydantic writes into a schema."""

    id: UUID
    made: date
    seen: datetime
    colour: Colour
    kind: Literal["big", "small"]
    parts: Annotated[list[Part], Field(min_length=2, max_length=3)]
    by_name: dict[str, Part]
    spare: Machine | None
    note: str | None = None
    pair: tuple[int, bool]
    count: Annotated[int, Field(ge=7, multiple_of=5)]
    either: Part | int


def test_what_pydantic_asks_for_it_takes_back() -> None:
    schema = TypeAdapter(Machine).json_schema()
    value = instance_of(schema, text="What is it?")
    machine = Machine.model_validate_json(json.dumps(value))
    assert [part.name for part in machine.parts] == ["What ", "What "]
    assert machine.spare is None
    assert machine.note == "What is it?"
    assert machine.count == 10
    assert re.fullmatch(r"[0-9a-f-]{36}", str(machine.id))
