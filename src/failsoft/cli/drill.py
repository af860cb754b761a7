"""``failsoft drill``: breaks things on purpose under load, and says how it went."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from failsoft.cli.terminal import FAILED, CommandError, errors, output, printable

if TYPE_CHECKING:
    from failsoft.chaos.drills import Result, Scenario, Where

__all__ = ["list_drills", "run_drill"]

_INTERRUPTED = 130

_Url = Annotated[
    str | None,
    typer.Option(metavar="URL", help="A deployment of yours; without it, one of the drill's own."),
]
_Simulator = Annotated[
    str | None,
    typer.Option(metavar="URL", help="With --url: the simulator that plays its provider."),
]
_Key = Annotated[
    str | None,
    typer.Option(
        metavar="KEY", envvar="DRILL_API_KEY", help="The service's API key, where it asks for one."
    ),
]


def list_drills() -> None:
    """Show the drills that come with failsoft."""
    from failsoft.chaos.drills import shipped_scenarios  # noqa: PLC0415 - slow to load

    table = Table("Drill", "What goes wrong", "Takes", box=None)
    for scenario in shipped_scenarios():
        table.add_row(scenario.name, scenario.about, f"{scenario.load.seconds:g} s")
    output().print(table)


def run_drill(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="One of failsoft drill list, or a TOML file.")
    ],
    *,
    url: _Url = None,
    simulator: _Simulator = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings of the service that the drill starts."),
    ] = None,
    api_key: _Key = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report there, as HTML.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there.")
    ] = None,
) -> int:
    """Run a drill: 0 where every threshold held, 1 where one did not."""
    from failsoft.chaos import drills  # noqa: PLC0415 - slow to load

    _check(url, simulator, config)
    found = drills.find_scenario(scenario)
    for place in (report, json_file):
        if place is not None:
            _writable(place)
    where = drills.Where(url=url, simulator=simulator, config=config, api_key=api_key)
    try:
        result = asyncio.run(_run(found, where))
    except asyncio.CancelledError:
        return _INTERRUPTED
    if report is not None:
        report.write_text(drills.render_report(result), encoding="utf-8")
    if json_file is not None:
        json_file.write_text(json.dumps(result.as_json(), indent=2) + "\n", encoding="utf-8")
    _tell(result, report)
    return 0 if result.held else FAILED


async def _run(scenario: Scenario, where: Where) -> Result:
    from failsoft.chaos import drills  # noqa: PLC0415 - slow to load

    task = asyncio.current_task()
    if task is not None:  # so that processes are ended however the drill is
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await drills.run_drill(scenario, where, tell=_progress)


def _check(url: str | None, simulator: str | None, config: Path | None) -> None:
    if url is None and simulator is not None:
        raise CommandError("--simulator is for a deployment of yours: give its --url, too")
    if url is not None and config is not None:
        raise CommandError("--config is for the service that the drill starts: leave out --url")


def _writable(place: Path) -> None:
    """Find out before the drill, not after it. Its folder is made where there is none."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise CommandError(
            f"{place}: cannot be written ({error.strerror}): name another"
        ) from error


def _progress(line: str) -> None:
    errors().print(printable(line), soft_wrap=True)


def _tell(result: Result, report: Path | None) -> None:
    console = output()
    for verdict in result.verdicts:
        mark = {True: "held    ", False: "NOT HELD", None: "unknown "}[verdict.held]
        style = {True: "green", False: "bold red", None: "dim"}[verdict.held]
        console.print(f"{mark}  {printable(str(verdict))}", style=style, soft_wrap=True)
    if report is not None:
        console.print(f"Report: {printable(str(report))}", soft_wrap=True)
