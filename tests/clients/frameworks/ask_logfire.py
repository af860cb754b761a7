"""logfire's instrumentation of one client, which replaces a method of it."""

import logfire
from asking import Program
from traced import Spans, forms

spans = Spans()
logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[spans])


def traced(client):
    logfire.instrument_anthropic(client)
    return client


PROGRAM = Program(forms=forms(traced), spans=spans)
