"""The load's client against services that misbehave: what a drill is there to find, it finds."""

from __future__ import annotations

import json
import random
import time

import aiohttp
import pytest
from aiohttp import web
from drill_kit import Handler, serving

from failsoft.chaos.drills.load import Client, LoadQuestion, LoadReply

NOTICE = {"title": "Busy", "body": "Wait a little."}
LONG = "An answer of more than twenty letters. "


async def ask(handler: Handler, *, stream: bool, patience: float = 5.0) -> LoadReply:
    async with serving(handler) as url, aiohttp.ClientSession(url) as session:
        client = Client(session, patience=patience, rng=random.Random(1), began=time.monotonic())
        return await client.ask(LoadQuestion(number=7, key="key-7", text="Hello?", stream=stream))


def plain(body: object, status: int = 200) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status, content_type="application/json")

    return answer


def events(*data: object, done: bool = True) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for number, each in enumerate(data, 1):
            text = each if isinstance(each, str) else json.dumps(each)
            await response.write(f": still here\n\nid: {number}\ndata: {text}\n\n".encode())
        if done:
            await response.write(b"data: [DONE]\n\n")
        return response

    return answer


def said(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}


START = {"type": "start", "request_id": "req_1"}
DONE = {"type": "done", "level": "full"}
ENDED = {"error": NOTICE, "error_category": "transient"}


@pytest.mark.parametrize("level", ["full", "cached", "rule"])
async def test_a_plain_answer(level):
    body = {"status": "success", "response": "Hi", "level": level, "request_id": "req_1"}
    reply = await ask(plain(body), stream=False)
    assert (reply.level, reply.ids, reply.raw, reply.ends) == (level, ("req_1",), "", None)
    assert reply.answered
    assert reply.asked_s <= reply.first_text_s <= reply.ended_s


async def test_a_plain_notice():
    body = {"status": "error", "error": NOTICE, "error_category": "timeout", "request_id": "r"}
    reply = await ask(plain(body, 503), stream=False)
    assert (reply.level, reply.category, reply.answered) == ("minimal", "timeout", False)


@pytest.mark.parametrize(
    ("body", "raw"),
    [
        ("<h1>Bad gateway</h1>", "502: b'<h1>Bad gateway</h1>'"),
        ("", "502: b''"),
        ({"detail": "Internal Server Error"}, "{'detail': 'Internal Server Error'}"),
        ({"title": "Too many", "detail": "Wait"}, "Too many: Wait"),
        ({"status": "error", "error": {"title": "", "body": "?"}}, "a failure without words: "),
        ({"status": "success", "response": "x", "level": "best"}, "an answer of level 'best'"),
        ([1], "[1]"),
    ],
)
async def test_what_no_person_should_see_is_a_raw_error(body, raw):
    reply = await ask(plain(body, 502), stream=False)
    assert reply.level == "raw"
    assert reply.raw.startswith(raw)


async def test_a_stream():
    reply = await ask(events(START, said("Hello "), said("you"), DONE), stream=True)
    assert (reply.level, reply.ids, reply.ends, reply.repeated) == ("full", ("req_1",), 1, False)
    assert reply.asked_s <= reply.first_text_s <= reply.ended_s


@pytest.mark.parametrize(
    ("kind", "level"), [("error", "minimal"), ("stream_interrupted", "interrupted")]
)
async def test_a_stream_that_fails(kind, level):
    reply = await ask(events(START, said("He"), {"type": kind, **ENDED}), stream=True)
    assert (reply.level, reply.category, reply.ends) == (level, "transient", 1)


async def test_two_ends_no_end_and_no_json_are_found():
    assert (await ask(events(START, DONE, DONE), stream=True)).ends == 2
    none = await ask(events(START, said("Hello")), stream=True)
    assert (none.ends, none.level, none.raw) == (0, "raw", "a stream without an end")
    broken = await ask(events(START, "{not json"), stream=True)
    assert (broken.level, broken.ends) == ("raw", None)


async def test_events_without_their_fields_are_raw_and_those_not_known_are_nothing():
    for event in ({"type": "start"}, {"type": "text", "text": 1}, {"type": "done"}):
        reply = await ask(events(event), stream=True)
        assert (reply.level, reply.raw) == ("raw", f"an event without its fields: {event}")
    reply = await ask(events(START, {"type": "new"}, {"kind": 1}, DONE), stream=True)
    assert (reply.level, reply.ends) == ("full", 1)


@pytest.mark.parametrize(("restart", "repeated"), [(True, False), (False, True)])
async def test_text_that_begins_anew_is_repeated_unless_a_restart_says_so(restart, repeated):
    again = [{"type": "restart", "segment": 2}] if restart else []
    reply = await ask(events(START, said(LONG), *again, said(LONG), DONE), stream=True)
    assert reply.repeated is repeated
    whole = {"status": "success", "response": LONG + LONG, "level": "full"}
    assert (await ask(plain(whole), stream=False)).repeated


async def test_a_lost_connection_is_asked_again_with_the_same_key():
    seen = []
    whole = events(START, said("Hello"), DONE)

    async def breaks_twice(request: web.Request) -> web.StreamResponse:
        seen.append((request.headers["idempotency-key"], await request.read()))
        if len(seen) == 1:
            request.transport.abort()
        if len(seen) == 2:
            return await events(START, said("Hel"), done=False)(request)
        return await whole(request)

    reply = await ask(breaks_twice, stream=True)
    assert (reply.level, reply.lost, reply.ends, reply.ids) == ("full", 2, 1, ("req_1",))
    assert seen == [seen[0]] * 3
    assert seen[0][0] == "key-7"


async def test_patience_ends():
    async def breaks(request: web.Request) -> web.StreamResponse:
        request.transport.abort()
        return web.Response()

    reply = await ask(breaks, stream=False, patience=0.3)
    assert (reply.level, reply.answered) == ("unanswered", False)
    assert reply.lost >= 1
