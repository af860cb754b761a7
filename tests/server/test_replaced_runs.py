"""A reader whose run is replaced by another is told of that one's text alone."""

import json
import re
from dataclasses import replace

from server_kit import FakeProvider, assistant

from failsoft.request_log.contract import Events, Intent, RecordExpiredError, fresh
from failsoft.server.render import Render, text_frame
from failsoft.server.responses import LogReader
from failsoft.server.service import Drain

ASKED = Intent(
    id="req_1", scope="s", key="k", fingerprint=b"f", stream=True, route="chat", locale="en"
)


class Log:
    """Another process's two runs, one after the other; then the store is emptied."""

    def __init__(self):
        first = fresh(ASKED, owner="elsewhere", now=0.0)
        second = replace(first, run=2, first_id=2)
        self._reads = [
            Events(text_frame(1, "The earlier text."), 1, first),
            Events(b"", 1, second),
            Events(text_frame(2, "New."), 2, second),
        ]

    async def events(self, *_):
        if not self._reads:
            raise RecordExpiredError
        return self._reads.pop(0)


async def test_the_text_of_the_run_before_does_not_count():
    ai = assistant(FakeProvider(("Hi.",)))
    record = fresh(ASKED, owner="elsewhere", now=0.0)
    render = Render(ai.settings)
    reader = LogReader(record, 0, ai=ai, log=Log(), drain=Drain(), render=render)
    assert (await reader.read()).data == text_frame(1, "The earlier text.")
    assert (await reader.read()).data == text_frame(2, "New.")
    last = await reader.read()
    told = json.loads(re.findall(rb"^data: (.*)$", last.data, re.MULTILINE)[0])
    assert last.ended
    assert told["type"] == "stream_interrupted"
    assert (told["tokens_before_error"], told["chars_before_error"]) == (1, len("New."))
