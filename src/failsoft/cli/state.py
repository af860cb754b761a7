"""``failsoft state``: the breakers, benches and parks that all processes share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import Annotated

import typer
from rich.table import Table

from failsoft.cli.chain_table import keyless_targets
from failsoft.cli.options import ConfigFile, key_variables, load
from failsoft.cli.terminal import CommandError, duration, output, printable
from failsoft.config.settings import Settings
from failsoft.policy.admission import Guards
from failsoft.policy.target_guard import TargetGuard
from failsoft.providers.models import target_for
from failsoft.shared_state.mirror import Mirror
from failsoft.shared_state.outbox import SharedCoordinator, breaker_key, hold_key
from failsoft.shared_state.redis_store import RedisStore
from failsoft.shared_state.store import Operation, StoreError, Told

__all__ = ["isolate", "reset", "restore", "show_state"]

# A person waits longer than a request may.
_PATIENCE_SECONDS = 5.0

_Target = Annotated[str, typer.Argument(metavar="TARGET", help="provider/model, as in the chain.")]


def show_state(config: ConfigFile = None) -> None:
    """Print every breaker, and what is benched or parked, as all processes have it."""
    settings = _settings(config)
    guards = _guards(settings)
    mirror = Mirror(guards)
    for guard in guards:
        mirror.add(guard)
    # As a process reads that has only begun: it knows nothing yet that it could tell.
    told = {one["key"]: one for one in _run(settings, list(mirror.syncs(time.monotonic())))}
    table = Table("target", "state", "next probe", "last change", box=None)
    for guard in guards:
        table.add_row(guard.target.id, *_cells(told[breaker_key(guard.target.id)]))
    output().print(table)
    for scope in _scopes(guards):
        one = told[hold_key(scope)]
        if one["until"] > one["now"] or one["probe_due"]:
            _say(_held(scope, one))
    if keyless_targets(settings):
        names = " and ".join(key_variables(settings))
        _say(f"A park of an account is known by its key: set {names} to see it here.")


def isolate(target: _Target, config: ConfigFile = None) -> None:
    """Open a target's breaker everywhere, until it is restored."""
    _act(config, target, "isolate", "isolated by hand")
    _say(f"{target} is isolated: no process calls it until `failsoft state restore {target}`.")


def restore(target: _Target, config: ConfigFile = None) -> None:
    """Close a target's breaker everywhere."""
    _act(config, target, "restore", "restored by hand")
    _say(f"{target} is restored: its breaker is closed in every process.")


def reset(config: ConfigFile = None) -> None:
    """Close every breaker of the chain and end every bench and park, everywhere."""
    settings = _settings(config)
    guards = _guards(settings)
    closed = [_breaker(guard, "restore", *_once(), "reset by hand") for guard in guards]
    ended = (Operation("hold", hold_key(scope), "release", _once()) for scope in _scopes(guards))
    _run(settings, [*closed, *ended])
    _say(f"Reset: {len(closed)} breakers are closed, nothing is benched or parked.")


def _act(config: Path | None, target: str, act: str, reason: str) -> None:
    settings = _settings(config)
    guards = [
        guard for guard in _guards(settings) if target in (guard.target.id, guard.target.model)
    ]
    if not guards:
        chain = ", ".join(settings.chain)
        raise CommandError(f"{target} is not in the chain, which is {chain}")
    _run(settings, [_breaker(guard, act, *_once(), reason) for guard in guards])


def _once() -> tuple[str, int, int]:
    """Who acts, which of its acts it is, and the generation that it has seen: none."""
    return token_hex(4), 1, 0


def _breaker(guard: TargetGuard, name: str, *arguments: str | int) -> Operation:
    return Operation("breaker", breaker_key(guard.target.id), name, arguments)


def _settings(config: Path | None) -> Settings:
    settings = load(config).settings
    if settings.redis_url is None:
        raise CommandError(
            "redis_url is not set: without it every process has a state of its own, which "
            "`GET /api/health/ai` of that process shows"
        )
    return settings


def _guards(settings: Settings) -> Guards:
    leading = SharedCoordinator(settings.breaker, now=time.monotonic, wake=lambda: None)
    guards = Guards(settings, rng=Random(), coordinators=leading)  # noqa: S311 - nothing is rolled
    for spec in settings.chain:
        guards.of(target_for(spec, settings))
    return guards


def _scopes(guards: Guards) -> dict[str, None]:
    """Everything that can be benched or parked, once each."""
    return {bench.scope: None for guard in guards for bench in guard.benches}


def _run(settings: Settings, operations: list[Operation]) -> list[Told]:
    async def run() -> list[Told]:
        store = RedisStore(settings.redis_url or "", timeout=_PATIENCE_SECONDS)
        try:
            return await store.run(operations)
        finally:
            await store.aclose()

    try:
        return asyncio.run(run())
    except StoreError as error:
        raise CommandError(f"the Redis of redis_url cannot be used: {error}") from None


def _cells(told: Told) -> Iterator[str]:
    now = told["now"]
    yield "isolated" if told["isolated"] else told["state"]
    waits = told["state"] == "open" and not told["isolated"]
    yield f"in {duration(max(0, told['until'] - now) / 1000)}" if waits else ""
    since = (now - told["generation"]) / 1000
    yield f"{duration(since)} ago: {told['reason']}" if told["generation"] else ""


def _held(scope: str, told: Told) -> str:
    kind = {"bench": "benched", "park": "parked"}[told["kind"]]
    left = max(0, told["until"] - told["now"]) / 1000
    when = f"for {duration(left)} more" if left else "until a probe succeeds"
    return f"{scope}: {kind} {when} ({told['cause']})"


def _say(line: str) -> None:
    output().print(printable(line), soft_wrap=True)
