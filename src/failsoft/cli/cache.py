"""``failsoft cache``: which answers are saved, and how to be rid of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from failsoft.cli.options import ConfigFile, load
from failsoft.cli.terminal import duration, output, printable
from failsoft.cli.trouble import CommandError
from failsoft.degrade.cache import SemanticCache

__all__ = ["delete_saved", "list_saved", "show_stats"]

_Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="Only what this tenant asked.")]
_User = Annotated[str | None, typer.Option(metavar="ID", help="Only what this user asked.")]


def show_stats(config: ConfigFile = None) -> None:
    """Say how many answers are saved, and how much room they take."""
    place = _place(config)
    if not place.exists():
        _say(f"No answers are saved in {place}.")
        return
    with SemanticCache(place, embedder=None) as cache:
        stats = cache.stats()
    room = f"partitions: {stats.partitions}, size: {stats.bytes / 1e6:.1f} MB"
    _say(f"Answers saved in {place}: {stats.entries} ({room}).")


def list_saved(
    tenant: _Tenant = None,
    user: _User = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 100,
    config: ConfigFile = None,
) -> None:
    """Print the questions whose answers are saved: age, who may share it, route, question."""
    place = _place(config)
    found = []
    if place.exists():
        with SemanticCache(place, embedder=None) as cache:
            found = cache.entries(tenant=tenant, user=user, limit=limit)
    for one in found:
        words = (duration(one.age_seconds), one.scope, one.route, " ".join(one.question.split()))
        _say("  ".join(words))
    if not found:
        _say(f"No answers{_whose(tenant, user)} are saved in {place}.")


def delete_saved(
    tenant: _Tenant = None,
    user: _User = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigFile = None,
) -> None:
    """Delete saved answers: all, or what a tenant or a user asked."""
    place, whose = _place(config), _whose(tenant, user)
    if not place.exists():
        _say(f"No answers{whose} are saved in {place}.")
        return
    if not yes:
        _ask(f"Delete all saved answers{whose} from {place}?")
    with SemanticCache(place, embedder=None) as cache:
        count = cache.delete(tenant=tenant, user=user)
    _say(f"{count} saved answers{whose} deleted from {place}.")


def _place(config: Path | None) -> Path:
    return Path(load(config).settings.data_dir) / "cache.db"


def _whose(tenant: str | None, user: str | None) -> str:
    named = {"tenant": tenant, "user": user}
    who = ", ".join(f"{kind} {name}" for kind, name in named.items() if name is not None)
    return f" for {who}" if who else ""


def _ask(question: str) -> None:
    sys.stderr.write(f"{printable(question)} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError("nothing was deleted: answer y, or give --yes")


def _say(line: str) -> None:
    output().print(printable(line), soft_wrap=True)
