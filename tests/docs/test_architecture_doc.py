"""The pages for those who change the code name what is there."""

import re

import pytest
import yaml
from doc_blocks import ROOT

ROOMS = ROOT / "src" / "failsoft"
PAGES = ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"]


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page):
    paths = re.findall(r"(?<![\w.])((?:src|tests|scripts|docs)/[\w./-]*\w)", text_of(page))
    named = {path for path in paths if "NAME" not in path}
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_room_has_its_line():
    rooms = text_of("docs/architecture.md").partition("## The rooms\n")[2].partition("\n## ")[0]
    said = set(re.findall(r"`([\w.]+)`(?=[^|\n]*\| )", rooms))
    there = {path.name for path in ROOMS.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert said == there - {"__init__.py", "__pycache__"}


def test_every_make_target_exists():
    targets = set(re.findall(r"^([\w-]+):", text_of("Makefile"), re.MULTILINE))
    asked = {name for page in PAGES for name in re.findall(r"\bmake ([a-z-]+)", text_of(page))}
    assert asked - targets - {"runs"} == set()


def test_the_hooks_run_what_the_check_runs():
    hooks = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    entries = {hook["entry"] for hook in hooks[0]["hooks"]}
    lines = text_of("scripts/check.sh").splitlines()
    checked = {line for line in lines if line.startswith((".venv/bin/ruff", ".venv/bin/mypy"))}
    assert checked
    assert checked <= entries
