"""What a plan does next, by worked examples carried out in virtual time."""

from itertools import pairwise
from random import Random

import pytest
from policy_verdicts import CHAIN, HAIKU, OPUS, OTHER, SONNET, VERDICTS, target, verdict
from policy_world import HANGS, Reply, World, cut, fails, ok, scripted

from failsoft.config.settings import (
    BreakerSettings,
    BulkheadSettings,
    RetrySettings,
    Settings,
    TimerSettings,
)
from failsoft.policy.bench import Refusal
from failsoft.policy.breaker import Outcome
from failsoft.policy.callers import Caller
from failsoft.policy.plan_events import (
    Call,
    Cancelled,
    Failed,
    Finished,
    FirstContent,
    Give,
    GiveUp,
    Refused,
    Started,
    TimerFired,
    Wait,
)
from failsoft.policy.target_guard import Permit

RETRY_FIRST = Settings(retry=RetrySettings(strategy="retry_first"))
# No spare retries at all: only first calls and hops.
BROKE = {"budget_ratio": 0.0, "budget_floor_per_second": 0.0}


def everywhere(*replies: Reply) -> dict[str, list[Reply]]:
    return {one.model: list(replies) for one in (*CHAIN, OTHER)}


# The way along the chain


def test_what_works_is_called_once():
    world = World()
    run = world.run(CHAIN, scripted(everywhere(ok())))
    assert isinstance(run.end, Give)
    assert run.models == ["opus"]
    assert run.sent[0].call == Call(OPUS, 0, 1, run.sent[0].call.limits)


def test_a_transient_goes_to_the_next_target_at_once():
    world = World()
    run = world.run(CHAIN, scripted({"opus": [fails("overloaded")], "sonnet": [ok()]}))
    assert run.models == ["opus", "sonnet"]
    assert run.waits == []
    assert run.sent[1].at == run.sent[0].until
    assert [sent.call.number for sent in run.sent] == [1, 2]
    assert [sent.call.position for sent in run.sent] == [0, 1]


def test_after_the_last_it_backs_off_and_goes_round_again():
    world = World()
    run = world.run(CHAIN, scripted(everywhere(fails("server_error"))))
    assert run.models[:3] == ["opus", "sonnet", "haiku"]
    assert sorted(run.models[3:]) == ["haiku", "opus", "sonnet"]
    assert [wait.why for _, wait in run.waits][:1] == ["backoff"]
    assert run.gave_up.reason == "attempts"
    assert run.gave_up.verdict == VERDICTS["server_error"]


def test_three_529s_end_as_transient_overloaded():
    settings = Settings(retry=RetrySettings(max_attempts=3))
    run = World(settings).run(CHAIN, scripted(everywhere(fails("overloaded"))))
    assert len(run.sent) == 3
    assert str(run.gave_up.verdict) == "transient · overloaded"


def test_an_overloaded_target_is_left_alone_for_a_second():
    for seed in range(20):
        run = World(seed=seed).run([OPUS], scripted(everywhere(fails("overloaded"))))
        gaps = [b.at - a.until for a, b in zip(run.sent, run.sent[1:], strict=False)]
        assert all(gap >= 1.0 for gap in gaps)
        assert len(run.sent) == 6


def test_backoffs_of_one_target_may_grow_to_their_doubling_ceiling():
    longest = [0.0] * 5
    for seed in range(60):
        run = World(seed=seed).run([OPUS], scripted(everywhere(fails("server_error"))))
        for place, (a, b) in enumerate(zip(run.sent, run.sent[1:], strict=False)):
            longest[place] = max(longest[place], b.at - a.until)
    assert all(most <= 2.0**place for place, most in enumerate(longest))
    assert longest[3] > 4


def test_retry_first_tries_the_same_target_once_more():
    run = World(RETRY_FIRST).run(CHAIN, scripted(everywhere(fails("server_error"))))
    assert run.models == ["opus", "opus", "sonnet", "sonnet", "haiku", "haiku"]
    assert [wait.why for _, wait in run.waits] == ["backoff"] * 3


@pytest.mark.parametrize("name", ["no_answer", "upstream", "requests", "unknown"])
def test_retry_first_is_for_transients_only(name):
    run = World(RETRY_FIRST).run(CHAIN, scripted({**everywhere(ok()), "opus": [fails(name)]}))
    assert run.models == ["opus", "sonnet"]


def test_a_target_that_may_be_called_once_more_is():
    run = World().run([OPUS], scripted(everywhere(fails("conflict"))))
    assert run.models == ["opus", "opus"]
    assert run.gave_up.reason == "not_retryable"


def test_a_conflict_stays_where_it_is():
    run = World().run(CHAIN, scripted({**everywhere(ok()), "opus": [fails("conflict"), ok()]}))
    assert run.models == ["opus", "opus"]


