"""The routes in somebody else's application."""

from fastapi import Depends, FastAPI, HTTPException
from server_kit import FakeProvider, assistant, call
from starlette.applications import Starlette
from starlette.routing import Mount

from failsoft.engine.client import Failsoft
from failsoft.server import router

QUESTION = {"message": "?"}


async def test_in_a_fastapi_application():
    app = FastAPI()
    app.include_router(router(assistant(FakeProvider(("Hi.",)))), prefix="/ai")
    reply = await call(app, "/ai/api/chat", QUESTION)
    assert reply.json["response"] == "Hi."
    assert reply.headers["x-request-id"] == reply.json["request_id"]
    assert (await call(app, "/ai/api/chat/stream", QUESTION)).events[-1]["type"] == "done"
    assert (await call(app, "/ai/api/health/ai", method="GET")).status == 200


async def test_in_a_starlette_application():
    app = Starlette(routes=[Mount("/ai", router(assistant(FakeProvider(("Hi.",)))))])
    assert (await call(app, "/ai/api/chat", QUESTION)).json["response"] == "Hi."
    assert (await call(app, "/ai/api/chat/stream", QUESTION)).events[-1]["type"] == "done"
    assert (await call(app, "/ai/nothing", QUESTION)).status == 404


async def test_the_application_decides_who_comes_in():
    async def signed_in() -> None:
        raise HTTPException(403)

    app, provider = FastAPI(), FakeProvider(("Hi.",))
    app.include_router(router(assistant(provider)), dependencies=[Depends(signed_in)])
    for path in ("/api/chat", "/api/chat/stream"):
        assert (await call(app, path, QUESTION)).status == 403
    assert provider.calls == []


async def test_problems_and_accidents_are_told_there_too(monkeypatch):
    app = FastAPI()
    app.include_router(router(assistant(FakeProvider(("Hi.",)))))
    reply = await call(app, "/api/chat", b"{")
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    monkeypatch.setattr(Failsoft, "ask", lambda *_, **__: 1 / 0)
    reply = await call(app, "/api/chat", QUESTION)
    assert (reply.status, reply.json["error_category"]) == (503, "unknown")
    assert reply.headers["cache-control"] == "no-store"
