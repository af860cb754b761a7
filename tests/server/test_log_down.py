"""The request log cannot be written: whoever asks is answered all the same, and health says why."""

import asyncio
import sqlite3

import pytest
from server_kit import FakeProvider, ask, assistant, call, stream

from failsoft.server import create_app


def no_database(file):
    file.write_bytes(b"This is a letter, not a database. " * 100)


def scribbled(file):
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE anything (a)")
    made.close()
    file.write_bytes(file.read_bytes()[:100] + b"\xff" * 8000)


def a_folder(file):
    file.mkdir()


@pytest.mark.parametrize("damage", [no_database, scribbled, a_folder])
async def test_a_damaged_log_stops_nobody(damage, tmp_path):
    file = tmp_path / ".failsoft" / "requests.db"
    file.parent.mkdir()
    damage(file)
    ai = assistant(FakeProvider(("Fine. ", "Really.")))
    app = create_app(ai)
    for _ in range(2):
        assert (await ask(app)).json["response"] == "Fine. Really."
        assert [e["type"] for e in (await stream(app)).events] == ["start", "text", "text", "done"]
    health = (await call(app, "/api/health/ai", method="GET")).json
    assert health["status"] == "degraded"
    store = health["stores"][0]
    assert (store["name"], store["up"]) == ("request_log", False)
    assert "requests.db" in store["problem"]
    reply = await call(app, "/api/requests/" + "r" * 36, method="GET")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert "cannot be read right now" in reply.json["detail"]
    await ai.aclose()


async def test_copies_at_once_are_one_call_even_then(tmp_path):
    (tmp_path / ".failsoft").write_text("a file where the folder should be")
    provider = FakeProvider(("Fine.",))
    ai = assistant(provider)
    app = create_app(ai)
    key = {"idempotency-key": "k"}
    copies = (call(app, body={"message": "?"}, headers=key) for _ in range(20))
    replies = await asyncio.gather(*copies)
    assert len({reply.body for reply in replies}) == 1
    assert len(provider.calls) == 1
    await ai.aclose()
