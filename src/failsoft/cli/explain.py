"""``failsoft explain``: what happened to one request, from the request log."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from failsoft.attempt import Attempt
from failsoft.classify.truth_table import ROWS, verdict_for
from failsoft.classify.verdict import Sent, Verdict
from failsoft.cli.narration import Sentence, sentence, timeline
from failsoft.cli.options import ConfigFile, load
from failsoft.cli.terminal import CommandError, duration, model_of, output, printable
from failsoft.config.settings import Settings
from failsoft.engine.request import new_request_id
from failsoft.request_log import redis_lookup as shared
from failsoft.request_log.lookup import Told, ids_like, tell_of
from failsoft.telemetry.events import (
    AttemptFinished,
    AttemptStarted,
    CacheLookedUp,
    Event,
    RetryScheduled,
)
from failsoft.telemetry.history import read_story

__all__ = ["explain"]

_ID_BEGINS = re.compile("req_[0-9a-f]+")
_LOOKED_UP = {
    "same": "a saved answer to the same question was found",
    "alike": "a saved answer to a question that asks the same was found",
    "miss": "no saved answer to it was found",
}


def explain(
    request_id: Annotated[
        str, typer.Argument(help="The request's id, the reference in a notice, or how it begins.")
    ],
    config: ConfigFile = None,
) -> None:
    """Say what happened to a request: its attempts on a time line, and every step in words."""
    settings = load(config).settings
    request_id = _whole_id(settings, request_id.strip())
    told = _told(settings, request_id)
    _say(Text(_about(request_id, told), "bold"))
    for run, data in told.stories.items():
        _show_run(run, told, read_story(data))
    if told.run not in told.stories:
        _say(Text(_untold(told), "yellow"))


def _whole_id(settings: Settings, given: str) -> str:
    """The one id that begins as ``given`` does, with or without its ``req_``."""
    if given.startswith("#"):
        raise CommandError(
            f"{printable(given)} is a number of the demo's terminal: name what stands behind "
            "its question, such as req_2d8f0823"
        )
    wanted = given if given.startswith("req_") else f"req_{given}"
    if len(wanted) >= len(new_request_id()) or not _ID_BEGINS.fullmatch(wanted):
        return given
    if settings.redis_url:
        found = shared.ids_like(settings.redis_url, wanted)
    else:
        found = ids_like(Path(settings.data_dir) / "requests.db", wanted)
    if len(found) > 1:
        raise CommandError(f"{printable(given)} may be any of these: {', '.join(found)}")
    return found[0] if found else given


def _told(settings: Settings, request_id: str) -> Told:
    if settings.redis_url:
        told, where = shared.tell_of(settings.redis_url, request_id), "Redis"
        whose = "the service's own (redis_url)"
    else:
        place = Path(settings.data_dir) / "requests.db"
        told, where = tell_of(place, request_id), str(place)
        whose = "the service's own folder (data_dir)"
    if told is None:
        hours = f"{settings.retention_seconds / 3600:g} hours"
        raise CommandError(
            f"{printable(request_id)} is not in {where}: is it {whose}, "
            f"and the request younger than {hours}?"
        )
    return told


def _about(request_id: str, told: Told) -> str:
    asked = datetime.fromtimestamp(told.created_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    how = "stream" if told.stream else "plain"
    return f"{request_id} · route {told.route} · {how} · asked {asked} · {told.state}"


def _untold(told: Told) -> str:
    if not told.state.ended:
        return f"It runs, in attempt {told.attempt}: what happens is kept when it ends."
    return (
        f"Of run {told.run} no more is known than its state, {told.state}, after attempt "
        f"{told.attempt}: the process that ran it ended before the request did."
    )


def _show_run(run: int, told: Told, events: list[Event]) -> None:
    if told.run > 1:
        _say(Text(f"Run {run} of {told.run}", "bold"))
    if not events:
        return
    began = events[0].at
    if attempts := _attempts(events, began):
        _say(timeline(attempts, output()))
    for event in events:
        if line := _sentence(event):
            said, style = line
            _say(Text.assemble((f"{duration(event.at - began):>8}  ", "dim"), (said, style)))


def _sentence(event: Event) -> Sentence | None:
    match event:
        case AttemptStarted():
            return _call(event), ""
        case AttemptFinished(outcome="success"):
            took = duration(event.duration_seconds)
            return f"{model_of(event.target)} answered in {took}", "green"
        case AttemptFinished(outcome="failure") if event.detail:
            said, style = sentence(event) or ("", "")
            return f"{said}; {printable(event.detail)}", style
        case CacheLookedUp():
            return _LOOKED_UP.get(event.result, event.result), ""
        case _:
            return sentence(event)


def _call(event: AttemptStarted) -> str:
    said = f"call {event.number} to {model_of(event.target)}"
    if not event.period_seconds:  # of an older version
        return said
    why = f"as learned from {event.samples} calls" if event.samples else "not learned"
    return f"{said}, to begin within {duration(event.period_seconds)} ({why})"


def _attempts(events: list[Event], began: float) -> list[Attempt]:
    found, waited = [], 0.0
    for event in events:
        if isinstance(event, RetryScheduled):
            waited = event.wait_seconds
        elif isinstance(event, AttemptFinished):
            found.append(_attempt(event, began, waited))
            waited = 0.0
    return found


def _attempt(event: AttemptFinished, began: float, waited: float) -> Attempt:
    return Attempt(
        number=event.number,
        target=event.target,
        outcome=event.outcome,  # type: ignore[arg-type]  # as it was written
        verdict=_verdict(event),
        started_seconds=max(0.0, event.at - event.duration_seconds - began),
        duration_seconds=event.duration_seconds,
        wait_seconds=waited,
        first_content_seconds=event.first_content_seconds,
        shown_chars=0,
        sent=Sent.MAYBE,
        usage=event.tokens,
        provider_request_id=None,
    )


def _verdict(event: AttemptFinished) -> Verdict | None:
    known = (row.name for row in ROWS.values() if row.reason == event.reason)
    name = next(known, None)
    return None if name is None else verdict_for(name)


def _say(what: object) -> None:
    output().print(what, soft_wrap=isinstance(what, Text))
