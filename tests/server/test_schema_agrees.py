"""What the schema admits is taken, and what it does not is refused."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server_kit import call, service

APP = service("Hi.", server={"history_limit": 2, "expose_model": True})
POST = APP.openapi()["paths"]["/api/chat"]["post"]
QUESTION = POST["requestBody"]["content"]["application/json"]["schema"]
HEADERS = {each["name"]: each["schema"] for each in POST["parameters"]}
KINDS = {"string": str, "object": dict, "array": list, "integer": int, "null": type(None)}


def admits(schema: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as there is in this one."""
    kind = KINDS.get(schema.get("type", ""), object)
    fits = isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
    fits = fits and ("enum" not in schema or value in schema["enum"])
    fits = fits and ("anyOf" not in schema or any(admits(each, value) for each in schema["anyOf"]))
    return fits and PARTS.get(kind, lambda *_: True)(schema, value)


def text(schema: dict[str, Any], value: str) -> bool:
    fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    return fits and re.search(schema.get("pattern", ""), value) is not None


def number(schema: dict[str, Any], value: int) -> bool:
    return schema.get("minimum", value) <= value <= schema.get("maximum", value)


def array(schema: dict[str, Any], value: list[Any]) -> bool:
    fits = len(value) <= schema.get("maxItems", len(value))
    return fits and all(admits(schema["items"], each) for each in value)


def table(schema: dict[str, Any], value: dict[str, Any]) -> bool:
    known = schema.get("properties", {name: {} for name in value})
    here = set(schema.get("required", ())) <= value.keys() <= known.keys()
    return here and all(admits(known[name], each) for name, each in value.items())


PARTS = {str: text, int: number, list: array, dict: table}

NOTHING = st.sampled_from([None, 0, -1, True, [], {}, "", " ", "\t\n", "x", "chat", "en", "en-"])
TEXT = NOTHING | st.text(max_size=3)
TURN = st.fixed_dictionaries(
    {}, optional={"role": TEXT | st.just("user"), "content": TEXT, "name": TEXT}
)
BODIES = st.fixed_dictionaries(
    {"message": TEXT | st.just("Why?")},
    optional={
        "history": NOTHING | st.lists(TURN | st.just({"role": "user", "content": "x"}), max_size=3),
        "system": TEXT,
        "route": TEXT,
        "model": TEXT | st.just("claude-opus-5-5"),
        "max_tokens": NOTHING | st.integers(-1, 2) | st.sampled_from([10**9, 10**9 + 1]),
        "locale": TEXT | st.sampled_from(["de-AT", "en_US", "x" * 36]),
        "metadata": NOTHING,
        "unknown": NOTHING,
    },
)


@settings(deadline=None)
@given(BODIES)
async def test_a_body_is_admitted_if_and_only_if_it_is_taken(body):
    reply = await call(APP, "/api/chat", json.dumps(body).encode())
    assert reply.status in (200, 422), reply.body
    assert admits(QUESTION, body) is (reply.status == 200), reply.body


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("X-Request-Deadline-Ms", ["0", "0.0", "", "-1", "1e3", "abc", "1" * 16, "9000", "9000.5"]),
        ("Idempotency-Key", ["", '""', "a\x7f", "x" * 256, "x" * 255, "a b", '"a"']),
    ],
)
async def test_a_header_is_admitted_if_and_only_if_it_is_taken(name, values):
    for value in values:
        reply = await call(APP, "/api/chat", {"message": "?"}, headers={name.lower(): value})
        assert admits(HEADERS[name], value) is (reply.status == 200), (value, reply.body)


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP, identity"])
async def test_a_body_that_is_compressed_is_told_so(encoding):
    body = gzip.compress(b'{"message": "?"}')
    reply = await call(APP, "/api/chat", body, headers={"content-encoding": encoding})
    assert reply.status == 415
    assert reply.headers["accept-encoding"] == "identity"
    assert [each["field"] for each in reply.json["errors"]] == ["Content-Encoding"]
    assert "UTF-8" not in reply.json["detail"]


async def test_an_encoding_that_is_none_is_taken():
    headers = {"content-encoding": "identity"}
    assert (await call(APP, "/api/chat", {"message": "?"}, headers=headers)).status == 200
