"""The grammar of faults: what is read, what is written back, what a mistake is told."""

from __future__ import annotations

import contextlib
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.errors import SettingError
from failsoft.faults.fault_grammar import (
    KINDS,
    OPTIONS,
    STATUS,
    Latency,
    SimulatedFault,
    format_fault,
    kind_of,
    parse_assignment,
    parse_assignments,
    parse_fault,
    parse_latency,
)

SECONDS = st.floats(min_value=0, max_value=1e6)
POSITIVE = st.floats(min_value=1e-6, max_value=1e6)
WORDS = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
LATENCIES = st.one_of(
    SECONDS.map(lambda ms: Latency("fixed", ms)),
    st.tuples(SECONDS, SECONDS).map(lambda pair: Latency("uniform", *sorted(pair))),
    st.tuples(SECONDS, SECONDS).map(lambda pair: Latency("lognormal", *pair)),
)
VALUES = {
    "from": SECONDS,
    "for": SECONDS,
    "after": st.integers(0, 10_000),
    "between_events_ms": LATENCIES,
    "burst": st.integers(1, 10_000),
    "bytes": st.integers(1, 10_000),
    "code": WORDS,
    "done": st.sampled_from(["yes", "no"]),
    "every_ms": POSITIVE,
    "first_content_ms": LATENCIES,
    "header": st.lists(st.tuples(st.just("x-a"), WORDS), min_size=1).map(tuple),
    "message": WORDS,
    "per_second": POSITIVE,
    "retry_after": SECONDS,
    "status": st.sampled_from([200, 400, 502, 599]),
    "tokens": st.integers(1, 10_000),
    "type": WORDS,
}


@st.composite
def faults(draw: st.DrawFn) -> SimulatedFault:
    name = draw(st.sampled_from(["529", "400", *(name for name in KINDS if name != STATUS)]))
    kind = kind_of(name)
    assert kind is not None
    values = {OPTIONS[key].field: default for key, default in kind.options.items()}
    for key in draw(st.sets(st.sampled_from(["from", "for", *kind.options]))):
        values[OPTIONS[key].field] = draw(VALUES[key])
    return SimulatedFault(name=name, rate=draw(st.floats(0, 1)), **values)


@given(faults())
def test_what_is_written_reads_back_the_same(fault: SimulatedFault) -> None:
    assert parse_fault(format_fault(fault)) == fault


@given(st.text())
def test_any_text_is_a_fault_or_a_setting_error(text: str) -> None:
    with contextlib.suppress(SettingError):
        fault = parse_fault(text)
        assert parse_fault(format_fault(fault)) == fault


def test_every_option_belongs_to_a_kind_and_every_kind_names_known_options() -> None:
    used = {option for kind in KINDS.values() for option in kind.options}
    assert used | {"from", "for"} == set(OPTIONS) == set(VALUES)


def test_a_full_example() -> None:
    model, fault = parse_assignment(
        "claude-opus-5-5=529@0.2;retry_after=5;from=10s;for=1.5m;header=X-A: b=c;header=x-d:e"
    )
    assert model == "claude-opus-5-5"
    assert fault == SimulatedFault(
        name="529",
        rate=0.2,
        retry_after=5,
        starts=10,
        lasts=90,
        headers=(("x-a", "b=c"), ("x-d", "e")),
    )


def test_the_faults_of_one_model_keep_their_order() -> None:
    read = parse_assignments(["a=529@0.1", "*=hang", "a=cut"])
    assert {model: [fault.name for fault in faults] for model, faults in read.items()} == {
        "a": ["529", "cut"],
        "*": ["hang"],
    }


def test_a_kind_has_its_own_defaults() -> None:
    assert parse_fault("cut").after == 3
    assert parse_fault("refusal").after == 0
    assert parse_fault("content_filter").after is None
    assert parse_fault("529").lasts == math.inf


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "m=overlaoded",
            "'overlaoded' is no fault: give a status from 400 to 599 or one of bad_key",
        ),
        ("m=200", "'200' is no fault"),
        ("m=400-599", "'400-599' is no fault"),
        ("m=529@1.5", "the rate after @ must be a number from 0 to 1; it is '1.5'"),
        ("m=529@", "the rate after @ must be a number from 0 to 1; it is ''"),
        ("m=529@nan", "the rate after @ must be a number from 0 to 1"),
        ("m=529;after=3", "529 has no option 'after'; it takes retry_after, header, code, message"),
        ("m=529;retry_after", "option retry_after must be a duration such as 20s, 500ms or 2m"),
        ("m=529;retry_after=-1", "must be a duration such as 20s, 500ms or 2m; it is '-1'"),
        ("m=529;header=nothing", "option header must be NAME:VALUE; it is 'nothing'"),
        ("m=cut;after=1;after=2", "option after is given twice"),
        ("m=cut;after=x", "option after must be a whole number, 0 or more; it is 'x'"),
        (
            "m=latency;first_content_ms=uniform(9,1)",
            "must be milliseconds (300), uniform(LOW,HIGH)",
        ),
        ("m=latency;first_content_ms=-1", "must be milliseconds (300)"),
        ("m=rate_limit;per_second=0", "option per_second must be a number above 0; it is '0'"),
        ("m=rate_limit;burst=0", "option burst must be a whole number, 1 or more"),
        ("m=html;status=204", "option status must be 200 or a status from 400 to 599"),
        ("m=error_event;type=a b", "option type must be one word"),
        ("529@0.2", "must be MODEL=FAULT, for example 'claude-opus-5-5=529@0.2'"),
        ("529;retry_after=5", "must be MODEL=FAULT"),
        ("m=", "must be MODEL=FAULT"),
        ("g*t=529", "* may only end a model's name, as in 'gpt-*'; it is 'g*t'"),
        ("m=eof;done=maybe", "option done must be yes or no; it is 'maybe'"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_assignments([text])
    assert told in str(caught.value)
    assert str(caught.value).startswith("--fault ")


def test_latencies_are_drawn_from_their_distribution() -> None:
    rng = Random(1)
    assert parse_latency("300").draw(rng) == 0.3
    uniform = [parse_latency("uniform(50, 200)").draw(rng) for _ in range(200)]
    assert min(uniform) >= 0.05
    assert max(uniform) <= 0.2
    skewed = sorted(parse_latency("lognormal(400,0.5)").draw(rng) for _ in range(2001))
    assert skewed[1000] == pytest.approx(0.4, rel=0.1)
    assert skewed[-1] > 2 * skewed[1000]
