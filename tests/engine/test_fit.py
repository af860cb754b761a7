"""Fields that are bound together are changed together for a target that takes less."""

import pytest

from failsoft.engine.fitting import fit
from failsoft.policy.target import Target

SMALL = Target(provider="anthropic", model="small", max_output_tokens=64_000)


def thinking(budget):
    return {"type": "enabled", "budget_tokens": budget}


def test_the_budget_of_thought_keeps_its_share_of_fewer_tokens():
    body = {"max_tokens": 100_000, "thinking": thinking(80_000), "messages": []}
    fitted, changes = fit(body, None, SMALL, None)
    assert (fitted["max_tokens"], fitted["thinking"]) == (64_000, thinking(51_200))
    assert changes == ("max_tokens 100000 → 64000", "thinking.budget_tokens 80000 → 51200")
    assert body["thinking"] == thinking(80_000)


@pytest.mark.parametrize(
    "thought", [None, thinking(10_000), {"type": "adaptive"}, {"type": "disabled"}, "rubbish"]
)
def test_a_thought_that_fits_stays_as_it_is(thought):
    fitted, changes = fit({"max_tokens": 100_000, "thinking": thought}, None, SMALL, None)
    assert (fitted["max_tokens"], fitted["thinking"]) == (64_000, thought)
    assert changes == ("max_tokens 100000 → 64000",)


@pytest.mark.parametrize("limit", [1_024, 1_500, 2_048, 64_000])
@pytest.mark.parametrize("budget", [1_024, 60_000, 64_000, 99_999, 100_000])
def test_the_budget_is_always_below_the_tokens(limit, budget):
    target = Target(provider="anthropic", model="small", max_output_tokens=limit)
    fitted, _ = fit({"max_tokens": 100_000, "thinking": thinking(budget)}, None, target, None)
    assert fitted["thinking"]["budget_tokens"] < fitted["max_tokens"] == limit
