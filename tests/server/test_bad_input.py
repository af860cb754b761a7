"""Whatever is sent is answered in plain words that name the field; nothing sent is shown."""

import asyncio
import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server_kit import FakeProvider, Reply, assistant, call, listening, service

from failsoft.config.settings import RouteSettings
from failsoft.server import create_app
from failsoft.server.validation import Question

APP = service("Hi.", server={"body_limit_bytes": 2000, "history_limit": 3})
PATHS = ("/api/chat", "/api/chat/stream")
MARK = "PLANTED"


def problem(reply: Reply, status: int) -> dict[str, object]:
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-request-id"].startswith("req_")
    body = reply.json
    assert body["status"] == status
    assert {"type", "title", "status", "detail"} <= set(body) <= {*body, "errors"}
    assert MARK.encode() not in reply.body
    assert b"Traceback" not in reply.body
    return body


def fields(reply: Reply) -> list[str]:
    return [each["field"] for each in reply.json.get("errors", [])]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"message":"\xe9"}', "UTF-8"),
        (b'{"message": "PLANTED"', "line 1, column 22"),
        (b"PLANTED", "JSON"),
        (b'{"max_tokens": NaN, "message": "PLANTED"}', "NaN"),
        (b'{"max_tokens": -Infinity}', "-Infinity"),
        (b"[" * 1900, "nested"),
        (b'{"a":' * 390, "nested"),
        (b'{"max_tokens": ' + b"9" * 1900 + b"}", "must be"),
        (b"[]", "object"),
        (b'"PLANTED"', "object"),
        (b"null", "object"),
    ],
)
async def test_a_body_that_is_no_json_object(path, raw, word):
    if word == "nested":
        raw *= 10  # deeper than any parser follows; the limit is raised for it
    app = service("Hi.", server={"body_limit_bytes": 200_000}) if word == "nested" else APP
    reply = await call(app, path, raw)
    body = problem(reply, 422 if word == "must be" and reply.status == 422 else 400)
    assert word in body["detail"]


async def test_a_number_too_long_to_read():
    app = service("Hi.", server={"body_limit_bytes": 20_000})
    reply = await call(app, body=b'{"max_tokens": ' + b"9" * 5000 + b"}")
    assert "numbers" in problem(reply, 400)["detail"]


async def test_a_name_that_is_there_twice():
    reply = await call(APP, body=b'{"message": "PLANTED", "message": "b"}')
    assert problem(reply, 400)["errors"] == [
        {"field": "message", "problem": "is there twice; send it once"}
    ]


TURN = {"role": "user", "content": "a"}


@pytest.mark.parametrize(
    ("sent", "field", "word"),
    [
        ({}, "message", "required"),
        ({"message": ""}, "message", "empty"),
        ({"message": " \n"}, "message", "empty"),
        ({"message": None}, "message", "text"),
        ({"message": [MARK]}, "message", "text"),
        ({"message": "\ud800"}, "message", "half"),
        ({"message": "?", "mesage": MARK}, "mesage", "not a field"),
        ({"message": "?", "history": {}}, "history", "list"),
        ({"message": "?", "history": [TURN] * 4}, "history", "at most 3"),
        ({"message": "?", "history": ["a"]}, "history[0]", "object"),
        (
            {"message": "?", "history": [TURN, {"role": MARK, "content": "b"}]},
            "history[1].role",
            "'user' or 'assistant'",
        ),
        ({"message": "?", "history": [{"role": "user"}]}, "history[0].content", "required"),
        (
            {"message": "?", "history": [{"role": "user", "content": " "}]},
            "history[0].content",
            "empty",
        ),
        ({"message": "?", "history": [TURN | {"name": MARK}]}, "history[0].name", "not a field"),
        ({"message": "?", "system": 1}, "system", "text"),
        ({"message": "?", "model": MARK}, "model", "not a model of this service"),
        ({"message": "?", "model": "anthropic/claude-2"}, "model", "not a model"),
        ({"message": "?", "max_tokens": 0}, "max_tokens", "from 1"),
        ({"message": "?", "max_tokens": 10**10}, "max_tokens", "from 1"),
        ({"message": "?", "max_tokens": 1.5}, "max_tokens", "whole number"),
        ({"message": "?", "max_tokens": True}, "max_tokens", "whole number"),
        ({"message": "?", "max_tokens": "7"}, "max_tokens", "whole number"),
        ({"message": "?", "route": MARK}, "route", "'chat'"),
        ({"message": "?", "locale": "e" * 36}, "locale", "language tag"),
        ({"message": "?", "locale": "../en"}, "locale", "language tag"),
        ({"message": "?", "metadata": [MARK]}, "metadata", "object"),
    ],
)
async def test_a_field_that_is_wrong_is_named(sent, field, word):
    reply = await call(APP, body=sent)
    body = problem(reply, 422)
    assert fields(reply) == [field]
    assert word in body["errors"][0]["problem"]
    assert body["detail"] == f"{field}: {body['errors'][0]['problem']}"


