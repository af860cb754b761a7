"""The load: its pace, its bound, and which questions it asks."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace

import aiohttp
from aiohttp import web
from drill_kit import scenario, serving

from failsoft.chaos.drills.load import Generator


class Service:
    """Answers slowly, and remembers what it was asked."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = self.most = 0
        self.asked: list[tuple[str, str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        body = await request.json()
        key = request.headers["idempotency-key"]
        self.asked.append((request.match_info["kind"], key, body["message"]))
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return web.json_response({"status": "success", "response": "Hi", "level": "full"})


async def loaded(service: Service, **changed: float) -> Generator:
    usual = {"rate": 400.0, "seconds": 1.0, "requests": 60, "streams": 0.0}
    load = replace(scenario().load, **{**usual, **changed})
    async with serving(service.answer) as url, aiohttp.ClientSession(url) as session:
        generator = Generator(load, session)
        await generator.run(time.monotonic())
    return generator


async def test_never_more_are_in_flight_than_allowed_and_all_are_asked():
    service = Service(0.02)
    generator = await loaded(service, at_once=4, doubled=0.5)
    assert service.most == 4
    assert generator.held_back > 0
    assert len(generator.replies) == len(service.asked) > 60
    assert all(reply.level == "full" for reply in generator.replies)


async def test_a_double_click_is_the_same_post_twice_with_one_key():
    service = Service(0)
    generator = await loaded(service, doubled=1, known=0)
    posts = Counter(service.asked)
    assert set(posts.values()) == {2}
    assert len({key for _, key, _ in posts}) == len(posts) == 60
    numbers = [generator.number_of(message) for _, _, message in posts]
    assert sorted(numbers) == list(range(60))


async def test_known_questions_are_those_of_the_warm_up_and_have_no_number():
    service = Service(0)
    load = replace(scenario().load, rate=400.0, seconds=1.0, requests=60, known=1.0, streams=1.0)
    async with serving(service.answer) as url, aiohttp.ClientSession(url) as session:
        generator = Generator(load, session)
        assert await generator.warm_up()
        warm = {message for _, _, message in service.asked}
        service.asked.clear()
        await generator.run(time.monotonic())
    assert {message for _, _, message in service.asked} <= warm
    assert {kind for kind, _, _ in service.asked} == {"chat/stream"}
    assert {generator.number_of(message) for message in warm} == {None}
    assert all(reply.question is None for reply in generator.replies)
