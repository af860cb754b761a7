"""Every command of every runbook finds something while the service has that trouble."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from doc_blocks import Block, blocks
from test_code_blocks import BIN, PROGRAMS

from failsoft.chaos.simulator import Simulator

COMMANDS = [b for b in blocks() if b.page.startswith("docs/runbooks/") and b.language == "sh"]
TROUBLE = {
    "auth-or-billing": "*=bad_key",
    "circuit-open": "*=529",
    "fallback": "claude-opus-5-5=529",
    "rate-limited": "*=429;retry_after=40",
    "store-down": "*=healthy",
    "timeouts": "*=504",
    "transient": "*=529",
}
SERVING = re.compile(r"http://127\.0\.0\.1:\d+")
DEFAULT = "http://127.0.0.1:8787"
LIMIT_SECONDS = 60


def name(block: Block) -> str:
    return Path(block.page).stem


def test_every_page_with_commands_has_its_trouble():
    assert {name(block) for block in COMMANDS} == set(TROUBLE)


@asynccontextmanager
async def serving(
    upstream: str, folder: Path, **more: str
) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """The address of a service whose log is in ``folder``, and the environment of its operator."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FAILSOFT_")}
    environ = kept | {"ANTHROPIC_BASE_URL": upstream, "ANTHROPIC_API_KEY": "any"} | more
    environ["PATH"] = f"{BIN}:{kept['PATH']}"
    environ["NO_PROXY"] = environ["no_proxy"] = "127.0.0.1"
    log = folder / "failsoft.log"
    with log.open("wb") as file:
        service = await asyncio.create_subprocess_exec(
            *(BIN / "failsoft", "serve", "--port", "0"), stderr=file, cwd=folder, env=environ
        )
    try:
        while not (found := SERVING.search(log.read_text())):
            assert service.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
        yield found[0], environ
    finally:
        service.kill()
        await service.wait()


@pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason=f"not installed: one of {', '.join(PROGRAMS)}"
)
@pytest.mark.parametrize("page", TROUBLE)
async def test_a_command_finds_what_it_is_for(page, tmp_path):
    more = {}
    if page == "store-down":
        (tmp_path / "file").write_text("")
        more["FAILSOFT_DATA_DIR"] = "file/data"
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        Simulator(faults=(TROUBLE[page],)) as simulator,
        serving(simulator.url, tmp_path, **more) as (url, environ),
        aiohttp.ClientSession() as session,
    ):
        headers = {"X-Request-Deadline-Ms": "2000"}
        async with session.post(f"{url}/api/chat", json={"message": "?"}, headers=headers) as reply:
            number = reply.headers["x-request-id"]
        for block in (one for one in COMMANDS if name(one) == page):
            command = block.code.replace("REQUEST_ID", number).replace(DEFAULT, url)
            ran = await asyncio.create_subprocess_exec(
                *("bash", "-euo", "pipefail", "-c", command),
                cwd=tmp_path,
                env=environ,
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await ran.communicate()
            assert ran.returncode == 0, block.at
            assert out.strip() not in (b"", b"null", b"[]"), block.at
