"""Each of the four checks finds what it is for, and says it so that somebody can mend it."""

import pytest

from failsoft.chaos.simulator import JournalRecord
from failsoft.telemetry.events import AttemptFinished, RequestFinished
from failsoft.testing.cases import CASES, PLANTED, Seen, judged
from failsoft.testing.exchange import AppReply

TRANSIENT, RATE_LIMITED, TIMEOUT, POLICY, AUTH, *_, CUT = CASES
GOOD = "The assistant could not answer. You did nothing wrong. Try again in a minute."


def called(*models):
    return [
        JournalRecord(request_id=f"r{n}", path="/v1/messages", arrived_s=n, model=model)
        for n, model in enumerate(models)
    ]


def attempt(category="transient"):
    return AttemptFinished(
        at=0.0,
        target="anthropic/one",
        number=1,
        outcome="failure",
        category=category,
        reason="",
        fault="",
        duration_seconds=0.1,
        first_content_seconds=None,
        detail="",
    )


def ended(**changes):
    facts = {
        "route": "chat",
        "level": "minimal",
        "outcome": "error",
        "category": "transient",
        "reason": "",
        "fault": "",
        "target": "",
        "position": None,
        "attempts": 2,
        "hops": 0,
        "duration_seconds": 0.2,
    }
    return RequestFinished(at=0.0, **(facts | changes))


def seen(*models, shown=GOOD, events=None, **reply):
    raw = reply.pop("raw", shown)
    return Seen(
        reply=AppReply(shown=shown, raw=raw, **reply),
        calls=called(*(models or ("one", "two"))),
        events=events,
    )


def cell(case, what, column):
    return [str(finding) for finding in judged(case, what).cells[column] or ()]


def test_what_holds_has_no_findings():
    row = judged(TRANSIENT, seen(events=[attempt(), attempt(), ended()]))
    assert row.cells == {"notice": [], "retried": [], "level": [], "metrics": []}
    assert (row.name, row.calls) == ("transient", 2)


@pytest.mark.parametrize("paths", [("/v1/messages",), ("/v1/messages", "/v1/chat/completions")])
def test_a_wrong_key_is_met_once_with_each_key(paths):
    calls = [JournalRecord(request_id=path, path=path, arrived_s=0.0, model=path) for path in paths]
    once = Seen(reply=AppReply(shown=GOOD, raw=GOOD), calls=calls, events=None)
    assert cell(AUTH, once, "retried") == []
    (found,) = cell(AUTH, seen("one", "two"), "retried")
    assert "called once with each key" in found


def test_from_outside_two_columns_are_not_judged():
    row = judged(TRANSIENT, seen())
    assert row.cells == {"notice": [], "retried": [], "level": None, "metrics": None}


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("", "is no message, only ''"),
        ("Oops", "is no message, only 'Oops'"),
        ("Sorry, the request failed with status 529.", "has a status code ('529')"),
        ("Claude cannot answer you at the moment.", "the name of a provider"),
        ("TypeError: 'NoneType' object is not callable", "has the text of an exception"),
        ("Internal Server Error, try again please", "has jargon"),
    ],
)
def test_words_that_are_no_message(shown, said):
    (found, *_) = cell(TRANSIENT, seen(shown=shown), "notice")
    assert said in found
    assert "in everyday words" in found


@pytest.mark.parametrize(
    "leak",
    [
        f"Overloaded {PLANTED}",
        "server: anthropic",
        '{"model": "claude-opus-5-5"}',
        '{"type": "overloaded_error"}',
        "request-id: req_011Cabc",
        "Traceback (most recent call last)",
        "anthropic.APIStatusError",
        "Connection error.",
        "invalid x-api-key",
    ],
)
def test_what_is_internal_is_found_where_no_person_looks(leak):
    (found,) = cell(TRANSIENT, seen(raw=f"{GOOD}\n{leak}"), "notice")
    assert "gives away" in found
    assert "leave it out" in found


def test_a_reply_that_never_came():
    (found,) = cell(TIMEOUT, seen(problem="no reply came within 4 s"), "notice")
    assert found.startswith("timeout, notice: no reply came within 4 s; give every call a deadline")


def test_another_category_than_the_failures():
    (found,) = cell(POLICY, seen(fields={"error_category": "unknown"}), "notice")
    assert "it is told as 'unknown', and is 'content_policy'" in found


def test_a_part_that_passes_for_the_whole():
    (found,) = cell(CUT, seen(shown="You asked: “How long does"), "notice")
    assert "as if it were the whole" in found


def test_words_that_were_shown_before_a_cut_are_no_message_to_judge():
    shown = f"You asked: “HTTP 529”\n{GOOD}"
    told = {"type": "stream_interrupted", "error_category": "transient"}
    row = judged(CUT, seen("one", shown=shown, raw=GOOD, fields=told))
    assert (row.cells["notice"], row.cells["retried"]) == ([], [])
    again = cell(CUT, seen("one", "two", shown=shown, raw=GOOD, fields=told), "retried")
    assert "called 2 times" in again[0]


@pytest.mark.parametrize(
    ("case", "models", "said"),
    [
        (TRANSIENT, ["one"], "the models were called 1 times; it has to be tried again"),
        (TRANSIENT, ["one"] * 13, "one was called 13 times"),
        (RATE_LIMITED, ["one", "two", "one"], "one was called 2 times"),
        (TIMEOUT, ["one"] * 3, "one was called 3 times"),
        (POLICY, ["one", "two"], "unless max_retries=0"),
    ],
)
def test_too_few_calls_and_too_many(case, models, said):
    (found,) = cell(case, seen(*models), "retried")
    assert said in found


def test_an_answer_that_cannot_be_one():
    (found,) = cell(TRANSIENT, seen(events=[attempt(), attempt(), ended(level="full")]), "level")
    assert "at level 'full' while no model could answer" in found


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([attempt(), attempt()], "no request ended"),
        ([attempt(), attempt(), ended(), ended()], "requests that ended: counted 2, not 1"),
        ([attempt(), attempt(), ended(outcome="success")], "counted 'success', not 'error'"),
        ([attempt(), attempt(), ended(category="unknown")], "counted 'unknown', not 'transient'"),
        ([attempt(), ended()], "attempts: counted 1, not 2"),
        ([attempt(), attempt("timeout"), ended()], "without that category: counted 1, not 0"),
    ],
)
def test_metrics_that_are_not_true(events, said):
    (found,) = cell(TRANSIENT, seen(events=events), "metrics")
    assert said in found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_can_hold(case):
    models = ["one", "two"][: case.least]
    events = [attempt(case.category) for _ in models] + [ended(category=case.category)]
    row = judged(case, seen(*models, events=events))
    assert not any(row.cells.values())
