"""What a wheel and an sdist install, in an environment that has nothing but what they ask for."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from zipfile import ZipFile

import aiohttp
import pytest
from cli_command import running

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
# A page's attributes, a script's imports, and a style's pictures.
NAMED = {
    "text/html": r"""(?:src|href)=["']([^"']+)["']""",
    "text/javascript": r"""(?:\bfrom|\bimport)\s*\(?\s*["'](\.[^"']+)["']""",
    "text/css": r"""url\(["']?([^"')]+)["']?\)""",
}
PAGES = {
    "serve": ("/", "/web/chat.html"),
    "demo": ("/", "/web/chat.html", "/playground", "/playground/notices"),
}


def uv(*command: str | Path) -> None:
    done = subprocess.run([UV, *command], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of this checkout, the sdist, and the wheel that is built of the sdist."""
    straight, there = tmp_path_factory.mktemp("straight"), tmp_path_factory.mktemp("sdist")
    uv("build", "--quiet", "--no-build-isolation", "--wheel", "--out-dir", straight, ROOT)
    uv("build", "--quiet", "--no-build-isolation", "--out-dir", there, ROOT)
    (wheel,), (sdist,), (again,) = (
        straight.glob("*.whl"),
        there.glob("*.tar.gz"),
        there.glob("*.whl"),
    )
    return {"wheel": wheel, "sdist": sdist, "wheel of the sdist": again}


def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_a_wheel_has_what_runs_and_nothing_else(built):
    found = names(built["wheel"])
    assert names(built["wheel of the sdist"]) == found
    web = {name for name in found if name.startswith("failsoft/web/")}
    assert {Path(name).suffix for name in web} == {".js", ".css", ".html"}
    assert not any(name.endswith((".jsonl", ".js", ".png")) for name in found - web)
    sources = (path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.py"))
    assert {path.as_posix() for path in sources} <= found
    with ZipFile(built["wheel"]) as archive:
        assert sum(each.file_size for each in archive.infolist()) < 2_500_000


def test_an_sdist_has_the_tests_and_what_they_need(built):
    with tarfile.open(built["sdist"]) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "tests/conftest.py", "scripts/check.sh", "web/chat.js"} <= found
    assert not any("node_modules" in name or "__pycache__" in name for name in found)


def installed(folder: Path, package: Path, extras: str = "") -> Path:
    """The programs of an environment that has only this package."""
    uv("venv", "--quiet", "--python", sys.executable, folder / "env")
    install = ("pip", "install", "--quiet", "--python", folder / "env", "--constraint")
    uv(*install, ROOT / "requirements" / "run.txt", f"failsoft{extras} @ {package.as_uri()}")
    return folder / "env" / "bin"


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def program(request, built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command ``failsoft`` of an environment of its own."""
    folder = tmp_path_factory.mktemp("service")
    return installed(folder, built[request.param], "[cli,rules,server]") / "failsoft"


@pytest.fixture(scope="module")
def bare(built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("bare"), built["wheel"])


ASK = """
import asyncio
from failsoft import Failsoft, ProviderSettings, Settings
from failsoft.chaos.simulator import Simulator

async def ask():
    async with Simulator() as simulator:
        provider = ProviderSettings(api_key="any", base_url=simulator.url)
        async with Failsoft(Settings(anthropic=provider, data_dir="data")) as ai:
            answer = await ai.ask("hi")
            print(answer.status, answer.level)

asyncio.run(ask())
"""


def said(*command: str | Path, cwd: Path) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)  # noqa: S603 - our own
    return done.returncode, done.stdout, done.stderr


def test_without_extras_it_asks(bare, tmp_path):
    assert said(bare / "python", "-c", ASK, cwd=tmp_path) == (0, "success full\n", "")


@pytest.mark.parametrize(
    ("code", "asker", "extra"),
    [
        ("import failsoft.server", "failsoft.server", "server"),
        ("import failsoft.telemetry.metrics", "failsoft.telemetry.metrics", "server"),
        ("from failsoft.testing import check_fails_soft", "check_fails_soft", "server"),
        ("f.RuleBook('.')", "RuleBook", "rules"),
        ("f.Failsoft(f.Settings(rules_dir='.'))", "rules_dir", "rules"),
        ("f.Failsoft(f.Settings(redis_url='redis://h'))", "redis_url", "redis"),
        ("f.Failsoft().trace()", "trace", "otel"),
        ("f.wrap(None)", "wrap", "anthropic"),
        (
            "from failsoft.ladder.embedder import WordllamaEmbedder as E; E().load()",
            "cache.semantic",
            "cache",
        ),
    ],
)
def test_a_missing_extra_is_one_line_that_names_what_needs_it(bare, tmp_path, code, asker, extra):
    _, _, error = said(bare / "python", "-c", f"import failsoft as f; {code}", cwd=tmp_path)
    kind, _, line = error.splitlines()[-1].partition(": ")
    assert kind == "failsoft.errors.MissingExtraError"
    assert asker in line.partition(" needs ")[0]
    assert line.endswith(f"pip install 'failsoft[{extra}]'")


def test_a_command_line_that_is_not_installed_is_one_line(bare, tmp_path):
    code, _, error = said(bare / "failsoft", "ask", "hi", cwd=tmp_path)
    assert (code, len(error.splitlines())) == (1, 1)
    assert "pip install 'failsoft[cli]'" in error


async def every_asset(session: aiohttp.ClientSession, *pages: str) -> dict[str, int]:
    """The status of each page, and of all that it and what it names name."""
    found: dict[str, int] = {}
    left = list(pages)
    while left:
        path = left.pop()
        if path in found:
            continue
        async with session.get(path) as reply:
            found[path], text = reply.status, await reply.text()
        for name in re.findall(NAMED.get(reply.content_type, "$^"), text):
            url = urlsplit(urljoin(path, name))
            if not url.scheme and url.path:
                left.append(url.path)
    return found


@pytest.mark.parametrize("command", PAGES)
async def test_every_page_and_every_asset_is_there(program, command, tmp_path):
    where = "stdout" if command == "demo" else "stderr"
    async with running(command, "--port", "0", cwd=tmp_path, program=program) as process:
        url = await process.until(r"(http://127\.0\.0\.1:\d+)[/\s]", where)
        async with aiohttp.ClientSession(url) as session:
            found = await every_asset(session, *PAGES[command])
    assert {path: status for path, status in found.items() if status != 200} == {}
    assert "/web/chat.js" in found
    assert ("/web/playground/main.js" in found) == (command == "demo")
