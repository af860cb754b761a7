"""``policy = "classic"``: five failures, 60 s, 30 → 15 → 10, ± 25 %."""

from dataclasses import asdict

import pytest
from policy_verdicts import CHAIN, OPUS
from policy_world import HANGS, World, fails, ok, scripted

from failsoft.config.loading import load_settings
from failsoft.config.settings import CLASSIC, BreakerSettings, Settings
from failsoft.policy.breaker import CircuitState

MODELS = ("opus", "sonnet", "haiku")


def world() -> World:
    return World(Settings(policy="classic"))


def everywhere(reply):
    return {model: [reply] for model in MODELS}


@pytest.mark.parametrize("name", ["server_error", "no_answer"])
def test_five_failures_in_a_row_open_a_target(name):
    classic = world()
    breaker = classic.guards.of(OPUS).breaker
    for failures in range(1, 6):
        assert breaker.state is CircuitState.CLOSED
        classic.run([OPUS], scripted(everywhere(fails(name, 0.001))), retries=0)
        assert breaker.status(classic.now).failures == failures
    assert breaker.state is CircuitState.OPEN


def test_after_sixty_seconds_it_is_probed_and_not_before():
    classic = world()
    classic.guards.of(OPUS).breaker.trip(classic.now, "host down")
    for seconds, answered in ((59.9, False), (0.2, True)):
        classic.now += seconds
        run = classic.run([OPUS], scripted(everywhere(ok())))
        assert bool(run.sent) is answered
    classic.guards.of(OPUS).breaker.trip(classic.now, "host down")
    classic.now += 60.0
    classic.run([OPUS], scripted(everywhere(fails("overloaded"))), retries=0)
    classic.now += 59.9
    assert not classic.run([OPUS], scripted(everywhere(ok()))).sent, "a failed probe: 60 s anew"


def test_the_targets_have_thirty_fifteen_and_ten_seconds():
    classic = World(Settings(policy="classic", deadline_seconds=300.0))
    run = classic.run(CHAIN, scripted(everywhere(HANGS)))
    periods = [round(sent.until - sent.at, 6) for sent in run.sent]
    assert periods[:2] == [30.0, 15.0]
    limits = [sent.call.limits for sent in run.sent]
    assert limits[2].lease_seconds == pytest.approx(10.0 + 5.0), "as a probe; the last has the rest"


def test_a_backoff_varies_by_a_quarter():
    waits = []
    for seed in range(200):
        classic = World(Settings(policy="classic"), seed=seed)
        run = classic.run([OPUS], scripted({"opus": [fails("server_error", 0.001), ok()]}))
        ((began, wait),) = run.waits
        waits.append(wait.until - began)
    assert 0.75 <= min(waits) < 0.8
    assert 1.2 < max(waits) <= 1.25


def test_a_section_that_is_given_is_as_it_was_given():
    given = BreakerSettings(failure_threshold=10)
    settings = Settings(policy="classic", breaker=given)
    assert settings.breaker == given
    assert settings.timers.first_content_seconds == 30.0


def test_loaded_what_a_source_sets_stands_and_the_rest_is_the_policys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "classic.toml"
    file.write_text('policy = "classic"\n[breaker]\nfailure_threshold = 10\n', encoding="utf-8")
    loaded = load_settings(file, environ={"FAILSOFT_RETRY_JITTER": "full"})
    assert loaded.settings.breaker.failure_threshold == 10
    assert loaded.settings.retry.jitter == "full"
    assert loaded.settings.breaker.recovery_timeout_seconds == 60.0
    assert loaded.origins["breaker.recovery_timeout_seconds"] == f"policy, {file}"
    assert loaded.origins["breaker.failure_threshold"] == str(file)
    own = asdict(load_settings(environ={}).settings)
    classic = asdict(load_settings(environ={"FAILSOFT_POLICY": "classic"}).settings)
    changed = {
        section: {name for name, value in own[section].items() if value != classic[section][name]}
        for section in CLASSIC
    }
    assert changed == {section: set(values) for section, values in CLASSIC.items()}
