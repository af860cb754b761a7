"""``failsoft explain``: what happened to one request, from the log it was kept in."""

import asyncio
import dataclasses
import sqlite3

import pytest
from redis_server import needs_redis, redis_server

from failsoft.request_log.contract import Ending, Intent, Opened, RequestState
from failsoft.request_log.redis_log import RedisLog
from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.request_log.sqlite_schema import _STORIES, _TABLES
from failsoft.telemetry.events import (
    AttemptFinished,
    AttemptStarted,
    CacheLookedUp,
    FellBack,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
)
from failsoft.telemetry.history import read_story, story_of

ID = "req_" + "ab" * 16
BEST, NEXT = "anthropic/claude-opus-5-5", "anthropic/claude-sonnet-5-5"


def happened(*, served: bool):
    """A 529, a hop, a wait, and an answer or none."""
    own = {"request_id": ID}
    call = {"duration_seconds": 0.5, "first_content_seconds": None, "detail": "HTTP 529 \x1b[31m"}
    failed = {"outcome": "failure", "category": "transient", "reason": "overloaded"}
    yield RequestStarted(at=10.0, route="chat", stream=True, **own)
    due = {"period_seconds": 4.2, "samples": 812}
    yield AttemptStarted(at=10.0, target=BEST, number=1, **due, **own)
    yield AttemptFinished(at=10.5, target=BEST, number=1, fault="provider", **failed, **call, **own)
    hop = {"from_target": BEST, "to_target": NEXT, "reason": "overloaded"}
    yield FellBack(at=10.5, route="chat", **hop, **own)
    yield RetryScheduled(at=10.5, route="chat", wait_seconds=2.0, reason="backoff", **own)
    yield AttemptStarted(at=12.5, target=NEXT, number=2, period_seconds=15.0, **own)
    if served:
        failed = {"outcome": "success", "category": "", "reason": ""}
    yield AttemptFinished(at=13.0, target=NEXT, number=2, fault="", **failed, **call, **own)
    if not served:
        yield CacheLookedUp(at=13.0, route="chat", result="miss", **own)
    yield RequestFinished(
        at=13.0,
        route="chat",
        level="full" if served else "minimal",
        outcome="success" if served else "error",
        category="none" if served else "transient",
        reason="" if served else "overloaded",
        fault="" if served else "provider",
        target=NEXT if served else "",
        position=1 if served else None,
        attempts=2,
        hops=1,
        duration_seconds=3.0,
        **own,
    )


def story(*, served: bool):
    return story_of(happened(served=served))


def kept(folder, *endings):
    """Runs of one request that ended so; an ending of ``None`` leaves it running."""
    keep_in(lambda: SqliteLog(folder), *endings)


def keep_in(make_log, *endings, own=ID, key="k"):
    async def keep():
        log = make_log()
        log.start(on_cancel=lambda *_: None)
        intent = Intent(
            id=own, scope="a", key=key, fingerprint=b"f", stream=True, route="chat", locale="en"
        )
        for ending in endings:
            found = await log.open(intent)
            assert isinstance(found, Opened)
            found.entry.progress(1, None)
            if ending is not None:
                assert await found.entry.end(ending)
        await log.aclose()

    asyncio.run(keep())


OVERLOADED = "it is overloaded"
FAILED = Ending(state=RequestState.FAILED, retryable=True, status=503, body=b"{}")
DONE = Ending(state=RequestState.DONE, retryable=False, status=200, body=b"{}")


def test_every_event_comes_back_as_it_was():
    assert read_story(story(served=False)) == list(happened(served=False))


def test_a_story_has_an_end():
    begun = RequestStarted(at=1.0, request_id=ID, route="chat", stream=False)
    assert len(read_story(story_of([begun] * 1000))) == 100


def test_an_event_of_another_version_is_left_out():
    assert read_story(b'[{"event":"Unheard"},{"event":"FellBack","x":1},{},7,[]]') == []
    with pytest.raises(ValueError, match="list"):
        read_story(b"{}")


def test_both_runs_of_a_request(invoke, tmp_path):
    kept(
        tmp_path / ".failsoft",
        dataclasses.replace(FAILED, story=story(served=False)),
        dataclasses.replace(DONE, story=story(served=True)),
    )
    ended = invoke("explain", ID)
    assert (ended.code, ended.err) == (0, "")
    first, second = ended.out.split("Run 2 of 2")
    assert first.startswith(f"{ID} · route chat · stream · asked ")
    assert "· done" in first.splitlines()[0]
    for line in (
        "    0 ms  call 1 to claude-opus-5-5, to begin within 4.2 s (as learned from 812 calls)",
        "   2.5 s  call 2 to claude-sonnet-5-5, to begin within 15 s (not learned)",
        f"  500 ms  claude-opus-5-5 failed after 500 ms: {OVERLOADED} (transient); HTTP 529 [31m",
        "  500 ms  went on to claude-sonnet-5-5",
        "  500 ms  waits 2.0 s before the next try",
        "   3.0 s  no saved answer to it was found",
        "   3.0 s  failed after 3.0 s, 2 attempts: it is overloaded; the person got a notice",
    ):
        assert line in first.splitlines()
    assert "   3.0 s  claude-sonnet-5-5 answered in 500 ms" in second.splitlines()
    [row] = [line for line in second.splitlines() if line.startswith("claude-sonnet-5-5")]
    assert row.split()[1:6] == ["2.5", "s", "2.0", "s", "500"]


