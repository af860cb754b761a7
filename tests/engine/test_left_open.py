"""An application that drops a ``Failsoft`` without closing it leaves nothing running."""

import asyncio
import gc
import os
import threading
from pathlib import Path

from engine_kit import Scripted, says

from failsoft import Failsoft, Settings
from failsoft.config.settings import CacheSettings

LIMIT_SECONDS = 60


def threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == "failsoft-cache"}


def opened(folder: Path) -> list[str]:
    """What this process has open in the folder."""
    places = [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()]
    return [place for place in places if place.startswith(str(folder))]


async def asked(folder: Path, *, answering: bool) -> str:
    script = says("Bring your payslips.") if answering else RuntimeError()
    settings = Settings(data_dir=str(folder), cache=CacheSettings(semantic=False))
    ai = Failsoft(settings, providers={"anthropic": Scripted(default=script)})
    answer = await ai.ask("What do I bring?")
    async with asyncio.timeout(LIMIT_SECONDS):
        while answering and not opened(folder):  # noqa: ASYNC110 - a thread opens it
            await asyncio.sleep(0.01)
    return answer.level


async def test_what_was_dropped_ends_and_has_saved_its_answers(tmp_path):
    others = threads()
    assert await asked(tmp_path, answering=True) == "full"
    gc.collect()
    async with asyncio.timeout(LIMIT_SECONDS):
        while threads() > others or opened(tmp_path):  # noqa: ASYNC110 - a thread that ends tells nobody
            await asyncio.sleep(0.01)
    assert await asked(tmp_path, answering=False) == "cached"
