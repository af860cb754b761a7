"""Every dependency has its line in the documentation, and every line its dependency."""

import re
import tomllib

from house_sources import ROOT


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requirements} - {"failsoft"}


def lines_under(heading: str) -> set[str]:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    part = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([\w.-]+)` \|", part, re.MULTILINE))


def test_every_dependency_is_explained_and_nothing_else():
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, extras = said["project"], said["project"]["optional-dependencies"]
    to_work = names(said["dependency-groups"]["dev"]) | names(said["build-system"]["requires"])
    assert lines_under("Needed to run") == names(project["dependencies"])
    assert lines_under("Extras") == names([one for extra in extras.values() for one in extra])
    assert lines_under("Needed to work on it") == to_work | {"uv"}
    assert lines_under("Needed to build these pages") == names(said["dependency-groups"]["docs"])
