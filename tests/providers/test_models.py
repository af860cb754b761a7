"""What models can do, and how a spec becomes a target."""

import pytest
from anthropic.types.model import Model

from failsoft.config.settings import ProviderSettings, Settings, TargetSettings
from failsoft.errors import SettingError
from failsoft.policy.target import Target
from failsoft.providers.models import ModelFacts, facts, target_for

SDK_NAMES = Model.__args__[0].__args__  # type: ignore[attr-defined]  # a Union's first member


def test_the_sdk_knows_the_default_chain() -> None:
    assert {spec.partition("/")[2] for spec in Settings().chain} <= set(SDK_NAMES)


@pytest.mark.parametrize("model", [name for name in SDK_NAMES if "preview" not in name])
def test_every_model_of_the_sdk_is_known(model: str) -> None:
    known = facts(model)

    assert known.family == model.split("-")[1]
    assert known.context_window
    assert known.max_output_tokens


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("claude-haiku-5-5", ("haiku", 1_000_000, 128_000, False)),
        ("claude-opus-5", ("opus", 1_000_000, 128_000, False)),
        ("claude-sonnet-4-6", ("sonnet", 1_000_000, 128_000, False)),
        ("claude-opus-4-5-20251101", ("opus", 200_000, 64_000, True)),
        ("claude-haiku-4-5", ("haiku", 200_000, 64_000, True)),
        ("claude-opus-4-20250514", ("opus", None, None, True)),
        ("claude-sonnet-6-1", ("sonnet", 1_000_000, 128_000, False)),
        ("claude-3-5-haiku-20241022", ("claude-3-5-haiku-20241022", None, None, True)),
        ("gpt-9", ("gpt-9", None, None, True)),
    ],
)
def test_facts(model: str, known: tuple[str, int | None, int | None, bool]) -> None:
    family, window, output, prefill = known
    assert facts(model) == ModelFacts(
        family=family, context_window=window, max_output_tokens=output, accepts_prefill=prefill
    )


def test_a_target_is_filled_from_the_table() -> None:
    assert target_for("anthropic/claude-opus-5-5", Settings()) == Target(
        provider="anthropic",
        model="claude-opus-5-5",
        family="opus",
        account="anthropic",
        host="api.anthropic.com:443",
        context_window=1_000_000,
        max_output_tokens=128_000,
        accepts_prefill=False,
    )


def test_settings_override_the_table() -> None:
    spec = "anthropic/claude-opus-5-5"
    own = TargetSettings(
        context_window=5, max_output_tokens=4, limit_group="shared", account="second"
    )

    target = target_for(
        spec,
        Settings(targets={spec: own}, anthropic=ProviderSettings(base_url="http://[::1]:81/x/")),
    )

    assert (target.context_window, target.max_output_tokens) == (5, 4)
    assert (target.family, target.account, target.host) == ("shared", "second", "::1:81")


def test_another_provider_is_its_own_account_and_host() -> None:
    target = target_for("mock/some/model", Settings())

    assert (target.provider, target.model, target.id) == ("mock", "some/model", "mock/some/model")
    assert (target.account, target.host, target.family) == ("mock", "mock", "some/model")


@pytest.mark.parametrize("spec", ["", "claude-opus-5-5", "anthropic/", "/x", "a/b c", "a/b\n"])
def test_anything_else_is_refused(spec: str) -> None:
    with pytest.raises(SettingError, match="provider/model, as anthropic/claude") as caught:
        target_for(spec, Settings())

    assert caught.value.setting == "chain"
