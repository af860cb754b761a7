"""docs/drills.md names exactly what the code knows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from failsoft.chaos.drills import shipped_scenarios
from failsoft.chaos.drills.figures import FIGURES
from failsoft.chaos.drills.scenario_files import KEYS, NAMES, NEEDED, Key, parse_scenario
from failsoft.chaos.tcp_proxy import ACTS

PAGE = (Path(__file__).parents[2] / "docs" / "drills.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the table whose first column is headed so."""
    _, _, rest = PAGE.partition(f"\n| {heading} |")
    assert rest, heading
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def default(key: Key) -> str:
    if key.default is NEEDED:
        return "needed"
    shown: Any = f"{key.default:g}" if isinstance(key.default, float) else key.default
    return "" if shown in (None, "", {}) else str(shown)


def rows(section: str) -> list[list[str]]:
    return [
        [f"`{name}`", key.doc, key.kind.allowed, default(key)]
        for name, key in KEYS[section].items()
    ]


def test_every_key_is_documented_with_what_is_allowed_and_its_default():
    assert table("key") == rows("")
    assert table("key of [load]") == rows("load")
    assert table("key of [[step]]") == rows("step")


def test_every_figure_is_documented():
    assert table("figure") == [
        [f"`{name}`", figure.doc, figure.needs] for name, figure in FIGURES.items()
    ]


def test_every_act_of_the_network_is_documented():
    assert table("act") == [
        [f"`{name}`", f"`{kind.option}` = {kind.default}" if kind.option else "", kind.doc]
        for name, kind in ACTS.items()
    ]


def test_every_shipped_drill_is_documented_and_has_its_results():
    assert table("drill") == [
        [f"`{each.name}`", each.about, f"{each.load.seconds:g} s"] for each in shipped_scenarios()
    ]
    assert table("on this machine")[0][0] == "`brownout`"
    assert [row[0] for row in table("on this machine")] == [f"`{name}`" for name in NAMES]


def test_the_scenario_shown_can_be_read():
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    read = parse_scenario(tomllib.loads(shown), where="docs")
    assert len(read.steps) == 6
    assert {threshold.figure for threshold in read.thresholds} == {"success_share", "raw_errors"}