@pytest.mark.parametrize(
    ("later", "seconds"), [("own", [15.0, 15.0, 30.0]), ("halved", [15.0, 7.5, 37.5])]
)
def test_the_hang_of_two_targets_leaves_the_rest_to_the_third(later, seconds):
    settings = Settings(timers=TimerSettings(later_targets=later))
    run = World(settings).run(CHAIN, scripted(everywhere(HANGS)))
    assert run.models == ["opus", "sonnet", "haiku"]
    assert [sent.until - sent.at for sent in run.sent] == seconds
    assert run.gave_up.verdict == VERDICTS["no_answer"]


def test_the_last_that_can_be_called_has_all_that_is_left():
    world = World()
    for one in (SONNET, HAIKU):
        world.guards.of(one).breaker.isolate()
    run = world.run(CHAIN, scripted(everywhere(HANGS)))
    assert run.models == ["opus"]
    assert run.ended_at == 1060.0


def test_a_hang_before_a_slow_but_living_fallback():
    run = World().run(CHAIN, scripted({"opus": [HANGS], "sonnet": [ok(5.0)]}))
    assert isinstance(run.end, Give)
    assert run.models == ["opus", "sonnet"]


# What verdicts rule out


@pytest.mark.parametrize(
    "name",
    ["bad_request", "content_policy", "refusal", "suspended", "deadline"],
)
def test_what_nobody_else_could_do_either_ends_at_once(name):
    run = World().run((*CHAIN, OTHER), scripted(everywhere(fails(name))))
    assert run.models == ["opus"]
    assert run.gave_up.verdict == VERDICTS[name]
    assert run.waits == []


@pytest.mark.parametrize(
    "name", ["permission", "not_implemented", "wrong_address", "billing", "connection"]
)
def test_what_concerns_the_provider_goes_to_another_provider(name):
    run = World().run((*CHAIN, OTHER), scripted({**everywhere(fails(name)), "gpt": [ok()]}))
    assert run.models == ["opus", "gpt"]


def test_what_is_the_matter_with_a_model_goes_to_the_next():
    run = World().run(CHAIN, scripted({**everywhere(ok()), "opus": [fails("model_unavailable")]}))
    assert run.models == ["opus", "sonnet"]


def test_a_bad_reply_goes_to_the_next_model_and_is_tried_once_more_where_there_is_none():
    others = scripted({**everywhere(fails("bad_reply")), "gpt": [ok()]})
    assert World().run((OPUS, SONNET, OTHER), others).models == ["opus", "sonnet", "gpt"]
    assert World().run((OPUS,), scripted(everywhere(fails("bad_reply")))).models == ["opus"] * 2


@pytest.mark.parametrize(
    "name", ["bad_request", "model_unavailable", "permission", "not_implemented"]
)
def test_after_the_first_hop_a_permanent_verdict_speaks_of_that_target_alone(name):
    run = World().run(
        CHAIN,
        scripted({"opus": [fails("overloaded")], "sonnet": [fails(name)], "haiku": [ok()]}),
    )
    assert run.models == ["opus", "sonnet", "haiku"]


def test_when_nothing_else_works_the_first_verdict_is_reported():
    run = World().run(
        CHAIN,
        scripted(
            {
                "opus": [fails("no_answer")],
                "sonnet": [fails("bad_request")],
                "haiku": [fails("bad_request")],
            }
        ),
    )
    assert run.models == ["opus", "sonnet", "haiku"]
    assert run.gave_up.verdict == VERDICTS["no_answer"]


def test_the_first_that_is_called_is_the_first_whatever_was_skipped():
    world = World()
    world.guards.of(OPUS).breaker.isolate()
    run = world.run(CHAIN, scripted(everywhere(fails("bad_request"))))
    assert run.models == ["sonnet"]


def test_a_content_verdict_after_a_hop_still_ends_it():
    run = World().run(
        CHAIN, scripted({"opus": [fails("overloaded")], "sonnet": [fails("content_policy")]})
    )
    assert run.models == ["opus", "sonnet"]
    assert run.gave_up.verdict == VERDICTS["content_policy"]


def test_a_connection_failure_does_not_hop_to_the_same_host():
    run = World().run(CHAIN, scripted(everywhere(fails("connection"))))
    assert set(run.models) == {"opus"}
    assert len(run.models) > 1


def test_too_long_for_one_goes_to_a_larger_window_only():
    small, medium = target("small", context_window=100), target("medium", context_window=100)
    large, unknown = target("large", context_window=200), target("unknown")
    run = World().run(
        (small, medium, unknown, large),
        scripted({"small": [fails("context_too_long")], "large": [ok()]}),
    )
    assert run.models == ["small", "large"]


