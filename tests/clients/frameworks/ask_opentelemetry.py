"""OpenTelemetry's instrumentation of the SDK, which replaces methods of its classes."""

from asking import Program
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from traced import Spans, forms, provider_with

spans = Spans()
tracers = provider_with(spans)
AnthropicInstrumentor().instrument(tracer_provider=tracers)

PROGRAM = Program(forms=forms(lambda client: client), spans=spans)
