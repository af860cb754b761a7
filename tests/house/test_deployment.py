"""What is deployed with fits: file to file, to the settings, and to what there is to copy."""

from __future__ import annotations

import re

import pytest
import yaml
from house_sources import ROOT

from failsoft.config.names import known_settings

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
HAPROXY = (ROOT / "deploy" / "haproxy.cfg").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOC = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
POD = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)[0])["spec"]["template"][
    "spec"
]
SERVERS = {name: one for name, one in COMPOSE["services"].items() if name.startswith("server-")}


def words_of(instruction: str) -> list[list[str]]:
    return [line.split() for line in re.findall(rf"^{instruction} (.*)$", DOCKERFILE, re.MULTILINE)]


def seconds(text: str) -> int:
    unit = {"s": 1, "m": 60}[text[-1]]
    return int(text[:-1]) * unit


def haproxy(words: str) -> str:
    """What follows these words in HAProxy's file."""
    return re.findall(rf"^ +{words} +(.*)$", HAPROXY, re.MULTILINE)[0]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps it out: all is, but for what is named there."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    return f"!{path.rstrip('/')}" not in lines


def test_what_the_image_copies_is_there():
    sources = [word for words in words_of("COPY") for word in words[:-1] if "--" not in words[0]]
    assert {"src", "web"} <= set(sources)  # what the wheel is built of
    assert "requirements/run.txt" in sources
    assert [source for source in sources if not (ROOT / source).exists() or ignored(source)] == []


def test_the_image_is_pinned_checked_and_not_roots():
    assert "--require-hashes -r requirements/run.txt" in DOCKERFILE
    assert words_of("USER") == [["10001"]]
    assert "useradd --system --uid 10001" in DOCKERFILE
    assert "/livez" in DOCKERFILE.partition("HEALTHCHECK")[2]
    assert words_of("FROM")[-1] == ["python:3.11-slim"]


def environments() -> dict[str, dict[str, str]]:
    pod = {one["name"]: one["value"] for one in POD["containers"][0]["env"]}
    return {name: one["environment"] for name, one in SERVERS.items()} | {"the pod": pod}


@pytest.mark.parametrize("name", environments())
def test_its_settings_are_settings(name):
    known = {one.variable for one in known_settings()}
    named = [each for each in environments()[name] if each.startswith("FAILSOFT_")]
    assert named
    assert set(named) <= known


def test_settings_that_the_text_and_the_image_name_are_settings():
    known = {one.variable for one in known_settings()} | {"FAILSOFT_ENV"}
    assert set(re.findall(r"FAILSOFT_[A-Z_]+", DOC + DOCKERFILE)) <= known


def test_a_server_is_not_killed_while_it_finishes():
    given = {name: seconds(one["stop_grace_period"]) for name, one in SERVERS.items()}
    given["the pod"] = POD["terminationGracePeriodSeconds"]
    for name, environment in environments().items():
        announce = float(environment["FAILSOFT_SERVER_ANNOUNCE_SECONDS"])
        drain = float(environment["FAILSOFT_SERVER_DRAIN_SECONDS"])
        assert given[name] > announce + drain + 2


def test_the_balancer_knows_every_server_and_sees_it_leave_in_time():
    named = re.findall(
        r"^ +server (\S+) \"\$\{FAILSOFT_SERVER_\d-(\S+):8787\}\"", HAPROXY, re.MULTILINE
    )
    assert named == [(name, name) for name in SERVERS]
    inter, fall = re.findall(r"inter (\d+)ms .*fall (\d+)", HAPROXY)[0]
    for name, one in SERVERS.items():
        announce = float(one["environment"]["FAILSOFT_SERVER_ANNOUNCE_SECONDS"])
        assert announce > int(inter) * int(fall) / 1000, name
    balancer = COMPOSE["services"]["balancer"]
    assert seconds(balancer["stop_grace_period"]) > seconds(haproxy("hard-stop-after"))
    assert (ROOT / balancer["volumes"][0].partition(":")[0]).exists()


def test_nothing_is_cut_by_the_balancer_or_sent_again():
    longest = {one.name: one.default for one in known_settings()}["answer_timeout_seconds"]
    assert seconds(haproxy("timeout server")) > longest
    assert seconds(haproxy("timeout client")) > longest
    assert haproxy("retry-on") == "conn-failure"


def test_compose_names_what_it_has():
    volumes = {
        each.partition(":")[0] for one in COMPOSE["services"].values() for each in one["volumes"]
    }
    assert {name for name in volumes if not name.startswith(".")} == set(COMPOSE["volumes"])
    assert all("image" in one for one in COMPOSE["services"].values())
    ports = [port for one in COMPOSE["services"].values() for port in one.get("ports", ())]
    assert ports == ["127.0.0.1:8787:8787"]


def test_the_shared_store_has_a_password():
    store = COMPOSE["services"]["store"]["command"]
    assert "--requirepass ${STORE_PASSWORD}" in store
    for name in SERVERS:
        assert "redis://:${STORE_PASSWORD:?" in SERVERS[name]["environment"]["FAILSOFT_REDIS_URL"]
    assert "FAILSOFT_REDIS_URL" not in environments()["the pod"]  # it is in the secret


def test_a_pod_can_do_no_more_than_it_needs():
    (container,) = POD["containers"]
    assert POD["automountServiceAccountToken"] is False
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    written = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert written == {"/var/lib/failsoft", "/tmp"}  # noqa: S108 - the pod's own
