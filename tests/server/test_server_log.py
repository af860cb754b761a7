import json
import logging
import logging.config
import sys
from threading import Thread

import pytest
from server_kit import FakeProvider, ask, assistant, call

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.server import create_app
from failsoft.server.logging import LOGGING, JsonFormatter, log_event, log_simulated
from failsoft.telemetry.events import Benched, RequestFinished

SECRET = "my mother's maiden name"
BENCHED = Benched(at=1793536205.25, scope="account", kind="park", seconds=0.0, reason="billing")
REQUEST = RequestFinished(
    at=1793536205.25,
    request_id="req_1",
    route="chat",
    level="",
    outcome="cancelled",
    category="none",
    reason="",
    fault="",
    target="",
    position=None,
    attempts=0,
    hops=0,
    duration_seconds=0.5,
)


def lines(caplog) -> list[dict[str, object]]:
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


async def test_a_request_can_be_followed_by_its_id(caplog):
    caplog.set_level(logging.INFO, "failsoft")
    app = create_app(assistant(FakeProvider((SECRET, ReplyFailed(status=529)))))
    reply = await ask(app, message=SECRET)
    own = [line for line in lines(caplog) if line.get("request_id") == reply.json["request_id"]]
    assert [line["event"] for line in own] == [
        "attempt_finished",
        "degraded",
        "request_finished",
        "http",
    ]
    attempt, *_, http = own
    assert attempt["severity"] == "warning"
    assert attempt["target"] == "anthropic/claude-opus-5-5"
    assert (attempt["category"], attempt["number"]) == ("transient", 1)
    assert attempt["reason"]
    assert (http["method"], http["path"], http["status"]) == ("POST", "/api/chat", 503)
    assert SECRET not in caplog.text
    assert SECRET not in json.dumps(lines(caplog))


async def test_a_path_is_logged_without_a_key_in_it_and_cut(caplog):
    caplog.set_level(logging.INFO, "failsoft")
    app, known = create_app(assistant(FakeProvider(("Hi.",)))), "req_" + "0a" * 16
    key = "sk-ant-api03-0123456789abcdef"
    for path in (key, known, "a" * 9999):
        await call(app, f"/api/requests/{path}", method="GET")
    first, second, third = (str(line["path"]) for line in lines(caplog) if line["event"] == "http")
    assert first == "/api/requests/[removed]"
    assert second == f"/api/requests/{known}"
    assert len(third) <= 200


def test_a_record_is_one_as_logging_makes_it(caplog):
    """A formatter of somebody else's may ask for any of its attributes."""
    caplog.set_level(logging.INFO, "failsoft")
    log = logging.getLogger("failsoft.events")
    other = Thread(target=log_event, args=(BENCHED,), name="another")
    other.start()
    other.join()
    log_event(BENCHED)
    log.info("by the usual way")
    theirs, ours, usual = caplog.records
    assert set(vars(ours)) - {"fields", "message"} == set(vars(usual)) - {"message"}
    for name in ("name", "levelno", "levelname", "process", "thread", "threadName", "args"):
        assert getattr(ours, name) == getattr(usual, name), name
    assert theirs.threadName == "another"
    assert (ours.created, ours.msecs) == (BENCHED.at, 250.0)
    began = usual.created - usual.relativeCreated / 1000
    assert ours.created - ours.relativeCreated / 1000 == pytest.approx(began, abs=0.01)


def test_a_line_has_the_time_of_its_event_and_nothing_empty(caplog):
    caplog.set_level(logging.INFO, "failsoft")
    log_event(BENCHED)
    log_simulated(BENCHED)
    log_event(REQUEST)
    benched, simulated, request = lines(caplog)
    assert benched == {
        "time": "2026-11-01T12:30:05.250+00:00",
        "severity": "info",
        "logger": "failsoft.events",
        "event": "benched",
        "scope": "account",
        "kind": "park",
        "seconds": 0.0,
        "reason": "billing",
    }
    assert simulated == benched | {"simulated": True}
    assert {"interrupted": False, "hops": 0}.items() <= request.items()
    assert not {"fault", "target", "position", "wasted_tokens"} & request.keys()


async def test_probes_do_not_fill_the_log(caplog):
    caplog.set_level(logging.INFO, "failsoft")
    await call(create_app(assistant(FakeProvider(("Hi.",)))), "/livez", method="GET")
    assert caplog.records == []


def test_a_traceback_loses_its_secrets():
    try:
        int("x-api-key: sk-ant-api03-abcdef")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "b", 1, "broke", None, sys.exc_info())
    line = json.loads(JsonFormatter().format(record))
    assert "ValueError" in line["error"]
    assert "sk-ant" not in line["error"]


def test_the_configuration_is_one():
    names = [handler["formatter"] for handler in LOGGING["handlers"].values()]
    assert set(names) <= set(LOGGING["formatters"])
    logging.config.DictConfigurator(LOGGING).configure_formatter(LOGGING["formatters"]["json"])
