"""What each provider is documented to send, from its bytes, and look-alikes that are in no list."""

import json
from http.client import parse_headers
from io import BytesIO

import botocore.eventstream
import pytest
from replay import FIXTURES
from scripts.provider_failures import FAILURES

from failsoft.classify import ReplyFailed, StreamFailed, classify

NOW = 1_000_000_000.0  # 2001: dates must be measured against the reply's own clock


def failure_of(path):
    """The failure that a wire protocol raises for a recording."""
    recorded = path.read_bytes()
    if path.suffix == ".frame":
        frames = botocore.eventstream.EventStreamBuffer()
        frames.add_data(recorded)
        frame = frames.next()
        return StreamFailed("", status=200, headers=frame.headers, body=frame.payload)
    head, _, body = recorded.partition(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    headers = parse_headers(BytesIO(rest + b"\r\n\r\n")).items()
    kind = StreamFailed if b"text/event-stream" in head else ReplyFailed
    return kind("", status=int(line.split()[1]), headers=headers, body=body)


def rows(failure, provider):
    verdict = classify(failure, provider=provider, now=NOW)
    return verdict.category, verdict.reason, verdict.try_next_model, verdict.wait_seconds


def row_of(expected):
    verdict = expected.verdict
    return verdict.category, verdict.reason, verdict.try_next_model, verdict.wait_seconds


@pytest.mark.parametrize("expected", FAILURES, ids=lambda each: each.recording)
def test_documented_failures(expected):
    assert rows(failure_of(expected.path), expected.service) == row_of(expected)


def test_every_recording_of_a_provider_is_in_the_table():
    found = {f"{path.parent.name}/{path.stem}" for path in FIXTURES.glob("*/*")}
    assert found == {each.recording for each in FAILURES}


def as_sent(failure):
    """The body of a reply as JSON, or the last event of a stream."""
    text = failure.body.decode()
    data = [line for line in text.splitlines() if line.startswith("data: {")]
    return json.loads(data[-1].removeprefix("data: ") if data else text)


def again(failure, body, headers=None):
    headers = failure.headers if headers is None else headers
    return type(failure)("", status=failure.status, headers=headers, body=body)


def in_a_list(failure):
    """The body in a list, under names of headers in capitals, each said twice."""
    pairs = [(name.upper(), value) for name, value in failure.headers for _ in range(2)]
    body = as_sent(failure)
    return again(failure, json.dumps(body if isinstance(body, list) else [body]), pairs)


def quoted(failure):
    """The body as a gateway quotes it in the message of its own error."""
    own = {"message": json.dumps(as_sent(failure), indent=1), "type": None, "code": failure.status}
    return again(failure, json.dumps({"error": own}))


def renumbered(failure):
    """Each number of a status as a string, and the other way round."""
    return again(failure, json.dumps(swapped(as_sent(failure))))


def swapped(value):
    if isinstance(value, list):
        return [swapped(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = ("code", "status", "originalStatusCode")
    return {
        name: turned(item) if name in named and not isinstance(item, dict) else swapped(item)
        for name, item in value.items()
    }


def turned(value):
    if isinstance(value, int):
        return str(value)
    return int(value) if isinstance(value, str) and value.isdigit() else value


def in_an_event(failure):
    """The body as the last event of a longer stream, after comments and parts of an answer."""
    part = {"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}
    lines = (": ping", f"data: {json.dumps(part)}", f"data: {json.dumps(as_sent(failure))}")
    return again(failure, "\n\n".join((*lines, "data: [DONE]", "")))


UNFRAMED = "gemini/stream_unframed_error"
REPLIES = [each for each in FAILURES if each.path.suffix == ".http" and each.recording != UNFRAMED]
ERRORS = [each for each in REPLIES if each.recording.rpartition("_")[2] != "200"]
CHANGES = [
    *((each, change) for each in REPLIES for change in (in_a_list, renumbered, in_an_event)),
    *((each, quoted) for each in ERRORS if "stream" not in each.recording),
]


@pytest.mark.parametrize(
    ("expected", "change"), CHANGES, ids=lambda each: getattr(each, "recording", None)
)
def test_documented_failures_in_other_forms(expected, change):
    changed = change(failure_of(expected.path))
    assert rows(changed, expected.service) == row_of(expected)
