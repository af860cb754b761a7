"""A drill's report: one HTML file that needs neither network nor script, on screen and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from failsoft.chaos.drills.charts import ChartRow, Plot, bars, lines, rows_of, time_line, trouble_of
from failsoft.chaos.drills.figures import FIGURES, written
from failsoft.chaos.drills.load import LEVELS
from failsoft.chaos.drills.results import TENTH, Result, per_slot, percentile
from failsoft.chaos.drills.scenario import DrillVerdict

__all__ = ["STYLE", "meaning", "render_report", "what_levels_are"]


_LEVELS: Final = {
    "full": "full: a model's own answer",
    "cached": "cached: a saved answer",
    "rule": "rule: a prepared answer",
    "minimal": "minimal: a notice, no answer",
    "interrupted": "interrupted: cut short, with a notice",
    "raw": "raw: neither answer nor notice",
    "unanswered": "unanswered: nothing in time",
}

_NOT_BACK: Final = (
    "It had not recovered by the end: /api/health/ai says what is left out, and until when."
)

_LOOK: Final = {
    "success_share": "More people than allowed were left without an answer: see which notices they "
    "got, and whether a model was there that nobody asked.",
    "full_share": "More answers than allowed did not come from a model.",
    "success_share_at_end": _NOT_BACK,
    "full_share_at_end": _NOT_BACK,
    "p99_seconds": "The slowest waited longer than allowed: first-content timers and the deadline "
    "decide how long (timers.*, deadline_seconds).",
    "upstream_calls_per_request": "The provider is called too often for one question: look at the "
    "retry budget, and for another layer that tries again on its own.",
    "peak_ratio": "Everybody came back at once: the slow start after a breaker closes and the "
    "jitter of waits are there to keep that flat.",
    "recovery_seconds": "It took longer than allowed to come back: the longest time between "
    "two probes is breaker.recovery_timeout_seconds.",
    "duplicates": "Something was done twice for the same question.",
    "second_ids": "A repeat of a request was taken for a new one: is the same data_dir behind "
    "every process?",
    "repeated_text": "A person saw the beginning of an answer twice.",
    "bad_ends": "A stream ended without its one terminal event: a page would wait for ever.",
    "raw_errors": "People saw something that is neither an answer nor a notice.",
    "unanswered": "Some clients gave up before anything came.",
    "in_flight_left": "Calls are still counted as in flight with nobody asking: permits leak.",
    "descriptors_left": "Files or sockets are left open.",
    "memory_growth_mb": "The process has grown more than allowed: a longer drill shows whether it "
    "goes on.",
}


def what_levels_are(name: str) -> str:
    """A level with what it is."""
    return _LEVELS.get(name, name)


def meaning(result: Result) -> list[str]:
    """Sentences, the most important first."""
    about = [result.scenario.means] if result.scenario.means else []
    return [
        *_misses(result),
        *about,
        *_people(result),
        *_provider(result),
        *_after(result),
        *_unmeasured(result),
    ]


def _misses(result: Result) -> Iterator[str]:
    for verdict in result.verdicts:
        if verdict.held is False:
            name = verdict.threshold.figure
            yield f"{verdict}. {_LOOK.get(name, FIGURES[name].doc + '.')}"


def _unmeasured(result: Result) -> Iterator[str]:
    names = [FIGURES[v.threshold.figure].title for v in result.verdicts if v.held is None]
    if names:
        yield f"Not measured here, so not judged: {', '.join(names)}."


def _people(result: Result) -> Iterator[str]:
    figures, levels = result.figures, result.levels
    total = len(result.replies)
    answered = sum(levels[level] for level in ("full", "cached", "rule"))
    instead = answered - levels["full"]
    yield (
        f"{answered} of {total} requests were answered"
        f"{f', {instead} of them with a saved or prepared answer' if instead else ''}; "
        f"half had ended within {written('p50_seconds', figures['p50_seconds'])}, "
        f"99 % within {written('p99_seconds', figures['p99_seconds'])}."
    )
    notices = levels["minimal"] + levels["interrupted"]
    if notices:
        kinds = ", ".join(f"{count} {name}" for name, count in result.notices.most_common())
        yield f"{notices} ended with a notice that says what happened and what to do ({kinds})."
    bare = levels["raw"] + levels["unanswered"]
    yield f"{bare or 'None'} met a raw error or nothing at all."


def _provider(result: Result) -> Iterator[str]:
    figures = result.figures
    calls = figures["upstream_calls_per_request"]
    if calls is None:
        return
    yield (
        f"The provider was called {written('upstream_calls_per_request', calls)} times a question "
        "on average: below 1 means that questions were answered or turned down without calling it."
    )
    twice = figures["duplicates"]
    yield (
        "Nothing was done twice."
        if not twice
        else f"Answered in full by the provider more than once: {twice:.0f} of the questions."
    )


def _after(result: Result) -> Iterator[str]:
    figures = result.figures
    back, peak = figures["recovery_seconds"], figures["peak_ratio"]
    if back is not None:
        herd = "" if peak is None else (
            f", and the busiest 100 ms after it had {peak:.1f} times the calls of the busiest "
            "before the trouble"
        )  # fmt: skip
        yield f"{written('recovery_seconds', back)} after recovery there was a full answer{herd}."
    elif result.scenario.recovers_at is not None:
        yield "No full answer came after recovery."
    lost = figures["lost_connections"]
    if lost:
        yield (
            f"{lost:.0f} connections to the service broke or were refused; clients sent the same "
            "again with the same key."
        )


STYLE: Final = """
:root{color-scheme:light dark;--paper:#fff;--card:#f7f8fa;--ink:#16202c;--soft:#5a6675;
--line:#dfe4ea;--good:#0a7a55;--bad:#c0271d;--none:#6b7685;--shade:#c0271d;
--full:#0f8a62;--cached:#2f6fde;--rule:#8250c8;--minimal:#d99a1c;--interrupted:#e0701f;
--raw:#c0271d;--unanswered:#4b5563;--p50:#2f6fde;--p99:#b3407f;--first:#0f8a62;--calls:#44566c}
@media (prefers-color-scheme:dark){:root{--paper:#10161d;--card:#18212b;--ink:#e8edf3;
--soft:#9aa7b6;--line:#2c3845;--good:#43c795;--bad:#ff7a6e;--none:#9aa7b6;--shade:#ff7a6e;
--full:#2fb588;--cached:#6ea0ff;--rule:#b088f0;--minimal:#e8b548;--interrupted:#f0915a;
--raw:#ff7a6e;--unanswered:#8b97a6;--p50:#6ea0ff;--p99:#e07cb4;--first:#2fb588;--calls:#9db2c9}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,
"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 28px 64px}
header{display:flex;gap:24px;align-items:flex-start;justify-content:space-between}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:19px;margin:40px 0 10px}
p{margin:0 0 10px;max-width:76ch}
.soft,small{color:var(--soft)}
.badge{flex:none;font-weight:650;padding:8px 16px;border-radius:999px;border:2px solid;
white-space:nowrap}
.held{color:var(--good)}.broken{color:var(--bad)}.unknown{color:var(--none)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;
margin:24px 0 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.tile b{display:block;font-size:25px;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:14px}
table{border-collapse:collapse;width:100%;font-size:15px}
th,td{text-align:left;padding:7px 12px 7px 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:13px}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.v{white-space:nowrap;font-weight:600;width:128px}
figure{margin:0 0 22px}
figcaption{font-weight:650;margin-bottom:2px}
figcaption small{font-weight:400;margin-left:6px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px;color:var(--soft);margin:2px 0 4px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font-size:12px}
svg .grid{stroke:var(--line)}
svg .step{stroke:var(--soft);stroke-dasharray:3 3}
svg .shade{fill:var(--shade);opacity:.07}
svg .bar{stroke:var(--paper);stroke-width:.6}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg .calm{fill:var(--good);opacity:.22}
svg .trouble{fill:var(--bad);opacity:.85}
svg .in{fill:#fff;font-weight:600}
@media (prefers-color-scheme:dark){svg .in{fill:#10161d}}
.full{--c:var(--full)}.cached{--c:var(--cached)}.rule{--c:var(--rule)}.minimal{--c:var(--minimal)}
.interrupted{--c:var(--interrupted)}.raw{--c:var(--raw)}.unanswered{--c:var(--unanswered)}
.p50{--c:var(--p50)}.p99{--c:var(--p99)}.first{--c:var(--first)}.calls{--c:var(--calls)}
svg .bar{fill:var(--c)}svg .line{stroke:var(--c)}.legend i{background:var(--c)}
ul{margin:0;padding-left:20px}li{margin:0 0 6px;max-width:76ch}
footer{margin-top:44px;padding-top:14px;border-top:1px solid var(--line);color:var(--soft);
font-size:14px}
@media print{main{max-width:none;padding:0}figure,table{break-inside:avoid}}
"""


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


def _thresholds(verdicts: Sequence[DrillVerdict]) -> str:
    rows = "".join(_verdict(verdict) for verdict in verdicts)
    head = '<th></th><th>Figure</th><th class="n">Bound</th><th class="n">Measured</th>'
    return f'<table><tr>{head}<th class="n">Off by</th></tr>{rows}</table>'


def _verdict(verdict: DrillVerdict) -> str:
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


def _time_line(plot: Plot, rows: Sequence[ChartRow]) -> str:
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
