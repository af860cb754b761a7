"""The fate of a request: repeatable by seed, bound to windows, limits and the time line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from failsoft.chaos.simulator.messages_wire import MessagesWire
from failsoft.chaos.simulator.script import Board, parse_steps
from failsoft.chaos.simulator.time import TokenBucket
from failsoft.faults.fault_grammar import parse_fault


def board(clock: Any, seed: int = 0, steps: Sequence[Any] = (), **faults: list[str]) -> Board:
    made = Board(seed=seed, clock=clock, steps=parse_steps({"step": [*steps]}, where="test"))
    for model, texts in faults.items():
        made.set("*" if model == "every" else model, [parse_fault(text) for text in texts])
    return made


def struck(made: Board, model: str = "a", times: int = 1, tokens: int = 10) -> list[str | None]:
    fates = [made.decide(model, tokens=tokens) for _ in range(times)]
    return [fate.fault and fate.fault.name for fate in fates]


def test_the_same_seed_gives_the_same_fates_whatever_others_do(clock: Any) -> None:
    alone = struck(board(clock, a=["529@0.3", "cut@0.3"]), times=200)
    busy = board(clock, a=["529@0.3", "cut@0.3"], b=["529@0.5"])
    among_others = []
    for _ in range(200):
        struck(busy, "b", 3)
        clock.advance(0.7)
        among_others += struck(busy, "a")
    assert among_others == alone
    assert {"529", "cut", None} == set(alone)


def test_another_seed_and_another_model_have_other_fates(clock: Any) -> None:
    same = ["529@0.5"]
    first = struck(board(clock, a=same), times=64)
    assert first != struck(board(clock, seed=1, a=same), times=64)
    assert first != struck(board(clock, b=same), "b", times=64)


def test_a_rate_is_kept_to(clock: Any) -> None:
    assert struck(board(clock, a=["529@0.2"]), times=2000).count("529") == pytest.approx(
        400, abs=60
    )
    assert struck(board(clock, a=["529@0"]), times=50) == [None] * 50
    assert struck(board(clock, a=["529@1"]), times=50) == ["529"] * 50


def test_the_first_that_strikes_decides_and_a_models_own_come_before_those_of_all(
    clock: Any,
) -> None:
    made = board(clock, a=["500", "501"], every=["503"])
    assert struck(made, "a") == ["500"]
    assert struck(made, "b") == ["503"]
    made.remove("a")
    assert struck(made, "a") == ["503"]


def test_a_beginning_takes_in_all_models_that_have_it(clock: Any) -> None:
    made = board(clock, every=["500"])
    for name, fault in {"gpt-*": "529", "gpt-5.5*": "503", "gpt-5.5-mini": "healthy@0"}.items():
        made.set(name, [parse_fault(fault)])
    fates = {name: struck(made, name)[0] for name in ("gpt-4", "gpt-5.5", "gpt-5.5-mini", "o3")}
    assert fates == {"gpt-4": "529", "gpt-5.5": "503", "gpt-5.5-mini": "503", "o3": "500"}
    made.remove("gpt-5.5*")
    assert struck(made, "gpt-5.5") == ["529"]
    made.set("gpt-*", [parse_fault("healthy")])
    assert struck(made, "gpt-5.5") + struck(made, "o3") == [None, "500"]


def test_a_limit_of_a_beginning_is_one_limit(clock: Any) -> None:
    made = board(clock)
    made.set("gpt-*", [parse_fault("rate_limit;per_second=1;burst=2")])
    assert [*struck(made, "gpt-a"), *struck(made, "gpt-b"), *struck(made, "gpt-c")] == [
        None, None, "rate_limit",
    ]  # fmt: skip
    assert struck(made, "o3") == [None]


def test_healthy_exempts_but_for_latency(clock: Any) -> None:
    made = board(clock, a=["healthy"], every=["503", "latency;first_content_ms=100"])
    fate = made.decide("a", tokens=1)
    assert fate.fault is None
    assert fate.latency is not None


def test_the_first_latency_that_strikes_counts(clock: Any) -> None:
    made = board(clock, a=["latency@0.5;first_content_ms=9", "latency;first_content_ms=1"])
    fates = [made.decide("a", tokens=1).latency for _ in range(50)]
    drawn = {fate.first_content_ms.first for fate in fates if fate}
    assert None not in fates
    assert drawn == {1, 9}


def test_a_window_opens_and_closes(clock: Any) -> None:
    made = board(clock, a=["529;from=10s;for=20s"])
    seen = {}
    for second in (0, 9.5, 10, 29.5, 30, 100):
        clock.moment = 100 + second
        seen[second] = struck(made)[0]
    assert seen == {0: None, 9.5: None, 10: "529", 29.5: "529", 30: None, 100: None}


def test_a_window_counts_from_when_the_fault_was_set(clock: Any) -> None:
    made = board(clock)
    clock.advance(1000)
    made.set("a", [parse_fault("529;for=5s")])
    assert struck(made) == ["529"]
    clock.advance(5)
    assert struck(made) == [None]


def test_a_time_line_is_followed_and_a_set_holds_until_its_next_step(clock: Any) -> None:
    steps = [
        {"at": 60, "model": "a", "faults": ["500"]},
        {"at": 0, "model": "a", "faults": ["503"]},
        {"at": 90, "model": "a", "faults": []},
        {"at": 70, "model": "*", "faults": ["429;from=1s"]},
    ]
    made = board(clock, steps=steps)
    assert struck(made) == ["503"]
    made.set("a", [parse_fault("cut")])
    assert struck(made) == ["cut"]
    clock.advance(60)
    assert struck(made) == ["500"]
    # Nobody asked between 60 and 95: the window of the step at 70 began at 70 all the same.
    clock.advance(35)
    assert struck(made) == ["429"]
    assert set(made.faults()) == {"a", "*"}


def test_a_prompt_over_the_limit_is_too_long_and_no_other(clock: Any) -> None:
    made = board(clock, a=["context_limit;tokens=100"])
    assert struck(made, tokens=100) == [None]
    assert struck(made, tokens=101) == ["context_limit"]


def test_a_rate_limit_lets_through_exactly_what_it_says(clock: Any) -> None:
    made = board(clock, a=["rate_limit;per_second=2;burst=3"])
    assert struck(made, times=5) == [None, None, None, "rate_limit", "rate_limit"]
    clock.advance(0.5)
    assert struck(made, times=2) == [None, "rate_limit"]
    passed = 0
    for _ in range(1000):
        clock.advance(0.1)
        passed += struck(made) == [None]
    assert passed == 200


def test_a_rate_limit_tells_what_is_left_and_when_it_is_back(clock: Any) -> None:
    made = board(clock, a=["rate_limit;per_second=0.4;burst=2"])
    prefix = "anthropic-ratelimit-requests"
    limits = [made.decide("a", tokens=1).limit for _ in range(3)]
    fates = [MessagesWire().limit_headers(limit) for limit in limits if limit]
    assert [headers[f"{prefix}-remaining"] for headers in fates] == ["1", "0", "0"]
    assert {headers[f"{prefix}-limit"] for headers in fates} == {"2"}
    assert fates[0][f"{prefix}-reset"] == "2026-09-21T14:13:23Z"
    assert fates[2][f"{prefix}-reset"] == "2026-09-21T14:13:25Z"
    assert [headers.get("retry-after") for headers in fates] == [None, None, "3"]
    clock.advance(3)
    assert struck(made) == [None]


def test_a_limit_of_all_models_is_one_limit(clock: Any) -> None:
    made = board(clock, every=["rate_limit;per_second=1;burst=2"])
    assert struck(made, "a") + struck(made, "b") + struck(made, "c") == [None, None, "rate_limit"]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = TokenBucket(per_second=10, burst=2, now=0)
    assert [bucket.take(1000) for _ in range(3)] == [True, True, False]
    state = bucket.state(allowed=False, epoch=0)
    assert state.next_s == pytest.approx(0.1)
    assert state.full_s == pytest.approx(0.2)
