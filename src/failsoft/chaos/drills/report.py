"""A drill's report: one HTML file that needs neither network nor script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from failsoft.chaos.drills.figures import FIGURES, written
from failsoft.chaos.drills.measure import TENTH, per_slot, percentile
from failsoft.chaos.drills.reply import LEVELS
from failsoft.chaos.drills.report_charts import Plot, bars, lines, time_line
from failsoft.chaos.drills.report_line import Row, rows_of, trouble_of
from failsoft.chaos.drills.report_style import STYLE
from failsoft.chaos.drills.report_words import meaning, what_levels_are
from failsoft.chaos.drills.result import Result
from failsoft.chaos.drills.thresholds import Verdict

__all__ = ["render_report"]

_TILES = ("success_share", "full_share", "p99_seconds", "peak_ratio", "duplicates", "raw_errors")
# Latencies are taken together for so many seconds: fewer would have too few to tell a percentile.
_TOGETHER = 2.0


def render_report(result: Result) -> str:
    """The page. Whatever is in the result, nothing of it is markup."""
    title = escape(f"Drill: {result.scenario.name}")
    body = "".join(
        (
            _head(result),
            _section("What it means", _points(meaning(result))),
            _section("What had to hold", _thresholds(result.verdicts)),
            _section("How it went", _charts(result)),
            _section("What people were told", _told(result)),
            _section("All figures", _figures(result)),
            _foot(result),
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main>{body}</main></body>"
        "</html>\n"
    )


def _head(result: Result) -> str:
    began = datetime.fromtimestamp(result.began_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    word, kind = ("Held", "held") if result.held else ("Not held", "broken")
    scenario = result.scenario
    tiles = "".join(
        f'<div class="tile"><b>{escape(written(name, result.figures[name]))}</b>'
        f"<span>{escape(FIGURES[name].title)}</span></div>"
        for name in _TILES
    )
    return (
        f"<header><div><h1>{escape(scenario.name.replace('_', ' ').capitalize())}</h1>"
        f"<p>{escape(scenario.about)}</p>"
        f'<p class="soft">{escape(began)} · {escape(result.where)} · '
        f"{scenario.load.rate:g} questions a second for {scenario.load.seconds:g} s</p></div>"
        f'<div class="badge {kind}">{word}</div></header><div class="tiles">{tiles}</div>'
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _points(points: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(point)}</li>" for point in points) + "</ul>"


def _thresholds(verdicts: Sequence[Verdict]) -> str:
    rows = "".join(_verdict(verdict) for verdict in verdicts)
    head = '<th></th><th>Figure</th><th class="n">Bound</th><th class="n">Measured</th>'
    return f'<table><tr>{head}<th class="n">Off by</th></tr>{rows}</table>'


def _verdict(verdict: Verdict) -> str:
    threshold = verdict.threshold
    name = threshold.figure
    marks = {True: ("✓ held", "held"), False: ("✗ not held", "broken"), None: ("not measured", "")}
    word, kind = marks[verdict.held]
    bound = f"{'≥' if threshold.least else '≤'} {written(name, threshold.bound)}"
    off = written(name, verdict.off_by) if verdict.held is False else ""
    cells = "".join(
        f'<td class="n">{escape(cell)}</td>' for cell in (bound, written(name, verdict.value), off)
    )
    return (
        f'<tr><td class="v {kind or "unknown"}">{word}</td>'
        f"<td>{escape(FIGURES[name].title)}</td>{cells}</tr>"
    )


def _charts(result: Result) -> str:
    ends = [reply.ended_s for reply in result.replies if reply.ended_s is not None]
    seconds = max([result.scenario.load.seconds, *ends])
    rows = rows_of(result.played, seconds)
    plot = Plot(
        seconds=seconds,
        steps=[played.at for played in result.played if played.at > 0],
        trouble=trouble_of(rows),
    )
    charts = (
        _time_line(plot, rows),
        _answers(plot, result),
        _latencies(plot, result),
        _arrivals(plot, result),
    )
    return "".join(charts) + _steps(result)


def _time_line(plot: Plot, rows: Sequence[Row]) -> str:
    who = ", ".join(row.who for row in rows)
    note = f"top to bottom: {who}" if len(rows) > 1 else who
    return _figure("What was done", note, {}, time_line(plot, rows)) if rows else ""


def _answers(plot: Plot, result: Result) -> str:
    series: dict[str, Mapping[int, int]] = {}
    for level in LEVELS:
        of = [r.ended_s for r in result.replies if r.level == level and r.ended_s is not None]
        if of:
            series[level] = per_slot(of, 1.0)
    drawn = bars(plot, series, width=1.0, what="requests ended, by level", height=220)
    names = {level: what_levels_are(level) for level in series}
    return _figure("Requests ended, a second, by level", "", names, drawn)


def _latencies(plot: Plot, result: Result) -> str:
    series = {
        "p50": list(_over_time(result, 0.5)),
        "p99": list(_over_time(result, 0.99)),
        "first": list(_over_time(result, 0.5, first=True)),
    }
    names = {"p50": "median to the end", "p99": "99th percentile to the end"}
    names["first"] = "median to the first words of a stream"
    drawn = lines(plot, series, what="seconds a request took", height=220)
    note = "by when they were asked, two seconds together"
    return _figure("Seconds a request took", note, names, drawn)


def _over_time(
    result: Result, share: float, *, first: bool = False
) -> Iterator[tuple[float, float]]:
    slots: dict[int, list[float]] = {}
    for reply in result.replies:
        at = reply.first_text_s if first else reply.ended_s
        if at is not None and (reply.stream or not first):
            slots.setdefault(int(reply.asked_s // _TOGETHER), []).append(at - reply.asked_s)
    for slot in sorted(slots):
        value = percentile(slots[slot], share)
        if value is not None:
            yield (slot + 0.5) * _TOGETHER, value


def _arrivals(plot: Plot, result: Result) -> str:
    if result.calls is None:
        return ""
    series = {"calls": per_slot((call.at for call in result.calls), TENTH)}
    drawn = bars(plot, series, width=TENTH, what="calls that reached the provider", height=160)
    return _figure("Calls that reached the provider, per 100 ms", "", {}, drawn)


def _figure(title: str, note: str, legend: Mapping[str, str], drawn: str) -> str:
    keys = "".join(
        f'<span><i class="{name}"></i>{escape(words)}</span>' for name, words in legend.items()
    )
    small = f"<small>{escape(note)}</small>" if note else ""
    below = f'<div class="legend">{keys}</div>' if keys else ""
    return f"<figure><figcaption>{escape(title)}{small}</figcaption>{below}{drawn}</figure>"


def _steps(result: Result) -> str:
    changes = [played for played in result.played if played.at > 0]
    rows = "".join(
        f'<tr><td class="n">{number}</td><td class="n">{played.at:.1f} s</td>'
        f"<td>{escape(played.step.label)}</td><td>{escape(str(played.step))}</td></tr>"
        for number, played in enumerate(changes, 1)
    )
    head = '<th class="n">Step</th><th class="n">At</th><th>What happened</th><th>How</th>'
    return f"<table><tr>{head}</tr>{rows}</table>" if rows else ""


def _told(result: Result) -> str:
    total = max(1, len(result.replies))
    rows = [(what_levels_are(level), result.levels[level]) for level in LEVELS]
    rows += [(f"of the notices: {name}", count) for name, count in result.notices.most_common()]
    rows += [(f"raw: {text}", count) for text, count in result.raw.most_common(5)]
    cells = "".join(
        f'<tr><td>{escape(what)}</td><td class="n">{count}</td>'
        f'<td class="n">{100 * count / total:.1f} %</td></tr>'
        for what, count in rows
        if count
    )
    head = '<th>How a request ended</th><th class="n">Requests</th><th class="n">Share</th>'
    return f"<table><tr>{head}</tr>{cells}</table>"


def _figures(result: Result) -> str:
    rows = "".join(
        f'<tr><td>{escape(figure.title)}</td><td class="n">'
        f"{escape(written(name, result.figures[name]))}</td>"
        f'<td class="soft">{escape(figure.doc)}</td></tr>'
        for name, figure in FIGURES.items()
    )
    return f'<table><tr><th>Figure</th><th class="n">Value</th><th>Meaning</th></tr>{rows}</table>'


def _foot(result: Result) -> str:
    return (
        f"<footer>Made by <b>failsoft drill run {escape(result.scenario.name)}</b>. "
        "A dash stands for what could not be measured here.</footer>"
    )
