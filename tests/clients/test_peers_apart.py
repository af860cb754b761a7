"""The benchmarks' contestants that pin against each other, each in an environment of its own."""

from pathlib import Path

import pytest
from benchmarks.peers.__main__ import everybody, measure, summed
from benchmarks.peers.roster import ROSTER

ROOT = Path(__file__).parents[2]
APART = [entry for entry in ROSTER if entry.environment != "failsoft"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("entry", APART, ids=lambda entry: entry.module)
def test_it_takes_part(entry, stream, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    together = (ROSTER[0], entry) if entry != ROSTER[0] else (entry,)  # what all are compared with
    with everybody(together) as workers:
        rows = summed(measure(workers, stream=stream, rounds=1, calls=2))
    assert set(rows) == {each.name for each in together}
    assert all(load["wall_ms"] > 0 for load in rows[entry.name].values())
