"""``failsoft drill``: a short one with real processes, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from cli_command import run, running

from failsoft.chaos.drills import DrillError, Where, find_scenario, run_drill

DRILL = """
name = "short"
about = "The best model is killed, then the process."
recovers_at = 1.6
environment = { FAILSOFT_CACHE_SEMANTIC = "false" } # nothing heavy to load

[load]
rate = 20
seconds = 2.5
doubled = 0.3
known = 0.3

[[step]]
at = 0.5
model = "claude-opus-5-5"
faults = ["529@0.5"]

[[step]]
at = 1
proxy = "delay;ms=5"

[[step]]
at = 1.5
service = "kill"

[[step]]
at = 1.6
service = "start"

[thresholds]
success_share = { at_least = 1 }
raw_errors = { at_most = 0 }
unanswered = { at_most = 0 }
second_ids = { at_most = 0 }
bad_ends = { at_most = 0 }
repeated_text = { at_most = 0 }
in_flight_left = { at_most = 0 }
descriptors_left = { at_most = 8 }
lost_connections = { at_most = 0 }
"""
AGAINST = """
name = "yours"
about = "One call in two is turned away."
recovers_at = 1

[load]
rate = 20
seconds = 1.5

[[step]]
at = 0.3
model = "claude-opus-5-5"
faults = ["529@0.5"]

[[step]]
at = 1
model = "claude-opus-5-5"
faults = []

[thresholds]
full_share = { at_least = 1 }
duplicates = { at_most = 0 }
memory_growth_mb = { at_most = 1 }
"""


def processes_with(text: str) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if text in place.read_text(errors="replace"):
                found.append(place.parent.name)
        except OSError:
            continue
    return found


async def test_one_with_processes_of_its_own_is_played_judged_and_leaves_nothing(tmp_path):
    (tmp_path / "short.toml").write_text(DRILL)
    outputs = ("--json", "out/short.json", "--report", "out/short.html")
    place = {"TMPDIR": str(tmp_path)}
    ended = await run("drill", "run", "short.toml", *outputs, cwd=tmp_path, environ=place)
    assert ended.code == 1, ended.err
    assert processes_with(str(tmp_path)) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "short.toml"]
    *held, broken, report = ended.out.splitlines()
    assert [line.split()[0] for line in held] == ["held"] * 8, ended.out
    count = r"NOT HELD  Connections lost: at most 0: NOT held, it is (\d+), \1 above"
    assert re.fullmatch(count, broken)
    assert report == "Report: out/short.html"
    said = json.loads((tmp_path / "out" / "short.json").read_text())
    assert [step["what"] for step in said["steps"]] == [
        "claude-opus-5-5: 529@0.5", "network: delay;ms=5", "service: kill", "service: start"
    ]  # fmt: skip
    assert said["figures"]["requests"] > 50
    assert said["figures"]["upstream_calls_per_request"] > 1
    page = (tmp_path / "out" / "short.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "Not held" in page


async def test_one_against_a_deployment_drives_its_simulator_and_heals_it(
    simulator, environ, tmp_path
):
    (tmp_path / "yours.toml").write_text(AGAINST)
    scenario = find_scenario(str(tmp_path / "yours.toml"))
    told = []
    secured = {**environ, "FAILSOFT_API_KEYS": "team:secret", "FAILSOFT_CACHE_SEMANTIC": "no"}
    async with running("serve", "--port", "0", cwd=tmp_path, environ=secured) as serving:
        url = await serving.until(r"serving at (http://127\.0\.0\.1:\d+)", "stderr")
        where = Where(url=url, simulator=simulator.url, api_key="secret")
        result = await run_drill(scenario, where, tell=told.append)
        with pytest.raises(DrillError, match="answered no question before the drill began"):
            await run_drill(scenario, replace(where, api_key="wrong"))
        with pytest.raises(DrillError, match="cannot be reached: Cannot connect to host 127"):
            await run_drill(scenario, replace(where, simulator="http://127.0.0.1:9"))
        async with (
            aiohttp.ClientSession(simulator.url) as session,
            session.get("/_sim/models") as reply,
        ):
            assert await reply.json() == {"models": {}}
    assert [str(verdict).partition(": ")[2] for verdict in result.verdicts] == [
        "at least 100 %: held with 100 %",
        "at most 0: held with 0",
        "at most 1.0 MB: not measured here",
    ]
    assert result.held
    assert {request.status for request in simulator.requests} == {200, 529}
    assert "secret" not in str(where)
    assert told == ["  0.3 s  claude-opus-5-5: 529@0.5", "  1.0 s  claude-opus-5-5: healthy"]


URL = ("--url", "http://127.0.0.1:9")
SIMULATED = (*URL, "--simulator", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("brown",), "brown: there is no such file and no such drill: give a file or brownout,"),
        (("brownout", *SIMULATED[2:]), "--simulator is for a deployment of yours: give its --url"),
        (("brownout", *SIMULATED, "--config", "f.toml"), "--config is for the service that the"),
        (("brownout", *URL), "brownout: “*: latency;first_content_ms=lognormal(300,0.4);between_"),
        (("process_killed", *SIMULATED), "process_killed: “service: kill” at 12 s needs processes"),
        (("network_cut", *SIMULATED), "network_cut: “network: blackhole” at 8 s needs processes"),
        (("key_revoked", *SIMULATED), "key_revoked: environment is for a service of the drill's"),
        (("brownout", *SIMULATED), "cannot be reached: Cannot connect to host 127.0.0.1:9"),
        (("brownout", "--report", "/proc/no/report"), "/proc/no/report: cannot be written (No su"),
    ],
)
def test_what_cannot_be_run_is_told_in_a_line(arguments, said, invoke):
    ended = invoke("drill", "run", *arguments)
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith(f"failsoft: {said}")
    assert "Traceback" not in ended.err


async def test_a_service_that_does_not_start_is_told(tmp_path):
    config = tmp_path / "failsoft.toml"
    config.write_text("[breaker]\nprobes = 0\n")
    said = "^the service ended at once: failsoft: breaker.probes"
    with pytest.raises(DrillError, match=said):
        await run_drill(find_scenario("brownout"), Where(config=config))


def test_the_list_names_them_all(invoke):
    ended = invoke("drill", "list")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()[1:]] == [
        "brownout", "total_outage", "hang", "stream_cuts",
        "key_revoked", "process_killed", "network_cut", "content_policy",
    ]  # fmt: skip