def test_too_long_after_a_hop_still_wants_a_larger_window():
    first, small, equal = (target(name, context_window=100) for name in ("a", "b", "c"))
    large = target("large", context_window=200)
    run = World().run(
        (first, small, equal, large),
        scripted({"a": [fails("overloaded")], "b": [fails("context_too_long")], "large": [ok()]}),
    )
    assert run.models == ["a", "b", "large"]


def test_too_long_for_all_reports_that():
    large = target("large", context_window=200)
    small = target("small", context_window=100)
    run = World().run(
        (small, large),
        scripted({"small": [fails("context_too_long")], "large": [fails("context_too_long")]}),
    )
    assert run.models == ["small", "large"]
    assert run.gave_up.verdict == VERDICTS["context_too_long"]


def test_a_rate_limit_goes_to_another_family_now():
    twin = target("opus-old", family="opus")
    world = World()
    run = world.run(
        (OPUS, twin, SONNET),
        scripted({"opus": [fails("requests", wait_seconds=20.0)], "sonnet": [ok()]}),
    )
    assert run.models == ["opus", "sonnet"]
    assert run.refused == [twin]
    assert run.ended_at < 1001.0


# Waits


@pytest.mark.parametrize("seed", range(20))
def test_a_providers_wait_is_never_undercut_and_little_exceeded(seed):
    world = World(seed=seed)
    run = world.run([OPUS], scripted({"opus": [fails("requests", wait_seconds=8.0), ok()]}))
    gap = run.sent[1].at - run.sent[0].until
    assert 8.0 <= gap <= 10.0 + 1e-6
    assert [wait.why for _, wait in run.waits] == ["bench"]


@pytest.mark.parametrize("name", ["overloaded", "unavailable", "server_error"])
def test_a_wait_named_by_an_overloaded_provider_is_kept_too(name):
    for seed in range(10):
        world = World(seed=seed)
        run = world.run([OPUS], scripted({"opus": [fails(name, wait_seconds=8.0), ok()]}))
        assert len(run.sent) == 2
        assert 8.0 <= run.sent[1].at - run.sent[0].until <= 13.0


@pytest.mark.parametrize("seed", range(20))
def test_a_stated_wait_of_nothing_leaves_the_backoff(seed):
    run = World(seed=seed).run([OPUS], scripted({"opus": [fails("requests", wait_seconds=0.0)]}))
    assert len(run.sent) == 6
    gaps = [after.at - before.until for before, after in pairwise(run.sent)]
    assert min(gaps) >= 1.0 - 1e-6
    assert [wait.why for _, wait in run.waits] == ["backoff"] * 5


@pytest.mark.parametrize("name", ["overloaded", "unavailable", "server_error"])
def test_a_short_stated_wait_is_a_floor_under_the_backoff(name):
    """Twenty first retries with full jitter of 1 s: none before the hint, most well after it."""
    waits = []
    for seed in range(20):
        run = World(seed=seed).run(
            [OPUS], scripted({"opus": [fails(name, wait_seconds=0.05), ok()]})
        )
        waits.append(run.sent[1].at - run.sent[0].until)
    assert min(waits) >= 0.05 - 1e-6
    assert max(waits) > 0.5


def test_a_backoff_above_a_stated_wait_loses_no_retry_that_would_fit():
    rules = Settings(retry=RetrySettings(base_delay_seconds=60.0, jitter="quarter"))
    run = World(rules).run(
        [OPUS], scripted({"opus": [fails("unavailable", wait_seconds=8.0), ok()]}), timeout=20.0
    )
    assert run.models == ["opus", "opus"]


@pytest.mark.parametrize("seed", range(20))
def test_a_limit_without_a_hint_is_backed_off_from_and_benched_when_met_again(seed):
    replies = [fails("rate_limited"), ok()]
    run = World(seed=seed).run([OPUS], scripted({"opus": replies}))
    assert [wait.why for _, wait in run.waits] == ["backoff"]
    assert run.sent[1].at - run.sent[0].until == pytest.approx(1.0)
    twice = [fails("rate_limited"), *replies]
    run = World(seed=seed).run([OPUS], scripted({"opus": twice}))
    assert [wait.why for _, wait in run.waits] == ["backoff", "bench"]
    assert 30.0 <= run.sent[2].at - run.sent[1].until <= 35.0


def test_a_wait_longer_than_the_deadline_is_not_slept():
    world = World()
    run = world.run([OPUS], scripted({"opus": [fails("requests", wait_seconds=171.0)]}))
    assert run.models == ["opus"]
    assert run.waits == []
    assert run.gave_up.reason == "deadline"
    assert run.gave_up.back_at == pytest.approx(1171.1)
    assert run.gave_up.verdict == verdict("requests", wait_seconds=171.0)


