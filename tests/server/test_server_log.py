import json
import logging
import logging.config
import sys

from server_kit import FakeProvider, ask, assistant, call

from failsoft.classify.failures import ReplyFailed
from failsoft.server import create_app
from failsoft.server.log import LOGGING, JsonFormatter

SECRET = "my mother's maiden name"


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