ROUTES = {"support": RouteSettings(allowed_models=("claude-haiku-5-5",))}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"route": MARK}, {"route": "must be 'chat' or 'support'"}),
        ({"route": 5}, {"route": "must be text"}),
        (
            {"route": "support", "model": "claude-opus-5-5"},
            {
                "model": "is not allowed on route 'support'; leave it out to get the best one "
                "that is"
            },
        ),
        (
            {"route": MARK, "model": MARK},
            {
                "route": "must be 'chat' or 'support'",
                "model": "is not a model of this service; leave it out to get the best one there "
                "is",
            },
        ),
        ({"route": MARK, "model": "claude-opus-5-5"}, {"route": "must be 'chat' or 'support'"}),
    ],
)
async def test_a_route_or_a_model_that_it_does_not_allow(path, sent, told):
    reply = await call(service("Hi.", routes=ROUTES), path, {"message": "?"} | sent)
    problem(reply, 422)
    assert {each["field"]: each["problem"] for each in reply.json["errors"]} == told


async def test_every_wrong_field_is_told_at_once():
    reply = await call(APP, body={"message": 1, "max_tokens": "x", "locale": 3})
    assert fields(reply) == ["message", "max_tokens", "locale"]


async def test_a_strange_name_is_told_safely():
    name = "\x1b[31m\ud800é" + "x" * 500
    reply = await call(APP, body={"message": "?", name: MARK})
    (shown,) = fields(reply)
    assert shown.startswith("\\x1b[31m\\ud800\\xe9")
    assert len(shown) < 100


@pytest.mark.parametrize("bad", ["0", "-1", "soon", "", "1e3", "nan", "inf", "1_000", "٣", "0.0"])
async def test_a_deadline_that_is_none(bad):
    reply = await call(
        APP,
        body={"message": "?"},
        headers={"x-request-deadline-ms": bad.encode().decode("latin-1")},
    )
    problem(reply, 400)
    assert fields(reply) == ["X-Request-Deadline-Ms"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/jsonp", "application/x-www-form-urlencoded", "", "json"]
)
async def test_a_body_of_another_type(kind):
    reply = await call(APP, body={"message": "?"}, headers={"content-type": kind})
    assert "-H 'content-type: application/json'" in problem(reply, 415)["detail"]
    assert fields(reply) == ["Content-Type"]


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.a.b+json"]
)
async def test_json_by_its_names(kind):
    reply = await call(APP, body={"message": "?"}, headers={"content-type": kind})
    assert reply.status == 200


async def test_a_program_may_leave_the_type_out_and_a_page_may_not():
    """A page can make a browser post a body without a type, unasked."""

    async def untyped(*headers: tuple[bytes, bytes]) -> int:
        seen: list[int] = []

        async def app(scope, receive, send):
            scope["headers"] = list(headers)
            await APP(scope, receive, send)

        reply = await call(app, body={"message": "?"})
        seen.append(reply.status)
        return seen[0]

    assert await untyped() == 200
    assert await untyped((b"origin", b"http://localhost:3000")) == 415


@pytest.mark.parametrize("declared", ["2001", "9" * 400])
async def test_a_body_declared_too_large_is_not_read(declared):
    reply = await call(APP, body=b"", headers={"content-length": declared})
    assert "2000 bytes" in problem(reply, 413)["detail"]


async def test_a_body_that_grows_too_large():
    reply = await call(APP, body={"message": "a" * 2000})
    assert "2000 bytes" in problem(reply, 413)["detail"]


async def test_a_body_at_the_limit_is_read():
    raw = json.dumps({"message": "?"}).encode()
    assert (await call(APP, body=raw + b" " * (2000 - len(raw)))).status == 200


async def test_nothing_wrong_reaches_a_model():
    provider = FakeProvider(("Hi.",))
    app = create_app(assistant(provider))
    for body in (b"", {"message": ""}, {"message": "?", "x": 1}):
        await call(app, body=body)
    assert provider.calls == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
named = st.sampled_from([*Question.model_fields, "role", "content", "x"])
anything = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.dictionaries(named, json_values).map(lambda v: json.dumps(v).encode()),
    json_values.map(lambda v: json.dumps(v).encode()),
)
header_values = st.text(string.printable + "é\xff", max_size=60).filter(
    lambda v: not set(v) & set("\r\n\x0b\x0c")
)


@settings(max_examples=300)
@given(
    raw=anything,
    headers=st.dictionaries(
        st.sampled_from(
            [
                "accept-language",
                "authorization",
                "content-length",
                "content-type",
                "origin",
                "x-api-key",
                "x-request-deadline-ms",
            ]
        ),
        header_values,
    ),
    path=st.sampled_from(PATHS),
)
def test_anything_at_all(raw, headers, path):
    reply = asyncio.run(
        call(APP, path, raw, headers={"content-type": "application/json"} | headers)
    )
    if reply.status == 200:
        assert json.loads(raw)["message"].strip()
    else:
        assert 400 <= reply.status < 500
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["detail"]


async def test_a_body_that_does_not_come_in_time():
    app = service("Hi.", server={"body_timeout_seconds": 0.1})
    async with listening(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b'content-length: 100\r\n\r\n{"mess'
        )
        async with asyncio.timeout(10):
            raw = await reader.read()  # to the end: the server closes, what follows is unknown
        writer.close()
    assert raw.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in raw


async def test_a_body_too_large_is_told_while_it_is_sent():
    app = service("Hi.", server={"body_limit_bytes": 2000})
    async with listening(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"a" * 1000 + b"\r\n"
        )
        for _ in range(3):
            writer.write(b"3e8\r\n" + b"a" * 1000 + b"\r\n")
            await writer.drain()
        async with asyncio.timeout(10):
            line = await reader.readline()
        writer.close()
    assert line.startswith(b"HTTP/1.1 413 ")