def test_only_benched_targets_are_awaited_the_earliest_first():
    world = World()
    world.guards.bench(OPUS, 30.0, VERDICTS["requests"], world.now)
    world.guards.bench(SONNET, 8.0, VERDICTS["requests"], world.now)
    world.guards.bench(HAIKU, 200.0, VERDICTS["requests"], world.now)
    run = world.run(CHAIN, scripted(everywhere(ok())))
    assert run.models == ["sonnet"]
    assert 1008.0 <= run.sent[0].at <= 1010.0
    assert run.waits[0][1].target is SONNET


def test_benched_past_the_deadline_ends_at_once_and_says_when():
    world = World()
    for one, seconds in zip(CHAIN, (400.0, 300.0, 500.0), strict=True):
        world.guards.bench(one, seconds, VERDICTS["requests"], world.now)
    run = world.run(CHAIN, scripted(everywhere(ok())))
    assert (run.sent, run.waits, run.ended_at) == ([], [], 1000.0)
    assert run.gave_up == GiveUp("unavailable", VERDICTS["requests"], 1300.0)


def test_all_open_ends_at_once_with_what_opened_them():
    world = World()
    for one in CHAIN:
        world.guards.of(one).breaker.last_failure = VERDICTS["overloaded"]
        world.guards.of(one).breaker.trip(world.now, "host down")
    run = world.run(CHAIN, scripted(everywhere(ok())))
    assert (run.sent, run.waits, run.ended_at) == ([], [], world.now)
    assert run.gave_up.reason == "unavailable"
    assert run.gave_up.verdict == VERDICTS["overloaded"]
    assert run.gave_up.back_at == pytest.approx(world.now + 5 / 3), "three are probed in turn"


def test_a_time_to_come_back_is_named_only_where_all_are_out():
    world = World(Settings(retry=RetrySettings(max_attempts=1)))
    world.guards.bench(OPUS, 300.0, VERDICTS["requests"], world.now)
    run = world.run((OPUS, SONNET), scripted(everywhere(fails("server_error"))))
    assert run.gave_up == GiveUp("attempts", VERDICTS["server_error"], None)


def test_an_isolated_chain_has_no_time_to_come_back():
    world = World()
    for one in CHAIN:
        world.guards.of(one).breaker.isolate()
    assert world.run(CHAIN, scripted(everywhere(ok()))).gave_up.back_at is None


def test_open_targets_are_skipped_at_no_cost():
    world = World()
    world.guards.of(OPUS).breaker.isolate()
    world.guards.bench(SONNET, 30.0, VERDICTS["requests"], world.now)
    run = world.run(CHAIN, scripted(everywhere(ok())))
    assert run.models == ["haiku"]
    assert run.sent[0].at == 1000.0
    assert run.sent[0].call.number == 1


def test_a_parked_account_is_not_awaited():
    world = World()
    world.run(CHAIN, scripted(everywhere(fails("billing"))))
    run = world.run((*CHAIN, OTHER), scripted({**everywhere(HANGS), "gpt": [ok()]}))
    assert run.models == ["gpt"]
    alone = world.run(CHAIN, scripted(everywhere(ok())))
    assert (alone.sent, alone.waits) == ([], [])
    assert alone.gave_up.verdict == VERDICTS["billing"]
    assert alone.gave_up.back_at == pytest.approx(1300.1)


def test_a_request_at_fault_is_not_said_to_lack_a_target():
    world = World()
    for one in (OPUS, SONNET):
        world.guards.of(one).breaker.trip(world.now, "host down")
    run = world.run(CHAIN, scripted(everywhere(fails("bad_request"))))
    assert run.models == ["haiku"]
    assert run.gave_up.reason == "not_retryable"


def test_full_targets_are_skipped_and_a_full_chain_is_saturated():
    world = World(Settings(bulkhead=BulkheadSettings(target_limit=1)))
    world.guards.of(OPUS).admit(world.now, lease_seconds=5.0)
    assert world.run(CHAIN, scripted(everywhere(ok()))).models == ["sonnet"]
    for one in (SONNET, HAIKU):
        world.guards.of(one).admit(world.now, lease_seconds=5.0)
    run = world.run(CHAIN, scripted(everywhere(ok())))
    assert run.gave_up.reason == "saturated"
    assert (run.sent, run.waits) == ([], [])


def test_a_breaker_that_opens_during_a_wait_ends_it():
    settings = Settings(retry=RetrySettings(overloaded_min_seconds=20.0))
    world = World(settings)
    world.later = [(1003.0, world.guards.of(OPUS).breaker.isolate)]
    run = world.run([OPUS], scripted({"opus": [fails("overloaded")]}))
    assert run.models == ["opus"]
    assert [wait.why for _, wait in run.waits] == ["backoff"]
    assert run.ended_at == 1003.0
    assert run.gave_up.reason == "unavailable"


