"""What tokens cost: the list, what the settings say instead, and what nobody knows."""

from dataclasses import fields
from types import MappingProxyType

import pytest

from failsoft import Settings
from failsoft.config.settings import TargetSettings
from failsoft.providers.models import cost_usd

MILLION = 1_000_000
HAIKU = "anthropic/claude-haiku-5-5"


def one(target: str, settings: Settings | None = None, **usage: object) -> float | None:
    return cost_usd(target, usage, settings or Settings())


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("claude-opus-5-5", (4, 20, 0.20, 5, 8)),
        ("claude-opus-5-5-20261001", (4, 20, 0.20, 5, 8)),
        ("claude-sonnet-5-5", (2, 10, 0.10, 2.5, 4)),
        ("claude-haiku-5-5", (0.5, 2.5, 0.05, 0.625, 1)),  # a million is a long prompt
    ],
)
def test_every_kind_of_token_has_its_price(model, prices):
    hour = {"ephemeral_1h_input_tokens": MILLION, "ephemeral_5m_input_tokens": 0}
    usages = [
        {"input_tokens": MILLION},
        {"output_tokens": MILLION, "input_tokens": MILLION},
        {"cache_read_input_tokens": MILLION},
        {"cache_creation_input_tokens": MILLION},
        {"cache_creation_input_tokens": MILLION, "cache_creation": hour},
    ]
    costs = [one(f"anthropic/{model}", **usage) for usage in usages]
    costs[1] -= costs[0]
    assert costs == pytest.approx(prices)


@pytest.mark.parametrize(("prompt", "cost"), [(100_000, 0.01 + 0.5), (100_001, 0.0500005 + 2.5)])
def test_a_long_prompt_changes_the_price_of_all_tokens(prompt, cost):
    assert one(HAIKU, input_tokens=prompt, output_tokens=MILLION) == pytest.approx(cost)


def test_what_is_cached_makes_a_prompt_long_too():
    usage = {"cache_read_input_tokens": 90_000, "cache_creation_input_tokens": 10_001}
    assert one(HAIKU, **usage) == pytest.approx((90_000 * 0.05 + 10_001 * 0.625) / MILLION)


def test_the_two_lifetimes_of_a_cache_write_are_told_apart():
    lifetimes = {"ephemeral_1h_input_tokens": 400, "ephemeral_5m_input_tokens": 600}
    cost = one(
        "anthropic/claude-opus-5-5",
        cache_creation_input_tokens=1000,
        cache_creation=lifetimes,
    )
    assert cost == pytest.approx((400 * 8 + 600 * 5) / MILLION)


@pytest.mark.parametrize(
    "target", ["anthropic/claude-x", "anthropic/claude-opus-4-1", "mine/claude-opus-5-5"]
)
def test_no_price_is_made_up(target):
    assert one(target, input_tokens=1) is None
    assert one(target, input_tokens=0) == 0.0
    assert one(target) == 0.0


def test_the_settings_go_before_the_list_and_one_price_may_be_set_alone():
    own = {"anthropic/claude-opus-5-5": TargetSettings(input_usd_per_million=0)}
    settings = Settings(targets=own)
    cost = one("anthropic/claude-opus-5-5", settings, input_tokens=MILLION, output_tokens=MILLION)
    assert cost == pytest.approx(20)


def test_a_price_that_is_missing_for_some_tokens_leaves_the_cost_unknown():
    settings = Settings(targets={"mine/a": TargetSettings(input_usd_per_million=1)})
    assert one("mine/a", settings, input_tokens=MILLION) == pytest.approx(1)
    assert one("mine/a", settings, input_tokens=MILLION, output_tokens=1) is None


def test_every_price_that_can_be_set_is_heard():
    names = [each.name for each in fields(TargetSettings) if each.name.endswith("_usd_per_million")]
    hour = {"ephemeral_1h_input_tokens": 1}
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_read_input_tokens": 1,
        "cache_creation_input_tokens": 2,
        "cache_creation": hour,
    }
    for name in names:
        priced = dict.fromkeys(names, 0.0) | {name: 3.0}
        settings = Settings(targets={"mine/a": TargetSettings(**priced)})
        assert one("mine/a", settings, **usage) == pytest.approx(3 / MILLION), name


def test_figures_that_cannot_be_changed_are_read_too():
    usage = MappingProxyType(
        {
            "cache_creation_input_tokens": MILLION,
            "cache_creation": MappingProxyType({"ephemeral_1h_input_tokens": MILLION}),
        }
    )
    assert cost_usd("anthropic/claude-opus-5-5", usage, Settings()) == pytest.approx(8)


@pytest.mark.parametrize("strange", [None, "7", -7, 7.5, [7]])
def test_what_is_no_count_costs_nothing(strange):
    usage = {"input_tokens": strange, "cache_creation": strange}
    assert one("anthropic/claude-opus-5-5", **usage) == 0.0
