"""A plugin of pytest for the SDK's own suite: every client that a test makes is a wrapped one.

``SDK_SUITE_WRAP=1`` turns it on; ``SDK_SUITE_ONLY`` names a file with the tests to run, one a line,
``SDK_SUITE_RESULTS`` the file that their outcomes are written to. Backoffs are short, breakers open
for no test, and what one test has benched is free in the next: the suite's clients live for many
tests.
"""

import functools
import json
import os
from pathlib import Path
from weakref import WeakSet

import anthropic

import failsoft
from failsoft import Settings
from failsoft.config.settings import BreakerSettings, RetrySettings

SETTINGS = Settings(
    retry=RetrySettings(
        base_delay_seconds=0.01, overloaded_min_seconds=0.01, budget_floor_per_second=1000
    ),
    breaker=BreakerSettings(metrics_only=True),
)

_wrapping = False
_made = WeakSet()  # by identity: clients have no equality of their own


def wrap_every_client():
    """Have ``Anthropic(…)`` and ``AsyncAnthropic(…)`` return wrapped clients."""
    for kind in (anthropic.Anthropic, anthropic.AsyncAnthropic):
        kind.__new__ = _new


def _new(kind, *args, **arguments):
    bare = object.__new__(kind)
    if _wrapping:
        return bare
    _initialise_once(kind)
    kind.__init__(bare, *args, **arguments)
    wrapped = bare if _has_failsoft(bare) else _wrapped(bare)
    _made.add(wrapped)
    return wrapped


def _wrapped(bare):
    global _wrapping  # noqa: PLW0603 - wrap copies the client, and the copy is to be a bare one
    _wrapping = True
    try:
        return failsoft.wrap(bare, settings=SETTINGS)
    finally:
        _wrapping = False


def _has_failsoft(client):
    return any(_is_failsoft(one) for one in client.middleware)


def _is_failsoft(middleware):
    return type(middleware).__module__.startswith("failsoft.")


def pytest_runtest_setup():
    """Release what another test has benched or parked."""
    for client in list(_made):
        for one in filter(_is_failsoft, client.middleware):
            one._calls._runtime.guards.reset()


def _initialise_once(kind):
    """Python initialises what ``__new__`` returns; a client that is wrapped is whole already."""
    initialise = kind.__init__
    if getattr(initialise, "once", False):
        return

    @functools.wraps(initialise)
    def once(self, *args, **arguments):
        if self not in _made:
            initialise(self, *args, **arguments)

    once.once = True
    kind.__init__ = once


_outcomes = {}


def pytest_configure():
    if os.environ.get("SDK_SUITE_WRAP"):
        wrap_every_client()


def pytest_runtest_logreport(report):
    """A test has passed whose set-up, call and end all did."""
    failed = report.outcome == "failed"
    if not (failed or report.when == "call"):
        return
    if _outcomes.get(report.nodeid, ("passed",))[0] != "failed":
        _outcomes[report.nodeid] = (report.outcome, str(report.longrepr)[-2000:] if failed else "")


def pytest_sessionfinish(session):
    if (path := os.environ.get("SDK_SUITE_RESULTS")) and not hasattr(session.config, "workerinput"):
        Path(path).write_text(json.dumps(_outcomes, indent=0), encoding="utf-8")


def pytest_collection_modifyitems(config, items):
    if not (only := os.environ.get("SDK_SUITE_ONLY")):
        return
    wanted = set(Path(only).read_text(encoding="utf-8").splitlines())
    config.hook.pytest_deselected(items=[one for one in items if one.nodeid not in wanted])
    items[:] = [one for one in items if one.nodeid in wanted]
