"""``failsoft ask`` against a simulator: the answer, the time line, the notice."""

from __future__ import annotations

import asyncio
import os
import pty
import re

import pytest
from cli_command import run, running

from failsoft.cli.question import show_outcome
from failsoft.engine.answer import Answer, DegradationLevel

WHOLE = "You asked: “What do I need?”."


async def test_an_answer_and_how_it_came_about(environ, tmp_path):
    ended = await run("ask", "What do I need?", cwd=tmp_path, environ=environ)
    assert ended.code == 0
    assert ended.out.startswith(WHOLE)
    assert "claude-opus-5-5" in ended.err
    assert "level full · answered by claude-opus-5-5 · 1 attempt" in ended.err


async def test_the_question_from_standard_input_in_one_piece(environ, invoke):
    arguments = ("ask", "-", "--no-stream", "--system", "Be brief.", "--model", "claude-haiku-5-5")
    ended = await asyncio.to_thread(invoke, *arguments, stdin="What do I need?", **environ)
    assert ended.code == 0
    assert ended.out.startswith(WHOLE)
    assert "answered by claude-haiku-5-5" in ended.err


async def test_words_are_printed_as_they_come(simulator, environ, tmp_path):
    simulator.set("*", faults=["stall;after=3"])
    async with running("ask", "What do I need?", cwd=tmp_path, environ=environ) as asking:
        await asking.until("You asked: “What")
        assert asking.process.returncode is None


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
async def test_the_next_model_answers(stream, simulator, environ, invoke):
    simulator.set("claude-opus-5-5", faults=["529"])
    ended = await asyncio.to_thread(invoke, "ask", "What do I need?", stream, **environ)
    assert ended.code == 0
    assert ended.out.startswith(WHOLE)
    assert "it is overloaded (529)" in ended.err
    assert "answered by claude-sonnet-5-5 · 2 attempts" in ended.err


async def test_what_was_paid_for_and_not_used_is_told(simulator, environ, invoke):
    simulator.set("claude-opus-5-5", faults=["cut;after=4"])
    ended = await asyncio.to_thread(invoke, "ask", "What do I need?", "--no-stream", **environ)
    assert ended.code == 0
    *_, summary, lost = ended.err.splitlines()
    assert "answered by claude-sonnet-5-5 · 2 attempts" in summary
    assert re.fullmatch(r"paid for and not used: \d+ tokens, (\$0\.\d{4}|under \$0\.0001)", lost)


async def test_where_nothing_was_lost_nothing_is_told(simulator, environ, invoke):
    simulator.set("claude-opus-5-5", faults=["529"])
    ended = await asyncio.to_thread(invoke, "ask", "What do I need?", **environ)
    assert "2 attempts" in ended.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("cost", "said"), [(None, "price not known"), (0.0521, "$0.0521"), (0.00001, "under $0.0001")]
)
def test_the_price_and_the_cached_prompt_of_what_was_lost(cost, said, capsys):
    answer = Answer(
        status="success",
        level=DegradationLevel.FULL,
        text="Hi.",
        request_id="req_1",
        target="anthropic/claude-sonnet-5-5",
        wasted_tokens={"input_tokens": 1000, "cache_read_input_tokens": 50_000},
        wasted_cost_usd=cost,
        lost_cache_tokens=50_000,
    )
    show_outcome(answer)
    told = " ".join(capsys.readouterr().err.split())
    assert told.endswith(
        f"paid for and not used: 51,000 tokens, {said} · cached prompt left behind: 50,000 tokens"
    )


async def test_a_failure_is_a_notice_and_exit_code_1(simulator, environ, invoke):
    simulator.set("*", faults=["bad_key"])
    ended = await asyncio.to_thread(invoke, "ask", "What do I need?", **environ)
    assert (ended.code, ended.out) == (1, "")
    assert "A problem on our side" in ended.err
    assert "[ Contact support ]" in ended.err
    assert "level minimal · auth_error · authentication" in ended.err
    assert "invalid x-api-key" in ended.err


async def test_what_arrived_of_an_answer_cut_short_is_kept(simulator, environ, invoke):
    simulator.set("*", faults=["cut;after=4"])
    ended = await asyncio.to_thread(invoke, "ask", "What do I need?", **environ)
    assert (ended.code, ended.out) == (1, "You asked: “What do \n")
    assert "The answer was cut short" in ended.err
    assert "its answer broke off" in ended.err


async def test_a_timeout_ends_it(simulator, environ, invoke):
    simulator.set("*", faults=["hang"])
    ended = await asyncio.to_thread(invoke, "ask", "x", "--timeout", "0.2", **environ)
    assert ended.code == 1
    assert "level minimal · timeout" in ended.err


@pytest.mark.parametrize("wrong", [("--timeout", "0"), ("--model", "nobody/nothing")])
async def test_arguments_that_cannot_hold(wrong, environ, invoke):
    ended = await asyncio.to_thread(invoke, "ask", "x", *wrong, **environ)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1


async def test_a_terminal_that_knows_few_letters(environ, tmp_path):
    environ = environ | {"PYTHONIOENCODING": "ascii"}
    ended = await run("ask", "What do I need?", cwd=tmp_path, environ=environ)
    assert ended.code == 0
    assert ended.out.startswith("You asked: ?What do I need??.")
    assert "level full ? answered" in ended.err


async def test_an_answer_cannot_command_the_terminal(environ, tmp_path):
    ours, theirs = pty.openpty()
    async with running(
        "ask", "say \x1b]0;owned\x07 it", cwd=tmp_path, environ=environ, stdout=theirs
    ) as asking:
        assert await asking.process.wait() == 0
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "say ]0;owned it" in shown
