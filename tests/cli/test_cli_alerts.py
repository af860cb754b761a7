"""A real Prometheus scrapes a real service under a fault, until its alerts fire and resolve."""

import asyncio

import aiohttp
import pytest
from alerts_live import (
    PROMETHEUS,
    TROUBLES,
    firing,
    people,
    prometheus,
    receiving,
    until_firing,
)
from cli_command import running

from failsoft.chaos.simulator import Simulator
from failsoft.telemetry.prometheus_rules import rules_text

URL = r"serving at (http://127\.0\.0\.1:\d+)"
BREAKER = {
    "FAILSOFT_BREAKER_RECOVERY_TIMEOUT_SECONDS": "1",
}

needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None, reason="no prometheus (on Debian: apt-get install prometheus)"
)


@needs_prometheus
async def test_alerts_fire_while_a_provider_is_down_and_resolve_when_it_is_back(
    simulator, environ, tmp_path
):
    down = {"FailsoftCircuitOpen", "FailsoftTransient"}
    rules = rules_text(times=1 / 30)  # five minutes are ten seconds
    async with asyncio.timeout(300), receiving() as webhook, aiohttp.ClientSession() as session:
        environ |= BREAKER | {"FAILSOFT_ALERTS_WEBHOOK_URL": webhook.url}
        async with running("serve", "--port", "0", cwd=tmp_path, environ=environ) as serving:
            url = await serving.until(URL, "stderr")
            scraped = url.removeprefix("http://")
            async with prometheus(rules, scraped, tmp_path) as judge, people(session, url):
                simulator.set("*", faults=["529"])
                await until_firing(session, judge, has=down)
                for alert in down:
                    await webhook.until(alert, "firing")
                simulator.set("*")
                await until_firing(session, judge, has=set(), lacks=down)
    said = [(one["alert"], one["status"]) for one in webhook.got]
    assert {("FailsoftCircuitOpen", "firing"), ("FailsoftTransient", "firing")} <= set(said)
    assert len(said) == len(set(said)), "each is told once"


@needs_prometheus
async def test_the_very_first_request_of_a_new_process_meets_a_refused_key(
    simulator, environ, tmp_path
):
    simulator.set("*", faults=["bad_key"])
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession() as session,
        running("serve", "--port", "0", cwd=tmp_path, environ=environ) as serving,
    ):
        url = await serving.until(URL, "stderr")
        async with session.post(f"{url}/api/chat", json={"message": "Hello"}) as reply:
            assert (await reply.json())["error_category"] == "auth_error"
        async with prometheus(rules_text(), url.removeprefix("http://"), tmp_path) as judge:
            await until_firing(session, judge, has={"FailsoftAuthOrBilling"})
            assert await firing(session, judge) == {"FailsoftAuthOrBilling"}


async def fires_and_resolves(trouble, folder):
    folder.mkdir()
    async with (
        Simulator() as simulator,
        aiohttp.ClientSession() as session,
    ):
        trouble.begin(simulator, folder)
        own = {"ANTHROPIC_BASE_URL": simulator.url, "ANTHROPIC_API_KEY": "any"}
        own |= trouble.environ
        async with running("serve", "--port", "0", cwd=folder, environ=own) as serving:
            url = await serving.until(URL, "stderr")
            rules = rules_text(times=1 / 30)  # five minutes are ten seconds
            async with (
                prometheus(rules, url.removeprefix("http://"), folder) as judge,
                people(session, url, a_second=4, path=trouble.path),
            ):
                await until_firing(session, judge, has=trouble.alerts)
                trouble.end(simulator, folder)
                await until_firing(session, judge, has=set(), lacks=trouble.alerts)


@needs_prometheus
async def test_each_trouble_fires_its_own_alert(tmp_path):
    """At once: each waits for its window most of the time."""
    async with asyncio.timeout(180), asyncio.TaskGroup() as troubles:
        for number, trouble in enumerate(TROUBLES.values()):
            troubles.create_task(fires_and_resolves(trouble, tmp_path / str(number)))
