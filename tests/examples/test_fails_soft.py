"""The examples held to the check that is offered to everybody, the bad one to be found out."""

import importlib
from pathlib import Path

import pytest

from failsoft.testing import Ask, acheck_fails_soft, check_fails_soft

ROOT = Path(__file__).parents[2]
PLAIN = Ask(path="/ask", body={"question": "{question}"}, shown=("answer",))
DESK = Ask(stream="/api/chat/stream", headers={"cookie": "officer=Ann"})


@pytest.fixture
def app_of(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return lambda module: importlib.import_module(module).create_app


def test_the_loan_desk_fails_soft(app_of, capsys):
    report = check_fails_soft(app_of("loan_desk.app"), ask=DESK)
    assert report.findings == []
    assert all(cell == [] for row in report.rows for cell in row.cells.values())
    assert all(cell == [] for cell in report.ladder.values())
    assert f"{report}" in capsys.readouterr().out


def test_an_application_of_another_shape_that_thinks_of_everything_fails_soft(app_of):
    report = check_fails_soft(app_of("plain_sdk.careful"), ask=PLAIN)
    assert {row.name: row.calls for row in report.rows} == {
        "transient": 2,
        "rate_limited": 1,
        "timeout": 2,
        "content_policy": 1,
        "auth_error": 1,
        "permanent": 1,
        "unknown": 2,
        "cut stream": 2,
    }
    assert {row.cells["level"] for row in report.rows} == {None}
    assert set(report.ladder.values()) == {None}


def test_the_naive_one_fails_soft_once_its_client_is_wrapped(app_of, monkeypatch):
    monkeypatch.setenv("FAILSOFT_DEADLINE_SECONDS", "4")
    report = check_fails_soft(app_of("plain_sdk.wrapped"), ask=PLAIN)
    assert report.findings == []
    assert {row.name: row.calls for row in report.rows} == {
        "transient": 6,
        "rate_limited": 2,
        "timeout": 2,
        "content_policy": 1,
        "auth_error": 1,
        "permanent": 1,
        "unknown": 4,
        "cut stream": 6,
    }


def test_an_application_as_it_is_often_written_does_not(app_of, capsys):
    with pytest.raises(AssertionError) as failed:
        check_fails_soft(app_of("plain_sdk.naive"), ask=PLAIN)
    lines = str(failed.value).splitlines()
    assert lines[0] == "it does not fail soft:"
    where = [line.removeprefix("- ").partition(":")[0] for line in lines[1:]]
    assert set(where) == {
        f"{case}, notice"
        for case in (
            "transient",
            "rate_limited",
            "timeout",
            "content_policy",
            "auth_error",
            "permanent",
            "unknown",
            "cut stream",
        )
    }
    assert "the provider's request id ('req_011C" in lines[2]
    assert any("rate_limited, notice: no reply came within 10 s" in line for line in lines)
    assert capsys.readouterr().out.count(" NO ") == 8


async def test_an_application_that_calls_something_else_is_told_so(app_of):
    app = app_of("plain_sdk.naive")
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
        elsewhere.setenv("ANTHROPIC_API_KEY", "any")
        made = app()
    with pytest.raises(AssertionError, match="calls to the model: 0") as failed:
        await acheck_fails_soft(made, ask=PLAIN)
    assert "a function that makes the application" in str(failed.value)


async def test_within_a_loop_the_other_one_is_named():
    with pytest.raises(RuntimeError, match="await acheck_fails_soft"):
        check_fails_soft(lambda: None)


async def test_what_is_no_application_is_refused():
    with pytest.raises(TypeError, match="must be an ASGI application or a function"):
        await acheck_fails_soft("app:app")
