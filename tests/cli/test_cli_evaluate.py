"""``failsoft cache evaluate``."""

import json
import xml.etree.ElementTree as ET

from cli_command import run

from failsoft.cli.cache_admin import draw
from failsoft.ladder.cache.evaluate import Judged, Pair

SAME = {
    "asked": "how can i pay", "saved": "How do I pay?",
    "same": True, "kind": "wording", "language": "en",
}  # fmt: skip
OTHER = SAME | {"asked": "how do i pay back", "same": False, "kind": "object"}


async def test_own_pairs_are_measured_and_drawn(tmp_path):
    file, picture = tmp_path / "own.jsonl", tmp_path / "own.svg"
    file.write_text(f"{json.dumps(SAME)}\n{json.dumps(OTHER)}\n", encoding="utf-8")
    ended = await run("cache", "evaluate", "own.jsonl", "--svg", "own.svg", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "1 of 1 (100.0%)" in ended.out
    assert "0 of 1 (0.0%)" in ended.out
    assert "1 got the right answer, 0 another" in ended.out
    assert ET.fromstring(picture.read_text(encoding="utf-8")).tag.endswith("svg")  # noqa: S314 - our own


async def test_a_higher_threshold_serves_less(tmp_path):
    (tmp_path / "own.jsonl").write_text(json.dumps(SAME), encoding="utf-8")
    ended = await run("cache", "evaluate", "own.jsonl", "--threshold", "1", cwd=tmp_path)
    assert "similarity of at least 1" in ended.out
    assert "0 of 1 (0.0%)" in ended.out


async def test_a_bad_line_ends_it_with_file_and_number(tmp_path):
    (tmp_path / "own.jsonl").write_text("{}\n", encoding="utf-8")
    ended = await run("cache", "evaluate", "own.jsonl", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith('failsoft: own.jsonl:1: has no "asked"')


async def test_a_picture_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "own.jsonl").write_text(json.dumps(SAME), encoding="utf-8")
    ended = await run("cache", "evaluate", "own.jsonl", "--svg", "no/own.svg", cwd=tmp_path)
    assert ended.code == 2
    assert "no/own.svg: cannot be written" in ended.err


def test_the_curves_go_down_as_the_threshold_rises():
    judged = [Judged(Pair(**SAME), 0.5, None), Judged(Pair(**OTHER), 0.9, "content")]
    picture = ET.fromstring(draw(judged))  # noqa: S314 - our own
    lines = [each.get("points", "") for each in picture.iter() if each.tag.endswith("polyline")]
    assert len(lines) == 4
    for line in lines:
        heights = [float(point.split(",")[1]) for point in line.split()]
        assert heights == sorted(heights)
    guarded_false_hits = {point.split(",")[1] for point in lines[2].split()}
    assert len(guarded_false_hits) == 1


async def test_the_curves_go_over_no_file_of_pairs(tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps(SAME), encoding="utf-8")
    ended = await run("cache", "evaluate", "own.jsonl", "--svg", "./own.jsonl", cwd=tmp_path)
    assert (ended.code, "name another" in ended.err) == (2, True)
    assert json.loads(file.read_text(encoding="utf-8")) == SAME


async def test_a_file_that_is_not_there_is_told_and_so_is_the_commands_help(tmp_path):
    ended = await run("cache", "evaluate", "none.jsonl", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith("failsoft: none.jsonl: cannot be read (No such file or directory)")
    ended = await run("cache", "evaluate", cwd=tmp_path)
    assert ended.err.endswith("'PAIRS...'. See 'failsoft cache evaluate --help'.\n")
