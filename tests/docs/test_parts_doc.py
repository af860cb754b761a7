"""docs/parts.md: every test shown passes, the tables say what is so, and no part is left out."""

import inspect
import re
from pathlib import Path

import pytest

import failsoft
from failsoft.ladder.embedder import WordllamaEmbedder
from failsoft.standalone.function_breaker import breaker_settings
from failsoft_pytest import no_waits

__all__ = ["no_waits"]

PAGE = (Path(__file__).parents[2] / "docs" / "parts.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


TESTS = [
    (number, name)
    for number, block in enumerate(BLOCKS)
    for name in re.findall(r"^(?:async )?def (test_\w+)", block, re.MULTILINE)
]


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """Loading what compares questions takes a second, or more where others work."""
    WordllamaEmbedder().load()


@pytest.mark.parametrize(("number", "name"), TESTS)
async def test_what_is_shown_passes(number, name, request):
    shown = {}
    exec(compile(BLOCKS[number], f"docs/parts.md, block {number}", "exec"), shown)  # noqa: S102 - our own page
    needed = inspect.signature(shown[name]).parameters
    result = shown[name](**{fixture: request.getfixturevalue(fixture) for fixture in needed})
    if inspect.isawaitable(result):
        await result


def test_every_block_has_a_test():
    assert {number for number, _ in TESTS} == set(range(len(BLOCKS)))


def rows_under(heading):
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table = section.partition("| argument |")[2].partition("\n\n")[0]
    return dict(re.findall(r"^\| (`.*?) \| (.*?) \|", table, re.MULTILINE))


def test_the_arguments_of_retry_have_their_defaults():
    said = {name.strip("`"): default.strip('`"') for name, default in rows_under("retry").items()}
    have = inspect.signature(failsoft.retry).parameters
    assert set(said) == set(have) - {"fn", "rng"}
    for name, default in said.items():
        known = have[name].default
        if known is not None:
            assert default == (known if isinstance(known, str) else f"{known:g}"), name


def test_the_settings_of_the_breaker_have_their_defaults():
    settings = breaker_settings()
    own = inspect.signature(failsoft.CircuitBreaker).parameters
    for names, default in rows_under("CircuitBreaker").items():
        for name, said in zip(re.findall(r"`(\w+)`", names), default.split(", "), strict=True):
            if name in ("counts", "on_change"):
                assert own[name].default is None
                continue
            have = own[name].default if name in own else getattr(settings, name)
            assert said.strip("`") == (str(have) if isinstance(have, bool) else f"{have:g}"), name


def test_every_part_has_its_section_and_is_public():
    listed = re.findall(r"\[`(\w+)`\]\(#(\w+)\)", PAGE.partition("\nA function counts")[0])
    headings = re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)
    assert [name for name, _ in listed] == [name for name in headings if name != "Together"]
    assert all(anchor == name.lower() for name, anchor in listed)
    assert all(name in failsoft.__all__ for name, _ in listed)
