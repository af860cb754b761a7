"""Drills: a bounded load and a time line of faults, and what people got meanwhile."""

from failsoft.chaos.drills.drill_report import render_report
from failsoft.chaos.drills.results import Result
from failsoft.chaos.drills.runner import run_drill
from failsoft.chaos.drills.scenario import Scenario
from failsoft.chaos.drills.scenario_files import DrillError, find_scenario, shipped_scenarios
from failsoft.chaos.drills.stage import Where

__all__ = [
    "DrillError",
    "Result",
    "Scenario",
    "Where",
    "find_scenario",
    "render_report",
    "run_drill",
    "shipped_scenarios",
]
