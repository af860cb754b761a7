"""What may be said in X-Simulate-Error, and what is said of anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft import SettingError, Settings
from failsoft.faults import Simulation, parse_simulation, simulation_in
from failsoft.faults.simulation import AT_ONCE, IN_STREAM
from failsoft.policy.target import Target

OPUS = Target(provider="anthropic", model="claude-opus-5-5")
ODD = Target(provider="vertex", model="claude@2026/x")
TARGETS = (OPUS, ODD)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("overloaded", Simulation(reason="overloaded")),
        ("transient", Simulation(reason="overloaded")),
        ("timeout", Simulation(reason="no_answer")),
        ("auth_error", Simulation(reason="authentication")),
        ("billing@claude-opus-5-5", Simulation(reason="billing", target=OPUS.id)),
        ("billing@anthropic/claude-opus-5-5", Simulation(reason="billing", target=OPUS.id)),
        ("not_implemented@claude@2026/x", Simulation(reason="not_implemented", target=ODD.id)),
        ("overloaded;rate=0.2", Simulation(reason="overloaded", rate=0.2)),
        ("overloaded;rate=1", Simulation(reason="overloaded")),
        ("overloaded;after=5;rate=.5", Simulation(reason="overloaded", rate=0.5, after=5)),
        (
            " refusal @ claude-opus-5-5 ; after = 1 ",
            Simulation(reason="refusal", target=OPUS.id, after=1),
        ),
    ],
)
def test_words_that_are_read(said, meant):
    assert parse_simulation(said, TARGETS) == meant


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "must begin with a category (transient, rate_limited, timeout, "),
        ("500", "or a reason (overloaded, server_error, "),
        ("all_open", "must begin with a category"),
        ("OVERLOADED", "must begin with a category"),
        ("overloaded;", "has a part that is neither rate= nor after=; it must be <category|"),
        ("overloaded;for=5", "has a part that is neither rate= nor after="),
        ("overloaded;rate", "has a part that is neither rate= nor after="),
        ("overloaded;rate=1;rate=1", "says rate= twice"),
        ("overloaded;rate=0", "has a rate= that must be a share of the attempts, above 0"),
        ("overloaded;rate=2", "has a rate= that must be"),
        ("overloaded;rate=nan", "has a rate= that must be"),
        ("overloaded;rate=1e-3", "has a rate= that must be"),
        ("overloaded;rate=\u0660.\u0665", "has a rate= that must be"),
        ("overloaded;after=0", "has an after= that must be a whole number of contents from 1"),
        ("overloaded;after=1.5", "has an after= that must be"),
        ("overloaded;after=", "has an after= that must be"),
        (
            "connection_setup;after=5",
            "has after=, but connection_setup never comes within a stream; leave after= out",
        ),
        ("overloaded@", "names a target after @ that there is not; there is anthropic/claude-"),
        ("overloaded@gpt", "there is anthropic/claude-opus-5-5, vertex/claude@2026/x"),
    ],
)
def test_words_that_are_not_say_what_is_allowed(said, told):
    with pytest.raises(ValueError) as raised:
        parse_simulation(said, TARGETS)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@given(
    st.sampled_from(sorted(AT_ONCE)),
    st.none() | st.sampled_from(TARGETS),
    st.integers(1, 100),
    st.none() | st.integers(1, 999_999),
)
def test_a_simulation_says_itself(reason, target, percent, after):
    if reason not in IN_STREAM:
        after = None
    meant = Simulation(reason=reason, target=target and target.id, rate=percent / 100, after=after)
    assert parse_simulation(str(meant), TARGETS) == meant


@given(st.text())
def test_whatever_is_said_is_read_or_refused(said):
    try:
        told = str(parse_simulation(said, TARGETS))
    except ValueError as error:
        told = f"it {error}"
    assert told.startswith(("it must", "it has", "it says", "it names", *AT_ONCE))


def test_a_deployment_is_simulated_only_where_it_may_be():
    def found(**given):
        return simulation_in(Settings(**given), TARGETS)

    assert found() is None
    assert found(env="dev", simulate_error="billing") == Simulation(reason="billing")
    with_key = found(simulate_error="billing", simulate_token_key="0123456789abcdef")
    assert with_key == Simulation(reason="billing")
    with pytest.raises(SettingError, match=r"^simulate_error: would fail real people's requests"):
        found(simulate_error="billing")
    with pytest.raises(SettingError, match=r"^simulate_error: must begin with a category"):
        found(env="dev", simulate_error="bill")
