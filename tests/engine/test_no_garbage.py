"""An answer is gone as soon as nobody has it: passes of the collector are a part of its cost."""

import gc
from contextlib import contextmanager

import pytest
from wrap_kit import QUESTION, wrapped

from failsoft import Failsoft, Settings
from failsoft.chaos.simulator import Simulator
from failsoft.config.settings import CacheSettings, ProviderSettings
from failsoft.engine.driver import LiveAttempt
from failsoft.providers.anthropic_stream import AnthropicExchange


@contextmanager
def nothing_left():
    """No attempt is left at the end, without any pass of the collector."""

    def found():
        return [one for one in gc.get_objects() if isinstance(one, AnthropicExchange | LiveAttempt)]

    gc.collect()
    before = found()  # of other tests, which failed on purpose
    gc.disable()
    try:
        yield
        assert [one for one in found() if not any(one is other for other in before)] == []
    finally:
        gc.enable()


@pytest.mark.parametrize("stream", [False, True])
async def test_of_a_request_nothing_is_left_for_the_collector(stream, tmp_path):
    async with Simulator() as sim:
        place = ProviderSettings(api_key="k", base_url=sim.url)
        settings = Settings(
            anthropic=place, data_dir=str(tmp_path), cache=CacheSettings(enabled=False)
        )
        async with Failsoft(settings) as ai:
            with nothing_left():
                for _ in range(3):
                    if stream:
                        async with ai.stream("Hi") as events:
                            assert [event async for event in events]
                    else:
                        assert (await ai.ask("Hi")).status == "success"


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("stream", [False, True])
async def test_of_a_wrapped_call_nothing_is_left_for_the_collector(kind, stream):
    async with wrapped(kind) as use:
        await use.do(lambda client: client.messages.create(**QUESTION))
        with nothing_left():
            for _ in range(3):
                made = await use.do(
                    lambda client: client.messages.create(**QUESTION, stream=stream)
                )
                if stream:
                    assert await use.each(made)
            del made
