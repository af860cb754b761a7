"""One browser, one service and one simulator for all tests of this folder."""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from npm_packages import NotHere, bring
from playwright.async_api import async_playwright
from web_kit import Stage, Visit, serving, visiting

from failsoft.chaos.simulator import Simulator
from failsoft.chaos.tcp_proxy import FaultProxy

# The first has no window to keep up, and takes two thirds of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def packages() -> str:
    try:
        return bring()
    except NotHere as missing:
        pytest.skip(str(missing))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def everything(tmp_path_factory) -> AsyncIterator[Stage]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium (on Debian: apt-get install chromium-headless-shell)")
    async with (
        async_playwright() as playwright,
        Simulator() as simulator,
        serving(tmp_path_factory.mktemp("service"), simulator.url) as url,
        FaultProxy(url) as proxy,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Stage(browser, simulator, proxy, url)
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(everything: Stage) -> Stage:
    await everything.proxy.set("pass")
    everything.simulator.set("*", faults=[])
    everything.before = len(everything.simulator.requests)
    return everything


@pytest_asyncio.fixture(loop_scope="session")
async def visit(stage: Stage) -> AsyncIterator[Visit]:
    async with visiting(stage) as opened:
        yield opened
