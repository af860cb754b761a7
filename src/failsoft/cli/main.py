"""Puts the commands together and turns how they end into an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer
from typer.exceptions import TyperException

from failsoft.cli.cache_admin import delete_saved, evaluate_cache, list_saved, show_stats
from failsoft.cli.demo import cluster, demo
from failsoft.cli.drill import list_drills, run_drill
from failsoft.cli.explain import explain
from failsoft.cli.lint import (
    check_notices,
    check_rules,
    check_settings,
    review_notices,
    show_settings,
    token,
    write_starter,
)
from failsoft.cli.question import ask
from failsoft.cli.serve_command import serve, simulator
from failsoft.cli.state import isolate, reset, restore, show_state
from failsoft.cli.terminal import FAILED, WRONG_USE, CommandError, tell
from failsoft.errors import FailsoftError

__all__ = ["application", "main"]


def main() -> None:
    """Run the command line.

    Exits with 0, with 1 for an answer that failed or a check that did not hold, with 2 for wrong
    use or settings, each said in one line, and with 130 for an interrupted command.
    """
    _write_what_can_be_written()
    try:
        code = application()(standalone_mode=False)
    except (CommandError, FailsoftError) as error:
        tell(str(error))
        code = WRONG_USE
    except TyperException as error:
        tell(_wrong_use(error))
        code = WRONG_USE
    except BrokenPipeError:  # the reader has closed the pipe
        sys.stdout = None
        code = FAILED
    except Exception as error:  # noqa: BLE001 - a person at a terminal is owed a sentence
        tell(_unexpected(error))
        code = FAILED
    sys.exit(code)


def _wrong_use(error: TyperException) -> str:
    """The problem, and where the command says how it is used."""
    context = getattr(error, "ctx", None)
    command = "failsoft" if context is None else context.command_path
    return f"{error.format_message().rstrip('.')}. See '{command} --help'."


def _unexpected(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {place.name}, line {place.lineno} of {place.filename}"
    return f"this is a bug of failsoft, please report it: {' '.join(str(error).split())} ({where})"


def _write_what_can_be_written() -> None:
    """A terminal that knows no “·” shows a question mark in its place, not an exception.

    What was started without a standard output or error writes them to nowhere: their numbers
    are taken, so that no file of the data folder gets them.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r+"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def application() -> typer.Typer:
    """Make the application: its commands return their exit codes."""
    app = _group("Calls to AI models that fail soft.")
    app.callback(invoke_without_command=True)(_root)
    for command in (serve, simulator, ask, demo, cluster, explain, token):
        app.command()(command)
    config = _group("Look at the settings.")
    config.command("check")(check_settings)
    config.command("show")(show_settings)
    app.add_typer(config, name="config")
    notices = _group("Look at the words that people read.")
    notices.command("check")(check_notices)
    notices.command("review")(review_notices)
    app.add_typer(notices, name="notices")
    rules = _group("Look at the prepared answers.")
    rules.command("check")(check_rules)
    rules.command("starter")(write_starter)
    app.add_typer(rules, name="rules")
    cache = _group("Look at the saved answers.")
    cache.command("evaluate")(evaluate_cache)
    cache.command("stats")(show_stats)
    cache.command("list")(list_saved)
    cache.command("delete")(delete_saved)
    app.add_typer(cache, name="cache")
    state = _group("Look at what all processes share, and act by hand.")
    state.command("show")(show_state)
    state.command("isolate")(isolate)
    state.command("restore")(restore)
    state.command("reset")(reset)
    app.add_typer(state, name="state")
    drill = _group("Break things on purpose, under load.")
    drill.command("run")(run_drill)
    drill.command("list")(list_drills)
    app.add_typer(drill, name="drill")
    return app


def _group(about: str) -> typer.Typer:
    return typer.Typer(help=about, add_completion=False, pretty_exceptions_enable=False)


def _root(
    context: typer.Context,
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.")
    ] = False,
) -> None:
    if show_version:
        typer.echo(f"failsoft {version('failsoft')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
