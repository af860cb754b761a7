"""Nothing is done twice and nothing is lost, over real processes and real kills."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
from pathlib import Path

import aiohttp
from server_process import served

QUESTION = {"message": "?"}
SLOW = "*=latency;first_content_ms=50;between_events_ms=25"
SLOWER = "*=latency;first_content_ms=50;between_events_ms=150"
STALLED = "*=stall"
STREAM = "/api/chat/stream"


@contextlib.asynccontextmanager
async def client(server):
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    base = f"http://127.0.0.1:{server.port}"
    async with aiohttp.ClientSession(base, connector=connector) as session:
        yield session


async def post(session, key, path=STREAM, question=QUESTION):
    headers = {"idempotency-key": key} if key else {}
    async with session.post(path, json=question, headers=headers) as reply:
        return reply.status, reply.headers.copy(), await reply.read()


async def status(session, request_id):
    async with session.get(f"/api/requests/{request_id}") as reply:
        return await reply.json()


def events_in(raw: bytes):
    blocks = [block.removeprefix("data: ") for block in raw.decode().split("\n\n")]
    pairs = [block.split("\nid: ", 1) for block in blocks if "\nid: " in block]
    return [(int(number), json.loads(data)) for data, number in pairs]


def text_in(events):
    return "".join(event["text"] for _, event in events if event["type"] == "text")


def busiest_worker(process) -> int:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return max(map(int, listed), key=lambda pid: len(list(Path(f"/proc/{pid}/fd").iterdir())))


async def test_fifty_copies_over_three_workers_are_one_call():
    async with served(SLOW, drain=5, workers=3) as server, client(server) as session:
        for path in (STREAM, "/api/chat"):
            before = len(server.simulator.requests)
            copies = [post(session, f"intent {path}", path) for _ in range(50)]
            replies = await asyncio.gather(*copies)
            assert len(server.simulator.requests) - before == 1
            assert len({body for _, _, body in replies}) == 1
            ids = {headers["x-request-id"] for _, headers, _ in replies}
            assert len(ids) == 1
            again = await asyncio.gather(*(post(session, f"intent {path}", path) for _ in range(9)))
            assert {body for _, _, body in again} == {replies[0][2]}
            assert all(headers["Idempotent-Replayed"] == "true" for _, headers, _ in again)
            assert len(server.simulator.requests) - before == 1


async def test_any_worker_tells_resumes_and_cancels_a_request():
    async with served(STALLED, drain=0.2, workers=3) as server, client(server) as session:
        async with session.post(STREAM, json=QUESTION) as reply:
            raw = await reply.content.readuntil(b'"type":"text"')
            request_id = reply.headers["x-request-id"]
            tabs = [
                asyncio.create_task(read(session, f"/api/requests/{request_id}/stream"))
                for _ in range(9)
            ]
            states = [await status(session, request_id) for _ in range(9)]
            assert {state["status"] for state in states} <= {"queued", "running"}
            await written(session, request_id)
            async with session.delete(f"/api/requests/{request_id}") as deleted:
                assert deleted.status == 200
            raw += await reply.content.read()
        whole = events_in(raw)
        assert whole[-1][1]["type"] == "stream_interrupted"
        assert {
            tuple(number for number, _ in events_in(tab)) for tab in await asyncio.gather(*tabs)
        } == {tuple(number for number, _ in whole)}
        assert (await status(session, request_id))["status"] == "cancelled"


async def read(session, path, after=0):
    async with session.get(path, headers={"last-event-id": str(after)}) as reply:
        return await reply.read()


async def followed():
    """Return once the log has that a reader elsewhere follows."""
    with contextlib.closing(sqlite3.connect("file:.failsoft/requests.db?mode=ro", uri=True)) as db:
        async with asyncio.timeout(10):
            while not db.execute("SELECT 1 FROM followers").fetchone():  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(0.01)


async def test_a_reader_elsewhere_keeps_a_request_alive():
    """Its first reader leaves; those who joined through other workers read it to the end."""
    async with served(SLOW, drain=5, workers=3) as server, client(server) as session:
        async with session.post(STREAM, json=QUESTION) as reply:
            await reply.content.readuntil(b'"type":"text"')
            request_id = reply.headers["x-request-id"]
            owner = busiest_worker(server.process)
            os.kill(owner, signal.SIGSTOP)  # it takes no more, so that others take those who join
            tabs = [await session.get(f"/api/requests/{request_id}/stream") for _ in range(9)]
            os.kill(owner, signal.SIGCONT)
            await followed()
        for tab in tabs:
            assert await end_of(tab) == "done"


async def test_a_kill_interrupts_and_loses_nothing_that_was_kept():
    async with served(STALLED, drain=5) as server, client(server) as session:
        replies = [
            await session.post(STREAM, json=QUESTION, headers={"idempotency-key": f"k{n}"})
            for n in range(100)
        ]
        shown = {}
        for reply in replies:
            raw = await reply.content.readuntil(b'"type":"text"')
            raw += await reply.content.readuntil(b"\n\n")
            shown[reply.headers["x-request-id"]] = events_in(raw)
        for request_id, events in shown.items():
            await written(session, request_id, text_in(events))
        server.process.send_signal(signal.SIGKILL)
        await server.process.wait()
        for reply in replies:
            reply.close()
        before = len(server.simulator.requests)
        async with served(SLOW, drain=5, upstream=server.simulator.url) as anew:
            async with client(anew) as back:
                for request_id, events in shown.items():
                    state = await interrupted(back, request_id)
                    assert state["text"].startswith(text_in(events))
                    assert state["retryable"] is True
                    assert state["notice"]["primary_action_type"] == "retry"
                    last_id = events[-1][0]
                    raw = await read(back, f"/api/requests/{request_id}/stream", last_id)
                    (*_, (number, last)) = events_in(raw)
                    assert last["type"] == "stream_interrupted"
                    assert last["chars_before_error"] == len(state["text"])
                    assert number > last_id
                    reply = await back.get(
                        f"/api/requests/{request_id}/stream", headers={"last-event-id": str(number)}
                    )
                    assert reply.status == 204
            assert len(server.simulator.requests) == before
            server.simulator.set("*")
            async with client(anew) as back:
                _, headers, raw = await post(back, "k7")
                events = events_in(raw)
                assert [e["type"] for _, e in events][:2] == ["start", "restart"]
                assert events[-1][1]["type"] == "done"
                assert events[0][0] > shown[headers["x-request-id"]][-1][0]
            assert len(server.simulator.requests) == before + 1


async def test_a_killed_worker_takes_none_of_its_siblings_requests():
    async with served(SLOWER, drain=5, workers=3) as server, client(server) as session:
        replies = [await session.post(STREAM, json=QUESTION) for _ in range(15)]
        victim = busiest_worker(server.process)
        os.kill(victim, signal.SIGSTOP)  # it takes no more, so that its siblings have some too
        replies += [await session.post(STREAM, json=QUESTION) for _ in range(15)]
        os.kill(victim, signal.SIGCONT)
        await asyncio.sleep(0.5)  # its supervisor has asked whether it lives, and has an answer
        os.kill(victim, signal.SIGKILL)
        ends = await asyncio.gather(*(end_of(reply) for reply in replies))
        ids = [reply.headers["x-request-id"] for reply in replies]
        lost = [request_id for request_id, end in zip(ids, ends, strict=True) if end is None]
        assert 0 < len(lost) < 30
        assert all(end in (None, "done") for end in ends)
        for request_id in lost:
            await interrupted(session, request_id)
        for request_id in set(ids) - set(lost):
            assert (await status(session, request_id))["status"] == "done"


async def written(session, request_id, text=""):
    """The status once the log has some text, this at least; it may be 250 ms behind."""
    async with asyncio.timeout(10):
        while True:
            state = await status(session, request_id)
            if state["text"] and state["text"].startswith(text):
                return state
            await asyncio.sleep(0.02)


async def interrupted(session, request_id):
    """The status once the end of its process has been noticed."""
    async with asyncio.timeout(10):
        while (state := await status(session, request_id))["status"] in ("queued", "running"):  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.1)
    assert state["status"] == "interrupted"
    return state


async def end_of(reply):
    """The type of the last event, ``None`` where the connection broke before any."""
    async with reply:
        try:
            raw = await reply.content.read()
        except aiohttp.ClientError:
            return None
    return events_in(raw)[-1][1]["type"]


async def test_what_a_restart_cuts_off_is_interrupted_and_can_be_asked_again():
    async with served(STALLED, drain=0.2) as server, client(server) as session:
        async with session.post(STREAM, json=QUESTION, headers={"idempotency-key": "k"}) as reply:
            request_id = reply.headers["x-request-id"]
            raw = await reply.content.readuntil(b'"type":"text"')
            server.process.send_signal(signal.SIGTERM)
            raw += await reply.content.read()
        assert events_in(raw)[-1][1]["type"] == "stream_interrupted"
        assert await server.process.wait() == 0
        server.simulator.set("*")
        async with served(drain=5, upstream=server.simulator.url) as anew, client(anew) as back:
            state = await status(back, request_id)
            assert (state["status"], state["retryable"]) == ("interrupted", True)
            _, headers, raw = await post(back, "k")
            assert headers["x-request-id"] == request_id
            assert events_in(raw)[-1][1]["type"] == "done"
