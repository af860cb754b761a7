"""What docs/telemetry.md says of metrics and events is what there is."""

import re
from dataclasses import fields
from pathlib import Path

from failsoft.telemetry import events
from failsoft.telemetry.metrics import METRICS

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.*?)(?: \| (.+))? \|$", re.MULTILINE)
ROWS = {row[0]: row[1:] for row in ROW.findall(PAGE)}


def names(cell):
    return re.findall(r"`(\w+)`", cell)


def test_every_metric_is_there_with_its_labels():
    told = {name: row for name, row in ROWS.items() if name.startswith("failsoft_")}
    assert set(told) == {f"failsoft_{name}" for name in METRICS}
    for name, metric in METRICS.items():
        kind, labels, about = told[f"failsoft_{name}"]
        assert (kind, tuple(names(labels)), about) == (metric.kind, metric.labels, metric.about)


def test_every_event_is_there_with_its_fields():
    kinds = {name: getattr(events, name) for name in events.__all__ if name != "Event"}
    common = {field.name for field in fields(events.Event)}
    told = {name: row for name, row in ROWS.items() if not name.startswith("failsoft_")}
    assert set(told) == set(kinds)
    for name, kind in kinds.items():
        own = [field.name for field in fields(kind) if field.name not in common]
        assert names(told[name][1]) == own