def test_a_breaker_of_somebody_else_opens_during_a_wait_and_it_goes_on():
    world = World()
    world.guards.of(OTHER)
    world.later = [(1003.0, world.guards.of(OTHER).breaker.isolate)]
    run = world.run([OPUS], scripted({"opus": [fails("unavailable", wait_seconds=8.0), ok()]}))
    assert run.models == ["opus", "opus"]
    assert run.sent[1].at >= 1008.0


def test_the_breaker_that_its_own_failure_opened_is_not_awaited():
    rules = BreakerSettings(failure_threshold=1, failure_span_seconds=0)
    run = World(Settings(breaker=rules)).run([OPUS], scripted(everywhere(fails("server_error"))))
    assert run.models == ["opus"]
    assert run.waits == []
    assert run.gave_up.reason == "unavailable"


def closed_again(world: World) -> None:
    """The only target was open, a request was turned away, and the next one's probe succeeded."""
    world.guards.of(OPUS).breaker.trip(world.now, "host down")
    assert world.run([OPUS], scripted(everywhere(ok()))).gave_up.reason == "unavailable"
    world.now += 6
    assert isinstance(world.run([OPUS], scripted(everywhere(ok(0.001)))).end, Give)


def test_a_slow_start_is_waited_out():
    world = World(seed=3)
    closed_again(world)
    first, second = (world.run([OPUS], scripted(everywhere(ok(0.001)))) for _ in range(2))
    assert (first.waits, type(second.end)) == ([], Give)
    ((began, wait),) = second.waits
    assert wait.why == "slow_start"
    assert wait.until - began == pytest.approx(0.2, abs=0.01), "five a second"


def test_a_turn_of_a_slow_start_that_comes_too_late_is_not_waited_for():
    world = World(seed=3)
    closed_again(world)
    while world.recovery.reserve(OPUS.circuit, world.now):
        pass
    run = world.run([OPUS], scripted(everywhere(ok())))
    assert (run.waits, run.gave_up.reason) == ([], "unavailable")
    assert run.gave_up.back_at == pytest.approx(world.now + 2.0, abs=0.2)


def test_above_a_slow_start_the_next_target_is_called_at_once():
    world = World(seed=3)
    closed_again(world)
    runs = [world.run([OPUS, SONNET], scripted(everywhere(ok(0.001)))) for _ in range(3)]
    assert [run.models for run in runs] == [["opus"], ["sonnet"], ["sonnet"]]
    assert all(not run.waits for run in runs)


def test_an_opening_voids_the_turns_of_a_slow_start():
    world = World(seed=3)
    closed_again(world)
    world.run([OPUS], scripted(everywhere(ok(0.001))))
    again = world.now + 0.1
    world.later = [(again, lambda: world.guards.of(OPUS).breaker.trip(again, "host down"))]
    run = world.run([OPUS], scripted(everywhere(ok())))
    assert [wait.why for _, wait in run.waits] == ["slow_start"]
    assert (run.gave_up.reason, run.ended_at) == ("unavailable", again)


@pytest.mark.parametrize(
    ("outcome", "models"), [(Outcome.SUCCESS, ["opus"]), (Outcome.FAILURE, [])]
)
def test_a_probe_in_flight_is_waited_for_by_who_would_be_turned_away(outcome, models):
    world = World(seed=3)
    world.guards.of(OPUS).breaker.trip(world.now, "host down")
    world.run([OPUS], scripted(everywhere(ok())))
    world.now += 6
    other = Caller(None, world.answered, world.recovery)
    probe = world.guards.of(OPUS).admit(world.now, lease_seconds=20.0, caller=other)
    assert isinstance(probe, Permit)
    tells = world.now + 1.5
    world.later = [(tells, lambda: probe.finish(outcome, tells))]
    run = world.run([OPUS], scripted(everywhere(ok(0.001))))
    assert [(at, wait.why, wait.until) for at, wait in run.waits] == [
        (tells - 1.5, "probe", tells + 0.5)
    ]
    assert run.models == models
    assert world.recovery.waiting == 0


def test_a_probe_that_tells_nothing_is_waited_for_once_and_for_two_seconds():
    world = World(seed=3)
    world.guards.of(OPUS).breaker.trip(world.now, "host down")
    world.run([OPUS], scripted(everywhere(ok())))
    world.now += 6
    other = Caller(None, world.answered, world.recovery)
    world.guards.of(OPUS).admit(world.now, lease_seconds=20.0, caller=other)
    began = world.now
    run = world.run([OPUS], scripted(everywhere(ok())))
    assert (run.ended_at, run.gave_up.reason) == (began + 2.0, "unavailable")
    assert world.run([OPUS], scripted(everywhere(ok()))).waits == []


