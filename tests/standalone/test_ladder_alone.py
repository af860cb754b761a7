"""Ladder: a saved answer, a prepared one, a message; after what, and in whose words."""

import asyncio
import math
import time

import pytest
from standalone_kit import coroutine, flaky, later, reply

from failsoft import (
    Catalogue,
    CircuitOpenError,
    DegradationLevel,
    Ladder,
    RuleBook,
    SemanticCache,
    classify,
)
from failsoft.classify import verdict_for

FULL, CACHED, RULE, MINIMAL = DegradationLevel
QUESTION = "How do I reset my password?"
LOST = "Is my document lost?"
DOWN = reply(529, "overloaded_error")

RULES = """---
questions:
  - Is my document lost?
link: https://help.example/documents
action: Look at your documents
---
Nothing you uploaded is lost.
"""


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "lost.md").write_text(RULES, encoding="utf-8")
    return folder


@pytest.fixture
def cache(tmp_path):
    """Finds the same words alone: nothing has to be loaded for that."""
    with SemanticCache(tmp_path / "answers.db", embedder=None) as cache:
        yield cache


@pytest.fixture
def ladder(cache, rules):
    return Ladder(cache=cache, rules=rules)


@pytest.fixture(params=["plain", "asynchronous", "coroutine"])
def ask(request, ladder):
    """Ask through the ladder, with a function of one kind."""
    if request.param == "plain":
        return ladder.call
    kind = later if request.param == "asynchronous" else coroutine

    async def awaited(fn, question, **options):
        return await ladder.call(kind(fn), question, **options)

    return lambda fn, question, **options: asyncio.run(awaited(fn, question, **options))


def test_an_answer_of_ones_own_comes_first_and_is_saved(ask):
    fn = flaky(then="Open Settings.")
    answer = ask(fn, QUESTION)
    assert (answer.status, answer.level, answer.text) == ("success", FULL, "Open Settings.")
    assert fn.calls == [(QUESTION,)]
    again = ask(flaky(DOWN), QUESTION)
    assert (again.status, again.level, again.text) == ("success", CACHED, "Open Settings.")
    assert 0 <= again.cache_age_seconds < 60
    assert str(again.verdict) == "transient · overloaded"
    assert "less than a minute ago" in again.notice.body
    assert again.suggested_actions
    assert again.retry_in_seconds == 120


def test_then_what_was_prepared(ask):
    answer = ask(flaky(DOWN), LOST)
    assert (answer.status, answer.level) == ("success", RULE)
    assert answer.text.strip() == "Nothing you uploaded is lost."
    assert answer.link == "https://help.example/documents"
    assert answer.suggested_actions[0] == "Look at your documents"
    assert answer.retry_in_seconds == 300


def test_then_a_message(ask):
    answer = ask(flaky(DOWN), "Which papers do I need?")
    assert (answer.status, answer.level, answer.text) == ("error", MINIMAL, "")
    assert answer.notice.title
    assert answer.retryable
    assert answer.suggested_actions


@pytest.mark.parametrize(
    ("error", "steps_down"),
    [
        (DOWN, True),
        (TimeoutError(), True),
        (LookupError(), True),
        (reply(429, retry_after="3"), True),
        (reply(404, "model_not_found"), True),
        (reply(400, "content_policy_violation"), False),
        (reply(401, "authentication_error"), False),
        (reply(413, "request_too_large"), False),
        (ValueError(), False),
    ],
    ids=lambda value: type(value).__name__ + str(getattr(value, "status", "")),
)
def test_a_step_is_taken_only_where_it_helps(ladder, error, steps_down):
    ladder.remember(QUESTION, "Open Settings.")
    assert ladder.serve(QUESTION, error).level is (CACHED if steps_down else MINIMAL)


class ClientDisconnect(Exception):
    """By this name frameworks tell that nobody reads any more."""


@pytest.mark.parametrize(
    "leaving", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, ClientDisconnect]
)
def test_whoever_leaves_is_let_go(ladder, leaving):
    with pytest.raises(leaving):
        ladder.call(flaky(leaving()), QUESTION)


def test_a_failure_may_be_a_verdict_or_not_known(ladder):
    verdict = classify(DOWN, provider="anthropic", now=0)
    assert ladder.serve("?", verdict).verdict is verdict
    assert str(ladder.serve("?").verdict) == "transient · unavailable"


