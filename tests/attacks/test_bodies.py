"""Bodies that are large, or hold up everybody else while they are read."""

import asyncio
import json

import pytest
from server_kit import FakeProvider, assistant, call

from failsoft.server import create_app
from failsoft.server.body import BodyBytes
from failsoft.server.problem import Problem

MEGABYTE = 1024 * 1024


def app(*steps, **server):
    return create_app(assistant(FakeProvider(steps or ("Hi.",)), server=server))


def of(values):
    """A body of nearly a megabyte, whose metadata is a list of these."""
    room = MEGABYTE - 100
    body = b'{"message":"?","metadata":{"a":[%s]}}' % b",".join(
        [values] * (room // (len(values) + 1))
    )
    assert 0.9 * MEGABYTE < len(body) <= MEGABYTE
    return body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (of(b"[]"), 413),
        (of(b"{}"), 413),
        (of(b"1"), 413),
        (of(b'""'), 413),
        (of(b'{"a":"\\"","b":[1,2]}'), 413),
        (of(b"9" * 4000), 400),
        (of(b"1e" + b"9" * 4000), 400),
        (of(b'"' + b"9" * 4000 + b'"'), 200),
        (of(b'"' + b"[{," * 1000 + b'"'), 200),
        (of(b'"' + b'\\"[' * 1000 + b'"'), 200),
        (of(b"1234567890123456789.123456789012345e-10, 2" + b" " * 400), 200),
        (b'{"message":"%s"}' % (b"x" * (MEGABYTE - 14)), 200),
        (b'{"message":"%s"}' % (b"x" * (MEGABYTE - 13)), 413),
    ],
    ids=[
        "lists", "objects", "numbers", "texts", "all of them", "long integers", "long exponents",
        "digits in texts", "brackets in texts", "quotes in texts", "numbers with digits",
        "a megabyte", "a byte more",
    ],
)  # fmt: skip
async def test_what_takes_long_to_read_is_refused_and_what_is_long_is_not(body, status):
    reply = await call(app(), body=body)
    assert reply.status == status, reply.body[:300]


async def test_all_bodies_together_have_a_limit():
    answered = asyncio.Event()
    service = app(answered.wait, "Hi.", body_limit_bytes=4000, bodies_limit_bytes=10_000)
    body = json.dumps({"message": "x" * 3800}).encode()
    first = [asyncio.create_task(call(service, body=body)) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in range(3):  # whatever was refused holds nothing
        reply = await call(service, body=body)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.headers["content-type"] == "application/problem+json"
    answered.set()
    assert [reply.status for reply in await asyncio.gather(*first)] == [200, 200]
    assert (await call(service, body=body)).status == 200


def test_what_a_request_held_is_given_back_however_it_ends():
    bodies = BodyBytes(100)
    for _ in range(3):
        with bodies.held() as take:
            take(60)
            with bodies.held() as other:
                other(40)
            with pytest.raises(Problem):
                take(41)
    with bodies.held() as take:
        take(100)
