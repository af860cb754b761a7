"""How an application is asked and read, over a real connection."""

import asyncio
import json

import pytest

from failsoft.testing.app_under_test import served
from failsoft.testing.exchange import Ask, asked


def replying(body, *, status=200, received=None):
    """An application that gives one reply to everything."""

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        message = await receive()
        if received is not None:
            received.append((scope["path"], dict(scope["headers"]), json.loads(message["body"])))
        headers = [(b"x-of", b"the-reply")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def ask(app, how, **options):
    with served(app) as url:
        return await asked(url, how, "What?", **options)


async def test_the_question_is_put_where_it_belongs_with_the_headers():
    received = []
    body = {"turns": [{"text": "Q: {question}"}], "n": 1}
    how = Ask(path="/ask", body=body, headers={"cookie": "officer=Ann"})
    await ask(replying(b"{}", received=received), how)
    ((path, headers, sent),) = received
    assert (path, headers[b"cookie"]) == ("/ask", b"officer=Ann")
    assert sent == {"turns": [{"text": "Q: What?"}], "n": 1}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error": {"title": "T", "body": "B"}}', "T\nB"),
        (b'{"response": "Fine."}', "Fine."),
        (b'{"detail": "x"}', '{"detail": "x"}'),
        (b"[1]", "[1]"),
        (b"Internal Server Error", "Internal Server Error"),
        (b"\xff", "�"),
        (b"", ""),
    ],
)
async def test_what_a_person_is_shown(body, shown):
    reply = await ask(replying(body, status=503), Ask())
    assert (reply.shown, reply.status, reply.problem) == (shown, 503, "")
    assert "x-of: the-reply" in reply.raw


async def test_of_a_stream_the_words_and_the_message_are_shown():
    events = [
        {"type": "start"},
        {"type": "text", "text": "You need "},
        {"type": "text", "text": "a proof"},
        {"type": "stream_interrupted", "user_message": "Try again."},
    ]
    body = "".join(f"id: {n}\ndata: {json.dumps(event)}\n\n" for n, event in enumerate(events))
    body += "data: [DONE]\n\n"
    reply = await ask(replying(body.encode()), Ask(stream="/s"), stream=True)
    assert reply.shown == "You need a proof\nTry again."
    assert reply.fields["type"] == "stream_interrupted"


async def test_a_function_may_ask_and_what_it_raises_is_told():
    async def broken(_http, question):
        raise KeyError(question)

    reply = await ask(replying(b""), broken)
    assert reply.problem == "asking raised KeyError: 'What?'"


async def test_a_connection_that_is_refused_is_told():
    reply = await asked("http://127.0.0.1:9", Ask(), "What?")
    assert reply.problem.startswith("asking raised ClientConnectorError")


async def test_a_reply_that_does_not_come_is_not_waited_for(monkeypatch):
    async def silent(scope, _receive, _send):
        if scope["type"] == "http":
            await asyncio.Event().wait()

    monkeypatch.setattr("failsoft.testing.exchange.LIMIT_SECONDS", 0.2)
    reply = await ask(silent, Ask())
    assert reply.problem == "no reply came within 0.2 s"


async def test_an_application_that_does_not_start_says_so():
    async def broken(scope, receive, send):
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(AssertionError, match="did not start"), served(broken):
        pass