@pytest.mark.parametrize("given", ["req_abababab", "abababab", "req_a", ID, f" {ID} "])
def test_the_beginning_of_an_id_is_enough(invoke, tmp_path, given):
    kept(tmp_path / ".failsoft", dataclasses.replace(DONE, story=story(served=True)))
    ended = invoke("explain", given)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{ID} · route chat")


@needs_redis
def test_the_beginning_of_an_id_is_enough_in_redis(invoke, tmp_path):
    with redis_server(tmp_path) as server:
        for own, key in ((ID, "k"), ("req_" + "cd" * 16, None)):
            keep_in(lambda: RedisLog(server.url), DONE, own=own, key=key)
            ended = invoke("explain", own[4:12], FAILSOFT_REDIS_URL=server.url)
            assert ended.out.startswith(f"{own} · route chat")
        assert "is not in Redis" in invoke("explain", "b", FAILSOFT_REDIS_URL=server.url).err


def test_all_that_begin_so_are_named(invoke, tmp_path):
    other = "req_" + "ab" * 15 + "cd"
    for own in (ID, other):
        keep_in(lambda: SqliteLog(tmp_path / ".failsoft"), DONE, own=own, key=None)
    ended = invoke("explain", "abababab")
    assert (ended.code, ended.out) == (2, "")
    assert f"may be any of these: {other}, {ID}" in ended.err


def test_a_number_of_the_demo_is_none_of_an_id(invoke):
    ended = invoke("explain", "#48")
    assert ended.code == 2
    assert "name what stands behind its question, such as req_" in ended.err


def test_a_request_whose_process_was_killed(invoke, tmp_path):
    kept(tmp_path / ".failsoft", None)
    ended = invoke("explain", ID)
    assert ended.code == 0
    assert "the process that ran it ended before the request did" in ended.out


@pytest.mark.parametrize("there", [True, False])
def test_one_that_is_not_there(invoke, tmp_path, there):
    if there:
        kept(tmp_path / ".failsoft", DONE)
    ended = invoke("explain", "req_\x1b[31mno")
    assert (ended.code, ended.out) == (2, "")
    assert "req_[31mno is not in .failsoft/requests.db" in ended.err
    assert "younger than 24 hours" in ended.err
    assert (tmp_path / ".failsoft").exists() is there


def test_a_damaged_log_is_said(invoke, tmp_path):
    (tmp_path / ".failsoft").mkdir()
    (tmp_path / ".failsoft/requests.db").write_bytes(b"no database " * 1000)
    ended = invoke("explain", ID)
    assert ended.code == 2
    assert "damaged, or no SQLite file" in ended.err


def test_a_log_of_the_version_before_goes_on(invoke, tmp_path):
    (tmp_path / ".failsoft").mkdir()
    with sqlite3.connect(tmp_path / ".failsoft/requests.db") as before:
        for statement in _TABLES:
            if statement not in _STORIES:
                before.execute(statement)
        before.execute("PRAGMA user_version = 1")
    before.close()
    kept(tmp_path / ".failsoft", dataclasses.replace(DONE, story=story(served=True)))
    assert "claude-sonnet-5-5 answered" in invoke("explain", ID).out


@needs_redis
def test_in_redis(invoke, tmp_path):
    with redis_server(tmp_path) as server:
        there = {"FAILSOFT_REDIS_URL": server.url}
        unknown = invoke("explain", ID, **there)
        assert unknown.code == 2
        assert f"{ID} is not in Redis: is it the service's own (redis_url)" in unknown.err
        first = dataclasses.replace(FAILED, story=story(served=False))
        second = dataclasses.replace(DONE, story=story(served=True))
        keep_in(lambda: RedisLog(server.url), first, second)
        ended = invoke("explain", ID, **there)
        assert (ended.code, ended.err) == (0, "")
        first, second = ended.out.split("Run 2 of 2")
        assert f"claude-opus-5-5 failed after 500 ms: {OVERLOADED} (transient)" in first
        assert "claude-sonnet-5-5 answered in 500 ms" in second
        server.kill()
        ended = invoke("explain", ID, **there)
        assert ended.code == 2
        assert "cannot be reached" in ended.err