def test_a_request_makes_one_probe_and_no_more():
    world = World(seed=3)
    for one in CHAIN:
        world.guards.of(one).breaker.trip(world.now, "host down")
    world.run(CHAIN, scripted(everywhere(ok())))
    world.now += 60
    run = world.run(CHAIN, scripted(everywhere(fails("overloaded", 0.01))))
    assert (run.models, run.gave_up.reason) == (["opus"], "unavailable")
    world.now += 60
    assert world.run(CHAIN, scripted(everywhere(fails("overloaded", 0.01)))).models == ["opus"]


# The end


@pytest.mark.parametrize("settings", [Settings(), RETRY_FIRST])
@pytest.mark.parametrize("most", [1, 2, 3, 6, 20])
def test_attempts_are_counted_over_all_targets(settings, most):
    retry = RetrySettings(max_attempts=most, strategy=settings.retry.strategy)
    run = World(Settings(retry=retry)).run(CHAIN, scripted(everywhere(fails("server_error", 0.01))))
    assert len(run.sent) <= most
    assert run.gave_up.reason in ("attempts", "deadline")
    if most <= 6:
        assert len(run.sent) == most


def test_the_deadline_ends_it_when_attempts_do_not():
    settings = Settings(retry=RetrySettings(max_attempts=100), deadline_seconds=10.0)
    run = World(settings).run(CHAIN, scripted(everywhere(fails("overloaded", 1.0))))
    assert run.gave_up.reason == "deadline"
    assert run.gave_up.verdict == VERDICTS["overloaded"]
    assert run.ended_at <= 1010.0
    assert all(sent.at < 1010.0 for sent in run.sent)


@pytest.mark.parametrize("timeout", [0.05, 0.5, 2.0, 7.0])
def test_a_callers_short_deadline_is_kept_and_harms_nobody(timeout):
    world = World()
    for _ in range(40):
        began = world.now
        run = world.run(CHAIN, scripted(everywhere(HANGS)), timeout=timeout)
        assert run.sent
        assert not any(sent.call.limits.full_period for sent in run.sent if sent.call.position == 0)
        assert run.ended_at <= began + timeout + 1e-6
    assert not any(target is OPUS for target, _ in world.changes)


@pytest.mark.parametrize("deadline", [0.5, 2.0, 7.0, 20.0])
def test_a_configured_short_deadline_is_a_full_period(deadline):
    world = World(Settings(deadline_seconds=deadline))
    run = world.run([OPUS], scripted(everywhere(HANGS)))
    assert run.sent[0].call.limits.full_period
    assert run.sent[0].verdict == VERDICTS["no_answer"]


def test_once_content_was_given_out_nothing_is_replayed():
    run = World().run(CHAIN, scripted(everywhere(cut())), stream=True)
    assert run.models == ["opus"]
    assert run.gave_up.reason == "interrupted"
    assert run.gave_up.verdict == VERDICTS["stream_cut"]


def test_content_that_nobody_saw_may_be_replayed():
    run = World().run(CHAIN, scripted({**everywhere(ok()), "opus": [cut()]}))
    assert run.models == ["opus", "sonnet"]


def test_a_request_with_effects_is_not_sent_twice():
    replies = {**everywhere(ok()), "opus": [fails("server_error")]}
    run = World().run(CHAIN, scripted(replies), may_have_effects=True)
    assert run.models == ["opus"]
    assert run.gave_up.reason == "effects"
    assert run.gave_up.verdict == VERDICTS["server_error"]


@pytest.mark.parametrize(
    "reply",
    [
        *(fails("requests"), fails("rate_limited"), fails("overloaded"), fails("unavailable")),
        fails("server_error", sent="no"),
    ],
)
def test_a_request_with_effects_that_was_not_sent_may_be(reply):
    run = World().run(CHAIN, scripted({**everywhere(ok()), "opus": [reply]}), may_have_effects=True)
    assert run.models == ["opus", "sonnet"]


def test_a_spent_budget_ends_retries_but_not_hops():
    settings = Settings(retry=RetrySettings(**BROKE))
    run = World(settings).run(CHAIN, scripted(everywhere(fails("server_error"))))
    assert run.models == ["opus", "sonnet", "haiku"]
    assert run.waits == []
    assert run.gave_up.reason == "budget"
    assert run.gave_up.verdict == VERDICTS["server_error"]


