"""README.md does what it says."""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from cli_command import environment

from failsoft import Failsoft, Settings
from failsoft.cli.demo import trying
from failsoft.cli.main import application
from failsoft.config.settings import ProviderSettings, TimerSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CURLS = re.findall(r"^curl .*$", README, re.MULTILINE)


OPUS, GPT = "anthropic/claude-opus-5-5: ", "openai/gpt-5.5: "
KEY = "auth_error · authentication"


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("*=healthy", [f"{OPUS}answered"]),
        ("claude-*=529", [f"{OPUS}transient · overloaded", f"{GPT}answered"]),
        ("claude-*=bad_key", [f"{OPUS}{KEY}", f"{GPT}answered"]),
        ("*=bad_key", [f"{OPUS}{KEY}", f"{GPT}{KEY}"]),
    ],
)
async def test_the_example_runs(assignment, expected, simulator, environ, tmp_path):
    models, _, fault = assignment.partition("=")
    simulator.set(models, faults=[fault])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", *PYTHON, stdout=PIPE, cwd=tmp_path, env=environment(**environ)
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    said, *attempts = out.decode().splitlines()
    answered = expected[-1].endswith("answered")
    assert said.startswith("You asked: “What" if answered else "We have not set up")
    assert attempts == expected


def test_its_requests_are_those_that_the_demo_hints_at():
    """Those are sent and looked at by the tests of the demo."""
    hints = [hint for _, hint in trying("http://127.0.0.1:8787") if "curl" in hint]
    assert hints == CURLS


def test_every_command_is_named():
    app = application()
    names = [command.callback.__name__ for command in app.registered_commands]
    for name in [*names, *(group.name for group in app.registered_groups)]:
        assert f"| `failsoft {name}" in README


@pytest.mark.parametrize(
    "text", ["README.md", "CHANGELOG.md", "docs/how-it-decides.md", "docs/deploy.md"]
)
def test_links_lead_somewhere(text):
    path = ROOT / text
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (path.parent / link).exists(), link


NEXT = ["answered"]
# The last target is given all that is left, so that a busy machine cannot fail it.
TWO = ["anthropic/claude-opus-5-5", "anthropic/claude-sonnet-5-5"]
SILENT = ("hang", "ping_only;every_ms=20")
QUICK = TimerSettings(first_content_seconds=0.5, first_content_min_seconds=0.5)


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        ("529", ["transient · overloaded", *NEXT]),
        ("529;retry_after=171", ["transient · overloaded", *NEXT]),
        ("429;retry_after=171", ["rate_limited · requests", *NEXT]),
        *((fault, ["timeout · no_answer", *NEXT]) for fault in SILENT),
        ("error_event;after=0", ["transient · overloaded", *NEXT]),
        ("cut;after=0", ["transient · stream_cut", *NEXT]),
        ("eof;after=0", ["transient · stream_cut", *NEXT]),
        ("spend_limit", ["auth_error · billing"]),
    ],
)
async def test_its_table_before_the_first_words(fault, attempts, simulator):
    simulator.set("claude-opus-5-5", faults=[fault])
    more = {"timers": QUICK} if fault in SILENT else {}
    async with (
        Failsoft(settings(simulator.url, **more), chain=TWO) as ai,
        ai.stream("What?") as events,
    ):
        last = [event async for event in events][-1]
    assert [str(attempt.verdict or "answered") for attempt in last.answer.attempts] == attempts


@pytest.mark.parametrize("fault", ["error_event;after=3", "cut;after=3", "eof;after=3"])
async def test_its_table_after_the_first_words(fault, simulator):
    simulator.set("claude-opus-5-5", faults=[fault])
    async with Failsoft(settings(simulator.url)) as ai, ai.stream("What?") as events:
        last = [event async for event in events][-1]
    assert last.type == "stream_interrupted"
    assert last.answer.text == "You asked: “What?”. "


async def test_its_table_of_pages_and_keys(simulator):
    simulator.set("*", faults=["html;status=200"])
    async with Failsoft(settings(simulator.url)) as ai:
        assert str((await ai.ask("What?")).verdict) == "unknown · bad_reply"
    async with Failsoft(settings(simulator.url, api_key=None)) as ai:
        answer = await ai.ask("What?")
    assert answer.notice.title == "A problem on our side"
    assert "ANTHROPIC_API_KEY" in answer.verdict.internal_detail


def settings(url: str, api_key: str | None = "any", **more: TimerSettings) -> Settings:
    return Settings(anthropic=ProviderSettings(api_key=api_key, base_url=url), **more)
