"""Both clients of the SDK behind one face, in front of a simulator."""

import asyncio
from contextlib import asynccontextmanager

import openai
from anthropic import Anthropic, AsyncAnthropic, DefaultAsyncHttpxClient, DefaultHttpxClient

import failsoft
from failsoft.config.settings import TimerSettings
from failsoft.testing import RunningSimulator

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"
QUESTION = {
    "model": OPUS,
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "What is escrow?"}],
}

# Short where a fault is silence: what is tested is who ends it, not how long it takes.
_QUICK = TimerSettings(
    first_content_seconds=1.5,
    first_content_min_seconds=1.5,
    idle_seconds=1.5,
    wrapped_seconds=1.5,
    wrapped_tokens_per_second=1_000_000,
)
_SILENT = ("hang", "ping_only", "stall")


def timers_for(fault):
    """Short timers for a silent fault; elsewhere a busy machine could only be mistaken for one."""
    return _QUICK if fault.startswith(_SILENT) else TimerSettings()


class Wrapped:
    """A wrapped client, the simulator it calls, and what it sent there."""

    def __init__(self, client, simulator, sent):
        self.client = client
        self.simulator = simulator
        self.sent = sent

    @property
    def models(self):
        """The models that were called, in order."""
        return [request.model for request in self.simulator.requests]

    @property
    def is_async(self):
        return isinstance(self.client, AsyncAnthropic | openai.AsyncOpenAI)

    async def do(self, call):
        """What ``call(client)`` returns, waited for where it is a coroutine."""
        if self.is_async:
            return await call(self.client)
        return await asyncio.to_thread(call, self.client)

    async def each(self, stream):
        """All items of a stream of the SDK."""
        if self.is_async:
            return [item async for item in stream]
        return await asyncio.to_thread(list, stream)

    async def each_into(self, seen, stream):
        """The same into a list, which then has what came before a failure."""
        if self.is_async:
            async for item in stream:
                seen.append(item)
        else:
            await asyncio.to_thread(seen.extend, stream)

    async def within(self, manager, use):
        """``use`` what a context manager of the SDK gives, and leave it."""
        if self.is_async:
            async with manager as entered:
                return await use(entered)

        def run():
            with manager as entered:
                return use(entered)

        return await asyncio.to_thread(run)


def sdk_client(kind, url, sent=None, **arguments):
    """A client of the SDK that notes what it sends."""
    sent = [] if sent is None else sent
    if kind == "sync":
        http = DefaultHttpxClient(event_hooks={"request": [sent.append]})
        return Anthropic(api_key="k", base_url=url, http_client=http, **arguments)

    async def note(request):
        sent.append(request)

    http = DefaultAsyncHttpxClient(event_hooks={"request": [note]})
    return AsyncAnthropic(api_key="k", base_url=url, http_client=http, **arguments)


def openai_client(kind, url, sent=None, **arguments):
    """A client of the openai SDK that notes what it sends."""
    sent = [] if sent is None else sent
    arguments = {"api_key": "k", **arguments}
    if kind == "sync":
        http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
        return openai.OpenAI(base_url=f"{url}/v1", http_client=http, **arguments)

    async def note(request):
        sent.append(request)

    http = openai.DefaultAsyncHttpxClient(event_hooks={"request": [note]})
    return openai.AsyncOpenAI(base_url=f"{url}/v1", http_client=http, **arguments)


@asynccontextmanager
async def wrapped(kind, *faults, make=sdk_client, **arguments):
    """A wrapped client of that kind (``async`` or ``sync``) in front of a failing simulator."""
    with RunningSimulator(faults=faults) as simulator:
        sent = []
        sdk = make(kind, simulator.url, sent)
        try:
            yield Wrapped(failsoft.wrap(sdk, **arguments), simulator, sent)
        finally:
            if kind == "async":
                await sdk.close()
            else:
                sdk.close()