def test_retries_are_taken_out_of_the_budget_and_hops_are_not():
    world = World()
    for _ in range(50):
        world.run(CHAIN, scripted(everywhere(fails("model_unavailable", 0.001))))
        world.now += 4000
    assert world.budget.ratio(world.now - 4000) == 0.0
    world.run([OPUS], scripted({"opus": [fails("server_error", 0.001), ok()]}))
    assert world.budget.ratio(world.now) == 1.0


def test_a_stream_of_failures_sends_little_more_than_half_again():
    """Beyond half of the requests, no more than what was saved up in ten seconds."""
    settings = Settings(
        retry=RetrySettings(
            budget_floor_per_second=0.0,
            budget_wait_seconds=0,
            base_delay_seconds=0,
            max_delay_seconds=0,
        )
    )
    world = World(settings)
    calls, until = 0, world.now + 60
    for one in range(1200):
        world.now = until - 60 + one / 20
        alone = target(f"m{one}", host=f"h{one}")
        calls += len(world.run([alone], lambda *_: fails("server_error", 0.0)).sent)
    assert 1.4 * 1200 <= calls <= 1.5 * 1200 + 10 * 10


def test_an_empty_chain_ends_at_once():
    run = World().run([], scripted({}))
    assert run.gave_up == GiveUp("not_retryable", None, None)


def test_a_cancelled_request_gives_everything_back():
    world = World()
    assert world.cancel(CHAIN, scripted(everywhere(ok()))).reason == "cancelled"
    assert world.idle()
    assert world.guards.of(OPUS).breaker.status(world.now).calls == 0


def test_two_plans_share_nothing():
    """A chain, its legs and its backoff belong to one request."""
    world = World()
    one, two = (world.plan(CHAIN, world.times()) for _ in range(2))
    assert isinstance(one.next(Started(), world.now), Call)
    first = two.next(Started(), world.now)
    assert isinstance(first, Call)
    for _ in range(3):
        one.next(Failed(VERDICTS["overloaded"]), world.now)
    hop = two.next(Failed(VERDICTS["overloaded"]), world.now)
    assert isinstance(hop, Call)
    assert (first.number, hop.number, hop.target) == (1, 2, SONNET)


# Events one by one


def test_a_refusal_costs_no_attempt():
    world = World(Settings(retry=RetrySettings(max_attempts=1)))
    plan = world.plan(CHAIN, world.times())
    plan.next(Started(), world.now)
    second = plan.next(Refused(Refusal("full", world.now, None)), world.now)
    assert isinstance(second, Call)
    assert (second.target, second.number) == (SONNET, 1)


def test_first_content_and_the_end_only_confirm():
    world = World()
    plan = world.plan(CHAIN, world.times())
    plan.next(Started(), world.now)
    assert plan.next(FirstContent(), world.now) == Give()
    assert plan.next(Finished(), world.now) == Give()


@pytest.mark.parametrize(
    "event", [Failed(VERDICTS["overloaded"]), Refused(Refusal("full", 0.0, None))]
)
def test_the_end_of_a_call_that_never_began_is_a_mistake_of_the_driver(event):
    world = World()
    with pytest.raises(RuntimeError, match="before it asked for one"):
        world.plan(CHAIN, world.times()).next(event, world.now)


def test_a_cancelled_plan_says_so():
    world = World()
    plan = world.plan(CHAIN, world.times())
    plan.next(Started(), world.now)
    assert plan.next(Cancelled(), world.now) == GiveUp("cancelled", None, None)


def test_targets_that_refuse_for_ever_do_not_hold_a_request_for_ever():
    world = World()
    plan = world.plan(CHAIN, world.times())
    command = plan.next(Started(), world.now)
    rng = Random(0)
    for _ in range(2000):
        if isinstance(command, Call):
            refusal = Refusal("ramp", world.now + rng.random() / 100, None)
            command = plan.next(Refused(refusal), world.now)
        elif isinstance(command, Wait):
            command = plan.next(TimerFired(), world.now)
        else:
            break
    else:
        pytest.fail("it never ended")
    assert isinstance(command, GiveUp)


def test_retry_first_hops_when_the_wait_is_longer_than_the_deadline_allows():
    world = World(RETRY_FIRST)
    replies = {"opus": [fails("unavailable", wait_seconds=171.0)], "sonnet": [ok()]}
    run = world.run(CHAIN, scripted(replies))
    assert run.models == ["opus", "sonnet"]


def test_retry_first_respects_a_spent_budget():
    retry = RetrySettings(strategy="retry_first", **BROKE)
    run = World(Settings(retry=retry)).run(
        CHAIN, scripted({one.model: [fails("server_error")] for one in CHAIN})
    )
    assert run.models == ["opus", "sonnet", "haiku"]


