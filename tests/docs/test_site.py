"""The site has every page of docs/ in its nav, and every link between the pages leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_blocks import PAGES, ROOT

import failsoft
import failsoft.server
import failsoft.testing

DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]+`(?!\])")
_FENCE = re.compile(r"^(```|~~~).*?^\1$", re.DOTALL | re.MULTILINE)


def pages(nav: Any) -> Iterator[str]:
    """The files that a part of the nav names."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from pages(part)


def test_every_page_is_in_the_nav_once():
    named = sorted(pages(SITE["nav"]))
    there = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
    assert named == there, "see nav in mkdocs.yml"


def links() -> list[tuple[Path, str]]:
    found = []
    for page in PAGES:
        text = _CODE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
        found += [(page, to) for to in _LINK.findall(text) if "://" not in to]
    return [(page, to) for page, to in found if not to.startswith("mailto:")]


def test_every_link_leads_to_a_file_and_a_heading():
    assert len(links()) > 80
    assert [f"{page.relative_to(ROOT)}: {to}" for page, to in links() if not leads(page, to)] == []


def leads(page: Path, to: str) -> bool:
    path, _, anchor = to.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


@cache
def anchors(page: Path) -> set[str]:
    """Those of its headings, as git hosts and the site make them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_public_name_is_in_the_reference():
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    documented = re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)
    # By its public name alone each would be the package and not the function.
    functions = {
        "failsoft.classify.classify": "failsoft.classify",
        "failsoft.wrap.wrap.wrap": "failsoft.wrap",
        "failsoft.wrap.answer_of.answer_of": "failsoft.answer_of",
    }
    documented = [functions.get(name, name) for name in documented]
    modules = (failsoft, failsoft.server, failsoft.testing)
    names = [f"{module.__name__}.{name}" for module in modules for name in module.__all__]
    names.remove("failsoft.__version__")
    assert sorted(documented) == sorted([*names, "failsoft_pytest"]), "see docs/reference"


def test_no_pin_names_a_registry():
    for file in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in file.read_text(encoding="utf-8")


@pytest.mark.skipif(not MKDOCS.exists(), reason="the site is built where `make docs` has been run")
def test_the_site_is_built_without_a_warning_and_fetches_nothing(tmp_path):
    built = subprocess.run(  # noqa: S603 - our own pages
        [MKDOCS, "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING " not in built.stderr
    fetched = re.compile(
        r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=\"?https?://[^>]*>"
    )
    for page in tmp_path.rglob("*.html"):
        assert fetched.findall(page.read_text(encoding="utf-8")) == []
