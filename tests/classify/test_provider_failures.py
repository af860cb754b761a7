"""What each provider is documented to send, from its bytes, and look-alikes that are in no list."""

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
