"""Nothing that somebody asked, was answered or may not know is in what operators see."""

import io
import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from server_kit import FakeProvider, assistant, call

from failsoft.classify.wire_errors import ReplyFailed, StreamCut
from failsoft.config.settings import ProviderSettings, RetrySettings
from failsoft.request_log.lookup import tell_of
from failsoft.server import create_app
from failsoft.server.logging import JsonFormatter
from failsoft.telemetry.traces import Traces

PROMPT, SYSTEM, EARLIER = "canary-prompt-5f1c", "canary-system-77aa", "canary-history-0b3d"
ANSWER, USER, NOTE = "canary-answer-91e4", "canary-tenant-2c2c", "canary-metadata-ee01"
PROVIDER_KEY, API_KEY = "sk-ant-canary-key-4d4d4d4d4d4d", "canary-api-key-8a8a8a8a"
CANARIES = (PROMPT, SYSTEM, EARLIER, ANSWER, NOTE, PROVIDER_KEY, API_KEY, USER)

DOWN = ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}')
BODY = {
    "message": PROMPT,
    "system": SYSTEM,
    "history": [{"role": "user", "content": EARLIER}, {"role": "assistant", "content": ANSWER}],
    "metadata": {"note": NOTE},
}
KEY = {"authorization": f"Bearer {API_KEY}", "idempotency-key": PROMPT}


@pytest.fixture
def written():
    """Every line that a service logs, debugging lines too."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger("failsoft")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield stream
    log.removeHandler(handler)
    log.setLevel(before)


async def test_canaries_are_nowhere(written, tmp_path):
    exporter, tracing = InMemorySpanExporter(), TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    scripts = [(ANSWER,), (DOWN,), (DOWN,), (ANSWER, StreamCut("cut")), (RuntimeError("odd"),)]
    provider = FakeProvider(*scripts)
    ai = assistant(
        provider,
        api_keys=(f"{USER}:{API_KEY}",),
        anthropic=ProviderSettings(api_key=PROVIDER_KEY),
        retry=RetrySettings(max_attempts=2, base_delay_seconds=0, overloaded_min_seconds=0),
        data_dir=str(tmp_path / "data"),
    )
    app = create_app(ai)
    ai.trace(Traces(tracing))
    ids = []
    for path in ("/api/chat", "/api/chat", "/api/chat/stream", "/api/chat/stream"):
        headers = KEY | {"idempotency-key": f"{PROMPT}-{len(ids)}"}
        ids.append((await call(app, path, BODY, headers=headers)).headers["x-request-id"])
    shown = [
        (await call(app, path, method="GET", headers=KEY)).body.decode()
        for path in ("/metrics", "/api/health/ai")
    ]
    await ai.aclose()
    stories = [tell_of(tmp_path / "data" / "requests.db", one).stories[1].decode() for one in ids]
    spans = [span.to_json() for span in exporter.get_finished_spans()]
    assert len(provider.calls) >= len(scripts)
    assert len(spans) >= 8
    assert written.getvalue().count('"request_finished"') == 4
    for where in (*shown, *stories, *spans, written.getvalue()):
        assert [canary for canary in CANARIES if canary in where] == []