def test_an_overloaded_target_that_names_no_real_wait_is_left_alone_for_a_second():
    """``retry-after: 0``, or a date that is past, does not undo the least wait after a 529."""
    run = World().run([OPUS], scripted({"opus": [fails("overloaded", wait_seconds=0.0), ok()]}))
    assert run.sent[1].at - run.sent[0].until >= 1.0


def test_a_retry_that_is_refused_was_no_retry():
    world = World()
    plan = world.plan([OPUS], world.times())
    plan.next(Started(), world.now)
    wait = plan.next(Failed(VERDICTS["overloaded"]), world.now)
    assert isinstance(wait, Wait)
    assert isinstance(plan.next(TimerFired(), wait.until), Call)
    plan.next(Refused(Refusal("ramp", wait.until + 1, None)), wait.until)
    assert world.budget.ratio(wait.until) == 0.0


def test_nothing_is_started_after_the_deadline_when_the_wait_for_a_bench_ends_late():
    world = World()
    world.guards.bench(OPUS, 20.0, VERDICTS["requests"], world.now)
    plan = world.plan([OPUS], world.times())
    assert isinstance(plan.next(Started(), world.now), Wait | Call)
    plan.next(Refused(Refusal("bench", world.now + 20, None)), world.now)
    late = plan.next(TimerFired(), world.now + 61.0)
    assert isinstance(late, GiveUp)


def test_nothing_is_started_after_the_deadline_when_a_backoff_ends_late():
    world = World(RETRY_FIRST)
    plan = world.plan([OPUS], world.times())
    plan.next(Started(), world.now)
    assert isinstance(plan.next(Failed(VERDICTS["overloaded"]), world.now), Wait)
    assert isinstance(plan.next(TimerFired(), world.now + 61.0), GiveUp)


def test_a_dead_host_is_dead_for_another_account_too():
    second = target("opus", account="second")
    run = World().run((OPUS, second), scripted({"opus": [fails("connection")]}))
    assert {sent.call.target.account for sent in run.sent} == {"anthropic"}


def test_what_was_learnt_is_not_lost_when_the_callers_time_runs_out():
    """The deadline's own verdict hides two overloaded targets: the person is told nothing true."""
    replies = {"opus": [fails("overloaded")], "sonnet": [fails("overloaded")], "haiku": [HANGS]}
    run = World().run(CHAIN, scripted(replies), timeout=20.0)
    assert run.models == ["opus", "sonnet", "haiku"]
    assert str(run.gave_up.verdict) == "transient · overloaded"


def test_a_bench_that_ends_before_the_deadline_is_awaited_whatever_the_dice_say():
    """Jitter spreads waiters over what is left; it does not throw the request away."""
    ends = set()
    for seed in range(40):
        world = World(Settings(deadline_seconds=30.0), seed=seed)
        world.guards.bench(OPUS, 27.0, VERDICTS["requests"], world.now)
        ends.add(bool(world.run([OPUS], scripted({"opus": [ok()]})).sent))
    assert ends == {True}


def test_many_breakers_of_others_that_open_do_not_end_a_wait():
    world = World()
    world.guards.bench(OPUS, 30.0, VERDICTS["requests"], world.now)
    others = [target(f"m{n}", "openai") for n in range(250)]
    for n, one in enumerate(others):
        world.later.append((world.now + n / 10, world.guards.of(one).breaker.isolate))
    assert world.run([OPUS], scripted({"opus": [ok()]})).models == ["opus"]


def test_a_timer_that_fires_half_a_millisecond_early_is_no_reason_to_hop():
    """A loop whose timers count whole milliseconds does that half of the time."""
    world = World(RETRY_FIRST)
    plan = world.plan(CHAIN, world.times())
    plan.next(Started(), world.now)
    wait = plan.next(Failed(VERDICTS["overloaded"]), world.now)
    assert isinstance(wait, Wait)
    command = plan.next(TimerFired(), wait.until - 0.0005)
    if isinstance(command, Wait):
        command = plan.next(TimerFired(), command.until)
    assert isinstance(command, Call)
    assert command.target is OPUS


@pytest.mark.parametrize("name", ["authentication", "isolated"])
def test_a_slow_start_does_not_hide_what_will_not_pass_soon(name):
    """The request would wait for its turn, up to ten seconds, and only then learn it is in vain."""
    world = World()
    world.guards.bench(OPUS, 30.0, VERDICTS["requests"], world.now)
    world.run([OPUS], scripted({"opus": [ok()]}))
    if name == "isolated":
        world.guards.of(OPUS).breaker.isolate()
    else:
        world.run([SONNET], scripted({"sonnet": [fails(name)]}))
    runs = [world.run([OPUS], scripted({"opus": [ok()]})) for _ in range(5)]
    assert [run.waits for run in runs] == [[]] * 5
