"""The SDK's own calls under a tracer, and the spans they made."""

from anthropic import APIError
from asking import MAX_TOKENS, QUESTION, Form
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_MODELS = ("gen_ai.request.model", "gen_ai.response.model")


class Spans(SpanProcessor):
    """All spans since the last call, those that were never ended too."""

    def __init__(self):
        self._spans = []

    def on_start(self, span, parent_context=None):  # noqa: ARG002 - its signature
        self._spans.append(span)

    def __call__(self):
        spans, self._spans = self._spans, []
        return [
            {
                "name": span.name,
                "ended": span.end_time is not None,
                "status": span.status.status_code.name,
                "models": [(span.attributes or {}).get(name) for name in _MODELS],
            }
            for span in spans
        ]


def provider_with(spans):
    provider = TracerProvider()
    provider.add_span_processor(spans)
    return provider


def _asked(model):
    messages = [{"role": "user", "content": QUESTION}]
    return {"model": model, "max_tokens": MAX_TOKENS, "messages": messages}


def _text(event):
    return getattr(getattr(event, "delta", None), "text", None) or ""


def forms(traced):
    """``create``, ``create(stream=True)`` and ``stream`` of the client that ``traced`` returns."""
    return (*_async_forms(traced), *_blocking_forms(traced))


def _async_forms(traced):
    async def plain(client, model, shown):
        shown.append((await traced(client).messages.create(**_asked(model))).content[0].text)

    async def stream(client, model, shown):
        async for event in await traced(client).messages.create(**_asked(model), stream=True):
            shown.append(_text(event))

    async def helper(client, model, shown):
        async with traced(client).messages.stream(**_asked(model)) as stream:
            async for piece in stream.text_stream:
                shown.append(piece)

    return (
        Form(name="plain", is_async=True, streams=False, ask=plain, tree=APIError),
        Form(name="stream", is_async=True, streams=True, ask=stream, tree=APIError),
        Form(name="helper", is_async=True, streams=True, ask=helper, tree=APIError),
    )


def _blocking_forms(traced):
    def plain(client, model, shown):
        shown.append(traced(client).messages.create(**_asked(model)).content[0].text)

    def stream(client, model, shown):
        for event in traced(client).messages.create(**_asked(model), stream=True):
            shown.append(_text(event))

    def helper(client, model, shown):
        with traced(client).messages.stream(**_asked(model)) as stream:
            shown.extend(stream.text_stream)

    return (
        Form(name="blocking", is_async=False, streams=False, ask=plain, tree=APIError),
        Form(name="blocking stream", is_async=False, streams=True, ask=stream, tree=APIError),
        Form(name="blocking helper", is_async=False, streams=True, ask=helper, tree=APIError),
    )
