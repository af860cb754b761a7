"""Frameworks and tracers over a wrapped client: in no trouble worse than over the bare one.

Each framework asks in a process of its own, bare and wrapped, and its outcomes are compared here.
A wrapped client has a chain of two models.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from benchmarks.peers.environments import ROOT, python_with

HERE = Path(__file__).parent / "frameworks"
FRAMEWORKS = ("pydantic_ai", "instructor", "langchain", "opentelemetry", "logfire")
TRACERS = ("opentelemetry", "logfire")
OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"

each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)
each_tracer = pytest.mark.parametrize("framework", TRACERS)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """All frameworks at once, as most of their time is waits; each prints into a file."""
    python = python_with(HERE / "frameworks.txt")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_PROXY": "127.0.0.1"}
    folder, started = tmp_path_factory.mktemp("outcomes"), {}
    for name in FRAMEWORKS:
        command = [python, str(HERE / "run.py"), f"ask_{name}"]
        with (folder / name).open("wb") as out:
            process = subprocess.Popen(command, stdout=out, cwd=HERE, env=environment)  # noqa: S603 - our own
        started[name] = process, folder / name
    yield started
    for process, _ in started.values():
        process.kill()
        process.wait()


@pytest.fixture
def outcomes(processes, framework):
    process, out = processes[framework]
    assert process.wait() == 0
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def wholes(outcomes, form):
    """The text of each model's whole answer."""
    healthy = [one for one in outcomes if one["form"] == form and one["trouble"] in (OPUS, SONNET)]
    assert [one["error"] for one in healthy] == [None, None]
    return {one["trouble"]: one["shown"] for one in healthy}


def pairs(outcomes):
    """Each form in each trouble: what it came to bare and wrapped, and what whole answers are."""
    troubled = [one for one in outcomes if one["trouble"] not in (OPUS, SONNET)]
    bare = [one for one in troubled if one["client"] == "bare"]
    wrapped = [one for one in troubled if one["client"] == "wrapped"]
    assert len(bare) == len(wrapped) > 0
    for one, other in zip(bare, wrapped, strict=True):
        assert all(one[of] == other[of] for of in ("form", "trouble", "scope"))
        yield one, other, wholes(outcomes, one["form"])


def answered(outcome, whole):
    return outcome["error"] is None and outcome["shown"] in whole.values()


def cut_in_a_stream(outcome):
    """Whether something was shown already, after which no other model may go on."""
    return outcome["streams"] and outcome["trouble"] in ("cut", "end")


def named(outcome):
    """What an assertion shows."""
    what = f"{outcome['form']}, {outcome['trouble']} {outcome['scope']}"
    return f"{what}: {outcome['error'] or outcome['shown']}"


@each_framework
def test_in_health_nothing_is_different(outcomes):
    [*healthy] = [pair for pair in pairs(outcomes) if pair[0]["trouble"] == "healthy"]
    assert healthy
    for bare, wrapped, whole in healthy:
        assert (wrapped["shown"], wrapped["error"]) == (whole[OPUS], None)
        assert wrapped["called"] == bare["called"]


@each_framework
def test_what_is_answered_bare_is_answered_wrapped(outcomes):
    worse = [
        named(wrapped)
        for bare, wrapped, whole in pairs(outcomes)
        if answered(bare, whole) and not answered(wrapped, whole)
    ]
    assert worse == []


@each_framework
def test_where_the_first_model_alone_fails_the_second_answers(outcomes):
    first = [pair for pair in pairs(outcomes) if pair[0]["scope"] == "first"]
    left = [
        named(wrapped)
        for _, wrapped, whole in first
        if not cut_in_a_stream(wrapped)
        and (wrapped["error"], wrapped["shown"]) != (None, whole[SONNET])
    ]
    assert first
    assert left == []


@each_framework
def test_a_part_is_never_taken_for_the_whole(outcomes):
    parts = [
        named(wrapped)
        for _, wrapped, whole in pairs(outcomes)
        if wrapped["error"] is None and not answered(wrapped, whole)
    ]
    assert parts == []


@each_framework
def test_no_text_is_shown_twice(outcomes):
    doubled = [
        named(wrapped)
        for _, wrapped, whole in pairs(outcomes)
        if not any(text.startswith(wrapped["shown"]) for text in whole.values())
    ]
    assert doubled == []


@each_framework
def test_exceptions_are_those_that_a_user_catches(outcomes):
    """The framework's own where it is one bare, else its own or the SDK's."""
    strange = []
    for bare, wrapped, _ in pairs(outcomes):
        own = bare["error"] and bare["error"]["tree"] == "framework"
        caught = ("framework",) if own else ("framework", "sdk")
        if wrapped["error"] and wrapped["error"]["tree"] not in caught:
            strange.append(named(wrapped))
    assert strange == []


@each_framework
def test_a_status_is_the_exception_it_is_bare(outcomes):
    compared = [
        (bare["error"]["type"], wrapped["error"]["type"])
        for bare, wrapped, _ in pairs(outcomes)
        if bare["trouble"] in ("529", "429", "401") and bare["scope"] == "everywhere"
    ]
    assert compared
    assert [pair for pair in compared if pair[0] != pair[1]] == []


@each_framework
def test_what_failsoft_knows_is_found_behind_the_exception(outcomes):
    without = [
        named(wrapped)
        for _, wrapped, _ in pairs(outcomes)
        if wrapped["error"] and not wrapped["error"]["answer"]
    ]
    assert without == []


def model_case(outcomes, bare, wrapped, whole):
    """What a bare client came to that ended as the wrapped one did."""
    trouble = None
    if answered(wrapped, whole) and not answered(bare, whole):
        trouble = "healthy"
    elif wrapped["error"] and not bare["error"]:
        trouble = "cut"  # bare a part is taken for the whole
    elif wrapped["streams"] and wrapped["trouble"] == "bad JSON":
        trouble = "529"  # bare it breaks off; wrapped it never begins, as no model had content
    alike = [one for one, _, _ in pairs(outcomes) if one["form"] == bare["form"]]
    return next((one for one in alike if one["trouble"] == trouble), bare)


@each_tracer
def test_a_tracer_makes_the_spans_it_makes_bare_and_ends_them(outcomes):
    for bare, wrapped, whole in pairs(outcomes):
        expected = model_case(outcomes, bare, wrapped, whole)
        wrapped_spans, expected_spans = (
            [(span["name"], span["ended"]) for span in one["spans"]] for one in (wrapped, expected)
        )
        assert wrapped_spans == expected_spans, named(wrapped)


@each_tracer
def test_a_failure_is_in_a_span_that_ended(outcomes):
    for _, wrapped, _ in pairs(outcomes):
        if all(span["ended"] for span in wrapped["spans"]):
            failed = any(span["status"] == "ERROR" for span in wrapped["spans"])
            assert failed == (wrapped["error"] is not None), named(wrapped)


@each_tracer
def test_spans_name_the_model_that_was_asked_and_the_one_that_answered(outcomes):
    for _, wrapped, whole in pairs(outcomes):
        assert {span["models"][0] for span in wrapped["spans"]} == {OPUS}, named(wrapped)
        if answered(wrapped, whole):
            [model] = [model for model, text in whole.items() if text == wrapped["shown"]]
            said = {span["models"][1] for span in wrapped["spans"]} - {None}
            assert said == {model}, named(wrapped)
