"""failsoft's ``ask`` and ``stream``, as it comes: address and key are set, and an empty folder.

The folder, because answers saved in an earlier run would be served when no model answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory

from benchmarks.peers.contestants import KEY, MAX_TOKENS, NoAnswerError
from failsoft import Failsoft, Settings, StreamDone, StreamError, StreamInterrupted, StreamText
from failsoft.config.settings import ProviderSettings


class Ask:
    """Trouble is told by the answer's status, and by a stream's last event."""

    def __init__(self, ai: Failsoft) -> None:
        self._ai = ai

    async def ask(self, question: str) -> str:
        answer = await self._ai.ask(question, max_tokens=MAX_TOKENS)
        if answer.status == "error":
            raise NoAnswerError(answer.verdict)
        return answer.text

    async def stream(self, question: str) -> AsyncIterator[str]:
        async with self._ai.stream(question, max_tokens=MAX_TOKENS) as events:
            async for event in events:
                match event:
                    case StreamText(text):
                        yield text
                    case StreamInterrupted(answer) | StreamError(answer):
                        raise NoAnswerError(answer.verdict)
                    case StreamDone():
                        return


@asynccontextmanager
async def started(url: str) -> AsyncIterator[Failsoft]:
    """Everything else is the default, the chain too."""
    with TemporaryDirectory() as folder:
        place = ProviderSettings(api_key=KEY, base_url=url)
        async with Failsoft(Settings(data_dir=folder, anthropic=place)) as ai:
            yield ai


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Ask]:
    async with started(url) as ai:
        yield Ask(ai)
