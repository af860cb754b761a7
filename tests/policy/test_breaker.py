"""The breaker, rule by rule. The clock is a number and the dice are seeded."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Rejection, Ticket, Transition

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
SUCCESS, FAILURE, NEUTRAL = Outcome.SUCCESS, Outcome.FAILURE, Outcome.NEUTRAL
T0 = 1000.0
LEASE = 20.0


class Bench:
    """A breaker with a clock beside it and a record of its transitions."""

    def __init__(self, **settings: Any) -> None:
        self.now = T0
        self.changes: list[Transition] = []
        rules = BreakerSettings(**{"recovery": "fixed", **settings})
        self.breaker = Breaker(rules, on_change=self.changes.append)

    @property
    def state(self) -> CircuitState:
        return self.breaker.state

    @property
    def moves(self) -> list[tuple[CircuitState, CircuitState]]:
        return [(change.before, change.after) for change in self.changes]

    def allow(self) -> Ticket | Rejection:
        return self.breaker.allow(self.now, lease_seconds=LEASE)

    def ticket(self) -> Ticket:
        ticket = self.allow()
        assert isinstance(ticket, Ticket), ticket
        return ticket

    def done(self, ticket: Ticket, outcome: Outcome, *, weight: int = 1) -> None:
        self.breaker.done(ticket, outcome, self.now, weight=weight)

    def call(self, outcome: Outcome, *, weight: int = 1, after: float = 0.0) -> None:
        self.now += after
        self.done(self.ticket(), outcome, weight=weight)

    def fail(self, times: int, *, every: float = 0.05, weight: int = 1) -> None:
        for _ in range(times):
            self.call(FAILURE, weight=weight, after=every)

    def open(self) -> None:
        self.fail(10)
        assert self.state is OPEN

    def sit_out(self) -> None:
        """Wait until the breaker would probe."""
        recovery = self.breaker.status(self.now).recovery_in_seconds
        assert recovery is not None
        self.now += recovery

    def half_open(self) -> Ticket:
        self.open()
        self.sit_out()
        return self.ticket()

    def close(self) -> None:
        self.done(self.half_open(), SUCCESS)
        self.call(SUCCESS)
        assert self.state is CLOSED


# Opening


def test_a_dead_target_at_20_a_second_opens_within_half_a_second():
    bench = Bench()
    bench.fail(9)
    assert bench.state is CLOSED
    bench.fail(1)
    assert bench.state is OPEN
    assert bench.now - T0 <= 0.5 + 1e-9
    assert bench.changes[-1].reason == "failures in a row"


def test_ten_failures_in_one_burst_do_not_open_until_they_span_a_quarter_second():
    bench = Bench()
    bench.fail(25, every=0.001)
    assert bench.state is CLOSED
    bench.call(FAILURE, after=0.22)
    assert bench.state is CLOSED
    bench.call(FAILURE, after=0.01)
    assert bench.state is OPEN


def test_a_success_ends_the_row_and_its_span():
    bench = Bench()
    bench.fail(9)
    bench.call(SUCCESS)
    bench.fail(9, every=0.01)
    assert bench.state is CLOSED
    bench.call(FAILURE, after=0.01)
    assert bench.state is CLOSED, "ten in a row, but they span a tenth of a second"


@pytest.mark.parametrize("nothing", [0, 1, 30])
def test_a_neutral_outcome_moves_nothing(nothing):
    bench = Bench()
    bench.fail(9)
    for _ in range(nothing):
        bench.call(NEUTRAL)
    assert bench.breaker.status(bench.now).failures_in_row == 9
    assert bench.breaker.status(bench.now).calls == 9
    bench.fail(1)
    assert bench.state is OPEN


def test_a_thousand_cancelled_calls_open_nothing():
    bench = Bench()
    for _ in range(1000):
        bench.call(NEUTRAL, after=0.05)
    assert bench.state is CLOSED
    assert bench.breaker.status(bench.now).calls == 0


def test_a_timeout_counts_as_three():
    bench = Bench()
    bench.fail(3, weight=3)
    assert bench.state is CLOSED
    bench.call(FAILURE, weight=3, after=0.2)
    assert bench.state is OPEN


def test_three_quarters_of_thirty_or_more_open_it():
    bench = Bench()
    for call in range(31):
        bench.call(SUCCESS if call % 4 == 0 else FAILURE, after=0.5)
        assert bench.state is CLOSED
    assert bench.breaker.status(bench.now).failures == 23
    bench.call(FAILURE, after=0.5)
    assert bench.state is OPEN, "24 of 32"
    assert bench.changes[-1].reason == "share of failures"


def test_less_than_thirty_calls_have_no_share():
    bench = Bench(failure_threshold=1000)
    bench.fail(29, every=1.0)
    assert bench.state is CLOSED
    bench.call(FAILURE, after=1.0)
    assert bench.state is OPEN


def test_after_an_idle_hour_one_failure_does_not_trip_on_stale_calls():
    bench = Bench(failure_threshold=1000, min_calls=100)
    bench.fail(99, every=0.1)
    bench.now += 3600
    bench.call(FAILURE)
    assert bench.state is CLOSED
    assert bench.breaker.status(bench.now).calls == 1


@pytest.mark.parametrize("rate", [0.5, 5, 50])
def test_a_brownout_of_a_fifth_never_opens_it(rate):
    bench = Bench()
    dice = Random(4)
    for _ in range(8000):
        bench.call(FAILURE if dice.random() < 0.2 else SUCCESS, after=1 / rate)
    assert bench.changes == []


# Open


def test_an_open_breaker_counts_what_opened_it_until_it_closes():
    bench = Bench()
    bench.call(Outcome.SUCCESS)
    bench.fail(10)
    status = bench.breaker.status(bench.now + 3600)
    assert (status.calls, status.failures) == (11, 10)
    bench.sit_out()
    bench.done(bench.ticket(), Outcome.FAILURE)
    assert bench.breaker.status(bench.now).failures == 10
    bench.breaker.restore()
    assert bench.breaker.status(bench.now).failures == 0
    bench.breaker.isolate()
    assert bench.breaker.status(bench.now).failures == 0, "no failure opened it"


def test_an_open_breaker_says_until_when_and_takes_nothing():
    bench = Bench()
    bench.open()
    rejection = bench.allow()
    assert isinstance(rejection, Rejection)
    assert rejection.why == "open"
    opened = bench.changes[-1].open_seconds
    assert opened is not None
    assert rejection.until == pytest.approx(bench.now + opened)
    recovery = bench.breaker.status(bench.now).recovery_in_seconds
    assert recovery == pytest.approx(opened)


def test_fixed_it_is_probed_the_same_time_after_each_opening():
    bench = Bench(recovery_timeout_seconds=7.0)
    bench.open()
    for _ in range(2000):
        assert bench.changes[-1].open_seconds == pytest.approx(7.0)
        bench.now = bench.now + 6.9
        assert isinstance(bench.allow(), Rejection)
        bench.sit_out()
        bench.call(FAILURE)
        assert bench.changes[-1].reason == "probe failed"


def test_adaptive_it_may_be_probed_at_once_but_not_before_its_provider_said():
    bench = Bench(recovery="adaptive")
    bench.open()
    assert bench.breaker.peek(bench.now) is None
    asked = Bench(recovery="adaptive")
    asked.fail(9)
    asked.now += 0.05
    asked.breaker.done(asked.ticket(), FAILURE, asked.now, wait_seconds=40.0)
    assert asked.state is OPEN
    assert asked.breaker.peek(asked.now) == Rejection("open", asked.now + 40.0)


# Half open


def test_one_probe_at_a_time_and_the_rest_are_told_when_to_ask_again():
    bench = Bench()
    probe = bench.half_open()
    assert bench.state is HALF_OPEN
    others = [bench.allow() for _ in range(100)]
    assert all(isinstance(o, Rejection) and o.why == "half_open" for o in others)
    assert {o.until for o in others if isinstance(o, Rejection)} == {bench.now + 5}
    assert probe.expires_at is not None
    late = bench.breaker.peek(probe.expires_at - 1)
    assert late == Rejection("half_open", probe.expires_at)


@pytest.mark.parametrize("probes", [1, 2, 5])
def test_as_many_probes_as_the_settings_say(probes):
    bench = Bench(probes=probes)
    bench.half_open()
    more = [bench.allow() for _ in range(20)]
    assert sum(isinstance(one, Ticket) for one in more) == probes - 1


def test_a_probe_succeeds_at_its_first_content_and_closes_it_on_trial():
    bench = Bench()
    bench.breaker.first_content(bench.half_open(), bench.now)
    assert bench.state is CLOSED
    assert bench.changes[-1].reason == "probe succeeded: on trial"


@pytest.mark.parametrize("needed", [1, 2, 4])
def test_on_trial_one_failure_opens_it_again(needed):
    bench = Bench(success_threshold=needed)
    bench.done(bench.half_open(), SUCCESS)
    for _ in range(needed - 1):
        trial = bench.ticket()
        bench.call(NEUTRAL)
        assert bench.state is CLOSED
        bench.done(trial, SUCCESS)
    bench.call(FAILURE)
    assert bench.state is CLOSED, "the trial is over"
    again = Bench(success_threshold=needed)
    again.done(again.half_open(), SUCCESS)
    for _ in range(needed - 2):
        again.call(SUCCESS)
    again.call(FAILURE)
    assert again.state is (CLOSED if needed == 1 else OPEN)
    assert needed == 1 or again.changes[-1].reason == "failed on trial"


def test_on_trial_an_answer_that_breaks_off_opens_it_again():
    bench = Bench(success_threshold=3)
    bench.done(bench.half_open(), SUCCESS)
    cut = bench.ticket()
    bench.breaker.first_content(cut, bench.now)
    bench.done(cut, FAILURE)
    assert bench.state is OPEN


def test_a_probe_counts_once_however_often_it_is_brought_back():
    bench = Bench(success_threshold=3)
    probe = bench.half_open()
    bench.breaker.first_content(probe, bench.now)
    bench.done(probe, SUCCESS)
    bench.done(probe, SUCCESS)
    bench.call(FAILURE)
    assert bench.state is OPEN, "it was on trial still"


def test_a_probe_that_breaks_after_its_first_content_has_still_succeeded():
    bench = Bench()
    probe = bench.half_open()
    bench.breaker.first_content(probe, bench.now)
    bench.done(probe, FAILURE)
    assert bench.state is CLOSED


def test_a_neutral_probe_gives_its_lease_back_and_no_verdict():
    bench = Bench()
    for _ in range(3):
        probe = bench.half_open() if bench.state is CLOSED else bench.ticket()
        bench.done(probe, NEUTRAL)
        assert bench.state is HALF_OPEN
    bench.call(SUCCESS)
    bench.call(SUCCESS)
    assert bench.state is CLOSED


def test_a_hung_probe_never_keeps_it_half_open():
    bench = Bench()
    hung = bench.half_open()
    for _ in range(5):
        assert isinstance(bench.allow(), Rejection)
        bench.now += LEASE
        hung = bench.ticket()
    bench.done(hung, SUCCESS)
    bench.call(SUCCESS)
    assert bench.state is CLOSED


def test_a_probe_that_comes_back_after_its_lease_went_on_says_nothing():
    bench = Bench()
    hung = bench.half_open()
    bench.now += LEASE
    probe = bench.ticket()
    bench.done(hung, FAILURE)
    assert bench.state is HALF_OPEN
    bench.done(hung, SUCCESS)
    bench.done(probe, SUCCESS)
    assert bench.state is CLOSED
    bench.call(FAILURE)
    assert bench.state is OPEN, "one of the two successes came after its lease"


def test_a_call_is_a_success_at_its_first_content_and_a_failure_after_all_when_it_is_cut():
    bench = Bench()
    ticket = bench.ticket()
    bench.breaker.first_content(ticket, bench.now)
    status = bench.breaker.status(bench.now)
    assert (status.calls, status.failures) == (1, 0)
    bench.done(ticket, FAILURE)
    status = bench.breaker.status(bench.now)
    assert (status.calls, status.failures) == (1, 1)


def test_answers_that_all_begin_and_are_all_cut_open_it_by_their_share():
    bench = Bench()
    for _ in range(30):
        bench.now += 0.5
        ticket = bench.ticket()
        bench.breaker.first_content(ticket, bench.now)
        bench.done(ticket, FAILURE)
    assert bench.state is OPEN


@pytest.mark.parametrize("every", [0.05, 0.001])
def test_failures_told_at_once_do_not_open_it_before_slow_answers_have_begun(every):
    """A fifth fails in no time, the rest begins after a second: at a cold start, in every burst."""
    bench, dice = Bench(), Random(0)
    begun: list[tuple[float, Ticket]] = []
    for _ in range(4000):
        bench.now += every
        ticket = bench.ticket()
        if dice.random() < 0.2:
            bench.done(ticket, FAILURE)
        else:
            begun.append((bench.now + 1.0, ticket))
        while begun and begun[0][0] <= bench.now:
            bench.breaker.first_content(begun.pop(0)[1], bench.now)
    assert bench.moves == []


def test_answers_cut_early_do_not_open_it_before_the_whole_ones_have_ended():
    """Five hundred at once: all begin, a fifth is cut soon after, the rest takes its time."""
    bench = Bench()
    tickets = [bench.ticket() for _ in range(500)]
    for ticket in tickets:
        bench.breaker.first_content(ticket, bench.now)
    for ticket in tickets[::5]:
        bench.now += 0.01
        bench.done(ticket, FAILURE)
    assert bench.moves == []


def test_calls_that_never_begin_do_not_keep_it_closed():
    """They count against the failures only while they are older, and until their timers fire."""
    bench = Bench()
    hanging = [bench.ticket() for _ in range(20)]
    bench.fail(10)
    assert bench.state is CLOSED
    for ticket in hanging:
        bench.done(ticket, Outcome.NEUTRAL)
    bench.fail(1)
    assert bench.state is OPEN


# Generations


@pytest.mark.parametrize("outcome", list(Outcome))
def test_results_of_calls_that_began_before_a_transition_are_dropped(outcome):
    bench = Bench()
    early = [bench.ticket() for _ in range(50)]
    while bench.state is not OPEN:
        bench.fail(1)
    for ticket in early[:20]:
        bench.done(ticket, outcome)
    assert bench.state is OPEN
    bench.sit_out()
    probe = bench.ticket()
    for ticket in early[20:40]:
        bench.done(ticket, outcome)
    assert bench.state is HALF_OPEN
    bench.done(probe, SUCCESS)
    bench.call(SUCCESS)
    for ticket in early[40:]:
        bench.done(ticket, outcome)
        bench.now += 0.1
    assert bench.state is CLOSED
    assert bench.breaker.status(bench.now).calls == 1, "that of the trial"


def test_an_old_probe_neither_closes_nor_reopens_a_later_generation():
    bench = Bench(probes=2)
    bench.open()
    bench.sit_out()
    first, late = bench.ticket(), bench.ticket()
    bench.done(first, FAILURE)
    bench.sit_out()
    bench.ticket()
    bench.done(late, FAILURE)
    assert bench.state is HALF_OPEN
    assert [c.open_seconds is not None for c in bench.changes] == [True, False, True, False]


def test_a_lease_of_an_earlier_generation_takes_no_place():
    bench = Bench(probes=2, recovery_timeout_seconds=5.0)
    bench.open()
    bench.sit_out()
    first = bench.ticket()
    bench.ticket()
    bench.done(first, FAILURE)
    bench.sit_out()
    assert bench.now < T0 + LEASE, "the other lease is still running"
    assert [isinstance(bench.allow(), Ticket) for _ in range(3)] == [True, True, False]


def admitted(bench: Bench, arrivals: int) -> float:
    return sum(isinstance(bench.allow(), Ticket) for _ in range(arrivals)) / arrivals


# By hand


def test_isolated_until_restored():
    bench = Bench()
    in_flight = bench.ticket()
    bench.breaker.isolate()
    for _ in range(3):
        bench.now += 10_000
        rejection = bench.allow()
        assert isinstance(rejection, Rejection)
        assert rejection.why == "isolated"
        assert bench.breaker.peek(bench.now) == rejection
    status = bench.breaker.status(bench.now)
    assert (status.state, status.isolated, status.recovery_in_seconds) == (OPEN, True, None)
    bench.done(in_flight, SUCCESS)
    assert bench.state is OPEN
    bench.breaker.restore()
    assert admitted(bench, 50) == 1.0
    assert bench.moves == [(CLOSED, OPEN), (OPEN, CLOSED)]


def test_isolated_while_half_open_the_probe_says_nothing():
    bench = Bench()
    probe = bench.half_open()
    bench.breaker.isolate()
    bench.done(probe, SUCCESS)
    bench.done(probe, FAILURE)
    assert bench.breaker.status(bench.now).isolated
    assert bench.state is OPEN


def test_restore_closes_an_open_breaker():
    bench = Bench()
    bench.open()
    bench.breaker.restore()
    assert bench.state is CLOSED
    assert bench.breaker.status(bench.now).failures_in_row == 0


def test_restored_by_hand_it_starts_at_once():
    bench = Bench()
    bench.close()
    bench.breaker.isolate()
    bench.breaker.restore()
    assert admitted(bench, 50) == 1.0


def test_metrics_only_reports_everything_and_rejects_nothing():
    bench = Bench(metrics_only=True)
    for _ in range(400):
        bench.call(FAILURE, after=0.1)
        assert bench.breaker.peek(bench.now) is None
    assert (CLOSED, OPEN) in bench.moves
    assert (HALF_OPEN, OPEN) in bench.moves
    for _ in range(200):
        bench.call(SUCCESS, after=0.1)
    assert bench.moves[-1] == (HALF_OPEN, CLOSED)


def test_what_it_asked_for_counts_no_more_once_it_answers():
    """A wait that went with one failure of a brownout keeps nothing out ten minutes later."""
    bench = Bench(recovery="adaptive")
    early = bench.ticket()
    bench.breaker.done(bench.ticket(), FAILURE, bench.now, wait_seconds=900.0)
    bench.done(early, SUCCESS)  # an answer to a call from before it shows nothing
    assert bench.breaker._asked_until > bench.now
    bench.call(SUCCESS, after=1.0)
    bench.now += 100.0
    bench.open()
    assert bench.changes[-1].open_seconds == 0.0


def test_metrics_only_still_hands_out_one_probe_lease_at_a_time():
    bench = Bench(metrics_only=True)
    bench.half_open()
    tickets = [bench.ticket() for _ in range(20)]
    assert all(ticket.expires_at is None for ticket in tickets)


# What is learnt elsewhere


def test_tripped_it_opens_like_any_other():
    bench = Bench()
    late = bench.ticket()
    bench.breaker.trip(bench.now, "host down")
    assert bench.changes[-1].reason == "host down"
    assert bench.changes[-1].open_seconds == pytest.approx(15.0)
    bench.done(late, SUCCESS)
    assert bench.state is OPEN
    bench.sit_out()
    bench.call(SUCCESS)
    bench.call(SUCCESS)
    assert bench.state is CLOSED


@pytest.mark.parametrize("get_there", [Bench.open, Bench.half_open])
def test_tripping_does_not_disturb_a_recovery(get_there: Callable[[Bench], object]):
    bench = Bench()
    get_there(bench)
    before = (bench.state, bench.breaker.status(bench.now), len(bench.changes))
    bench.breaker.trip(bench.now, "host down")
    assert (bench.state, bench.breaker.status(bench.now), len(bench.changes)) == before


def test_what_changes_nothing_is_no_transition():
    bench = Bench()
    bench.breaker.restore()
    bench.breaker.isolate()
    bench.breaker.isolate()
    bench.breaker.restore()
    bench.breaker.restore()
    assert bench.moves == [(CLOSED, OPEN), (OPEN, CLOSED)]


def test_a_ticket_counts_once_however_often_it_is_brought_back():
    bench = Bench()
    ticket = bench.ticket()
    for _ in range(3):
        bench.done(ticket, FAILURE)
    assert bench.breaker.status(bench.now).failures == 1


def test_the_quick_failures_of_a_burst_are_weighed_against_all_of_it():
    """What fails first of 300 that begin at once is told before any of the others answers."""
    bench = Bench()
    burst = [bench.allow() for _ in range(300)]
    for ticket in burst[:60]:
        bench.now += 0.005
        bench.done(ticket, FAILURE)
    assert bench.state is CLOSED
    for ticket in burst[60:]:
        bench.done(ticket, SUCCESS)
    assert bench.state is CLOSED


def test_calls_that_begin_later_hold_no_opening_back():
    bench = Bench()
    early = [bench.allow() for _ in range(12)]
    bench.now += 0.3
    [bench.allow() for _ in range(300)]
    for ticket in early:
        bench.now += 0.05
        bench.done(ticket, FAILURE)
    assert bench.state is OPEN


def test_an_answer_to_a_call_from_before_a_row_does_not_end_it():
    """A model that went down goes on answering what it had begun."""
    bench = Bench()
    early = [bench.ticket() for _ in range(3)]
    for ticket in early:
        bench.fail(3)
        bench.breaker.first_content(ticket, bench.now)
    assert bench.state is CLOSED
    bench.fail(1)
    assert bench.state is OPEN


def test_an_answer_to_a_call_of_the_row_ends_it():
    bench = Bench()
    bench.fail(5)
    inside = bench.ticket()
    bench.fail(4)
    bench.breaker.first_content(inside, bench.now)
    bench.fail(9)
    assert bench.state is CLOSED


def flaky(share: float, *, calls: int = 6000, seed: int = 5, **settings: Any) -> Bench:
    """20 calls a second, of which a share fails; until it opens."""
    bench, dice = Bench(**settings), Random(seed)
    while calls and bench.state is CLOSED:
        calls -= 1
        bench.call(FAILURE if dice.random() < share else SUCCESS, after=0.05)
    return bench


def test_a_row_that_chance_brings_anyway_opens_nothing():
    """Where 60 % fail, ten in a row come every 400 calls; two of five are answered all the same."""
    assert flaky(0.6, recovery="adaptive").state is CLOSED
    assert flaky(0.6).state is OPEN, "fixed is the plain count"


def test_chance_brings_timeouts_in_a_row_by_their_number_and_not_by_their_weight():
    bench = Bench(recovery="adaptive")
    for outcome in (FAILURE, SUCCESS, FAILURE, FAILURE, SUCCESS) * 12:
        bench.call(outcome, weight=3, after=0.05)
    bench.fail(9, weight=3)
    assert bench.state is CLOSED, "0.6 ** 9 is once in a hundred calls"


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.7])
def test_however_much_failed_before_a_dead_target_opens(share):
    bench = flaky(share, calls=600, seed=2, recovery="adaptive", failure_ratio=0.9)
    died = bench.now
    bench.fail(60)
    assert bench.state is OPEN
    assert bench.changes[0].reason == "failures in a row"
    assert bench.now - died <= 3.0
