"""Spans of requests and attempts, and the trace that goes in and out."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, TraceFlags
from server_kit import FakeProvider, ask, assistant, call

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.settings import RetrySettings
from failsoft.server import create_app
from failsoft.telemetry.traces import Traces

SECRET = "my mother's maiden name"
DOWN = ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}')
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INCOMING = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def traced(exporter):
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))

    def make(provider, **changes):
        ai = assistant(provider, **changes)
        app = create_app(ai)
        ai.trace(Traces(tracing))
        return app

    return make


async def test_a_request_and_its_attempts(traced, exporter):
    app = traced(FakeProvider((DOWN,), (SECRET,)), retry=RetrySettings(max_attempts=2))
    reply = await ask(app, message=SECRET)
    first, second, request = exporter.get_finished_spans()
    assert (first.name, second.name) == ("chat claude-opus-5-5", "chat claude-sonnet-5-5")
    assert {first.parent.span_id, second.parent.span_id} == {request.context.span_id}
    assert (first.kind, request.name, request.parent) == (SpanKind.CLIENT, "failsoft chat", None)
    assert first.status.status_code is StatusCode.ERROR
    assert first.attributes["error.type"] == "overloaded"
    assert second.status.status_code is StatusCode.UNSET
    assert second.attributes["gen_ai.request.model"] == "claude-sonnet-5-5"
    assert second.attributes["gen_ai.provider.name"] == "anthropic"
    assert request.attributes["failsoft.request_id"] == reply.json["request_id"]
    assert request.attributes["failsoft.level"] == "full"
    assert (request.attributes["failsoft.attempts"], request.attributes["failsoft.hops"]) == (2, 1)
    assert [event.name for event in request.events] == ["fell_back"]
    assert request.start_time <= first.start_time <= first.end_time <= request.end_time
    assert SECRET not in "".join(span.to_json() for span in exporter.get_finished_spans())


async def test_a_failure_is_one_of_the_request_too(traced, exporter):
    await ask(traced(FakeProvider((DOWN,))), message="?")
    *_, request = exporter.get_finished_spans()
    assert request.status.status_code is StatusCode.ERROR
    assert request.attributes["failsoft.category"] == "transient"
    assert [event.name for event in request.events] == ["degraded"]


async def test_the_callers_trace_goes_through_to_the_provider(traced, exporter):
    provider = FakeProvider(("Hi.",))
    app = traced(provider)
    for path in ("/api/chat", "/api/chat/stream"):
        await call(app, path, {"message": "?"}, headers=INCOMING)
    for sent, spans in zip(
        provider.calls,
        (exporter.get_finished_spans()[:2], exporter.get_finished_spans()[2:]),
        strict=True,
    ):
        attempt, request = spans
        assert f"{request.context.trace_id:032x}" == TRACE
        assert f"{request.parent.span_id:016x}" == PARENT
        assert sent.headers["traceparent"] == f"00-{TRACE}-{attempt.context.span_id:016x}-01"


async def test_a_request_that_is_not_sampled_says_so_to_the_provider(exporter):
    tracing = TracerProvider(sampler=ALWAYS_OFF)
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    provider = FakeProvider((DOWN,), ("Hi.",))
    ai = assistant(provider, retry=RetrySettings(max_attempts=2))
    app = create_app(ai)
    ai.trace(Traces(tracing))
    await ask(app)
    sent = [call.headers["traceparent"] for call in provider.calls]
    assert len(sent) == 2
    assert not any(int(header[-2:], 16) & TraceFlags.SAMPLED for header in sent)
    assert sent[0] == sent[1]
    assert exporter.get_finished_spans() == ()


async def test_nothing_is_kept_of_what_has_ended(exporter):
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    traces = Traces(tracing)
    ai = assistant(FakeProvider(("Hi.",), (DOWN,)))
    ai.trace(traces)
    await ai.ask("?")
    await ai.ask("?")
    assert (traces._requests, traces._attempts) == ({}, {})
    assert traces.headers("req_1", 1) == {}


async def test_without_an_sdk_nothing_is_recorded_and_nothing_sent():
    provider = FakeProvider(("Hi.",))
    ai = assistant(provider)
    ai.trace()
    assert (await ai.ask("?")).text == "Hi."
    assert provider.calls[0].headers == {}