def test_a_wait_that_is_known_is_told_with_ones_own_share(ladder):
    open_for_40 = CircuitOpenError("db", 40.0, verdict_for("all_open", wait_seconds=40.0))
    waits = {ladder.serve("?", open_for_40).retry_in_seconds for _ in range(20)}
    assert len(waits) > 1
    assert all(40 <= wait <= 45 for wait in waits)


def test_a_function_that_was_not_called_took_no_time(ladder):
    slow = classify(TimeoutError(), provider="http", now=0)
    assert ladder.serve("?", slow).notice.title == "The answer took too long"
    answer = ladder.serve("?", CircuitOpenError("db", 40.0, slow))
    assert answer.notice.title == "No answer right now"
    assert answer.notice.retry_countdown_seconds == math.ceil(answer.retry_in_seconds)
    assert ladder.serve("?").notice.title == "No answer right now"
    busy = classify(reply(429), provider="http", now=0)
    assert (
        ladder.serve("?", CircuitOpenError("db", 40.0, busy)).notice.title == "Too busy to answer"
    )


def test_it_speaks_the_language_that_is_asked_for(cache):
    ladder = Ladder(cache=cache, locale="de")
    ladder.remember("Wie ändere ich mein Passwort?", "In den Einstellungen.")
    served = ladder.serve("Wie ändere ich mein Passwort?", DOWN)
    assert (served.level, served.notice.locale) == (CACHED, "de")
    assert ladder.serve("?", DOWN, locale="fr").notice.locale == "fr"
    assert ladder.serve("?", DOWN, reference="req_1").notice.reference == "req_1"


def test_words_of_ones_own_are_spoken(tmp_path):
    (tmp_path / "en.toml").write_text('[notices.unknown.given_up]\ntitle = "Please hold on"\n')
    ladder = Ladder(notices=Catalogue.load(tmp_path))
    assert ladder.serve("?", LookupError()).notice.title == "Please hold on"


def test_steps_that_are_not_given_are_not_there():
    ladder = Ladder()
    assert ladder.call(flaky(then="yes"), QUESTION).level is FULL
    assert ladder.serve(QUESTION, DOWN).level is MINIMAL
    ladder.close()


def test_what_was_made_before_is_used_and_left_open(cache, rules):
    with Ladder(cache=cache, rules=RuleBook(rules)) as ladder:
        ladder.remember(QUESTION, "Open Settings.")
    assert cache.status.up
    assert cache.find_similar(QUESTION).response == "Open Settings."


def test_a_file_is_written_when_it_is_closed(tmp_path):
    with Ladder(cache=tmp_path / "own.db") as ladder:
        ladder.remember(QUESTION, "Open Settings.")
    with SemanticCache(tmp_path / "own.db", embedder=None) as cache:
        assert cache.stats().entries == 1


def test_a_step_that_breaks_is_logged_and_the_next_is_taken(ladder, caplog, monkeypatch):
    def broken(*_args, **_options):
        raise LookupError("broken")

    monkeypatch.setattr(SemanticCache, "find_similar", broken)
    assert ladder.serve(LOST, DOWN).level is RULE
    monkeypatch.setattr(RuleBook, "match", broken)
    assert ladder.serve(LOST, DOWN).level is MINIMAL
    assert [record.message for record in caplog.records][:2] == ["cache_failed", "cache_failed"]
    assert "rules_failed" in caplog.text


def test_a_file_that_cannot_be_used_costs_the_saved_answers_alone(tmp_path):
    path = tmp_path / "answers.db"
    path.mkdir()
    with Ladder(cache=path) as ladder:
        assert ladder.call(flaky(then="yes"), QUESTION).text == "yes"
        assert ladder.serve(QUESTION, DOWN).level is MINIMAL


async def test_it_does_not_hold_up_the_loop(ladder, monkeypatch):
    def slow(*_args, **_options):
        time.sleep(0.2)

    monkeypatch.setattr(SemanticCache, "find_similar", slow)
    asking = asyncio.create_task(ladder.call(later(flaky(DOWN)), QUESTION))
    turns = 0
    while not asking.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 10
    assert (await asking).level is MINIMAL


def test_generator_functions_are_refused(ladder):
    def stream(_question):
        yield 1

    with pytest.raises(TypeError, match="is a generator function"):
        ladder.call(stream, QUESTION)


def test_what_is_no_text_is_refused_and_what_is_empty_is_not_saved(ladder):
    with pytest.raises(TypeError, match="must return the answer's text, not 5"):
        ladder.call(lambda _: 5, QUESTION)
    assert ladder.call(lambda _: " ", QUESTION).level is FULL
    assert ladder.serve(QUESTION, DOWN).level is MINIMAL
