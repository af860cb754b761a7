"""A request is gone with its reply: the collector is late, and would keep whole questions."""

import asyncio
import gc

import pytest
from server_kit import FakeProvider, assistant, call

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.server import create_app

ANSWERS, FAILS = ("Hi.",), (ReplyFailed(status=400),)


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
@pytest.mark.parametrize("script", [ANSWERS, FAILS], ids=["answered", "failed"])
async def test_nothing_of_a_request_waits_for_the_collector(path, script):
    app = create_app(assistant(FakeProvider(script)))
    ask = {"body": {"message": "How do I pay?"}}
    await call(app, path, **ask)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(3):
            await call(app, path, **ask)
        await asyncio.sleep(0)
        gc.collect()
        ours = {type(one).__qualname__ for one in gc.garbage if _is_ours(one)}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert ours == set()


def _is_ours(one):
    return type(one).__module__.startswith("failsoft")
