import pytest
from manual_clock import ManualClock

from failsoft.telemetry.alert_rules import ALERTS
from failsoft.telemetry.alerts import Evaluator, Firing, Messages
from failsoft.telemetry.events import AttemptFinished, RequestFinished
from failsoft.telemetry.labels import State

NAMED = {alert.name: alert for alert in ALERTS}
OPEN = Firing(alert=NAMED["FailsoftCircuitOpen"], subject="chat")
TRANSIENT = Firing(alert=NAMED["FailsoftTransient"], value=0.25)
NOTE = Firing(alert=NAMED["FailsoftContentPolicyRise"], value=72)
FINE = State(targets={}, routes={"chat": "closed"}, inflight={}, stores={"request_log": True})


@pytest.fixture
def clock():
    return ManualClock(0.0)


@pytest.fixture
def messages(clock):
    links = {"status_page": "https://status.example.com"}
    return Messages(repeat_seconds=3600, clock=clock, wall=clock.wall, links=links)


def told(messages, *firing):
    return [(one["alert"], one["status"]) for one in messages.about(firing)]


def test_one_message_at_the_beginning_and_one_at_the_end(messages, clock):
    assert told(messages, OPEN) == [("FailsoftCircuitOpen", "firing")]
    clock.now = 30
    assert told(messages, OPEN) == []
    clock.now = 60
    assert told(messages) == [("FailsoftCircuitOpen", "resolved")]
    clock.now = 1000
    assert told(messages) == []


def test_what_hovers_about_its_limit_is_told_once(messages, clock):
    said = []
    for clock.now in range(0, 600, 5):
        said += told(messages, *([TRANSIENT] if clock.now % 50 == 0 else []))
    assert said == [("FailsoftTransient", "firing")]


def test_a_share_is_over_a_minute_after_it_last_held(messages, clock):
    assert told(messages, TRANSIENT) == [("FailsoftTransient", "firing")]
    clock.now = 59
    assert told(messages) == []
    clock.now = 60
    assert told(messages) == [("FailsoftTransient", "resolved")]


def test_what_goes_on_is_told_again_after_the_time_of_the_settings(messages, clock):
    said = []
    for clock.now in range(0, 7201, 60):
        said += [clock.now for _ in told(messages, OPEN)]
    assert said == [0, 3600, 7200]


def test_a_note_is_told_once_a_day(messages, clock):
    said = []
    for clock.now in range(0, 2 * 86400, 600):
        said += [clock.now for _ in told(messages, NOTE)]
    assert said == [0, 86400]


def test_two_routes_are_two(messages):
    other = Firing(alert=OPEN.alert, subject="support")
    assert len(told(messages, OPEN, other)) == 2


def test_the_message_says_what_where_and_what_to_do(messages, clock):
    (said,) = messages.about([OPEN])
    assert said["text"].splitlines() == [
        f":rotating_light: FailsoftCircuitOpen (chat): {OPEN.alert.summary.rstrip('.')}",
        OPEN.alert.description,
        "What to do: docs/runbooks/circuit-open.md",
        "Status page: https://status.example.com",
    ]
    assert said["severity"] == "page"
    assert said["subject"] == "chat"
    assert said["began_at"] == "2027-01-15T08:00:00.000+00:00"
    clock.now = 300
    (over,) = messages.about([])
    assert over["text"].startswith(":white_check_mark: Over: FailsoftCircuitOpen (chat)")
    assert over["began_at"] == said["began_at"]


def test_a_share_is_told_in_percent(messages):
    (said,) = messages.about([TRANSIENT])
    assert "Now: 25.0%." in said["text"]
    assert "Status page" not in said["text"]
    assert said["value"] == 0.25


def finished(category="none", fault="", position=0):
    outcome = "success" if category == "none" else "error"
    return RequestFinished(
        at=0,
        route="chat",
        level="full",
        outcome=outcome,
        category=category,
        reason=category,
        fault=fault,
        target="anthropic/claude-opus-5-5",
        position=position if outcome == "success" else None,
        attempts=1,
        hops=0,
        duration_seconds=1,
    )


def failed(category):
    return AttemptFinished(
        at=0,
        target="anthropic/claude-opus-5-5",
        number=1,
        outcome="failure",
        category=category,
        reason=category,
        fault="operator",
        duration_seconds=1,
        first_content_seconds=None,
        detail="",
    )


def fire(evaluator, *events):
    for event in events:
        evaluator.hear(event)
    return [one.alert.name for one in evaluator.firing(FINE)]


def test_nineteen_requests_do_not_and_the_twentieth_does(clock):
    evaluator = Evaluator(clock)
    assert fire(evaluator, *[finished("transient", "provider")] * 19) == []
    assert fire(evaluator, finished("transient", "provider")) == ["FailsoftTransient"]


def test_a_flood_of_declined_messages_is_nothing(clock):
    evaluator = Evaluator(clock)
    assert fire(evaluator, *[finished("content_policy", "user")] * 5000, finished()) == []


def test_the_second_target_serves(clock):
    evaluator = Evaluator(clock)
    assert fire(evaluator, *[finished()] * 19, finished(position=1)) == []
    assert fire(evaluator, finished(position=2)) == ["FailsoftFallback"]


def test_the_first_refused_key_is_told(clock):
    assert fire(Evaluator(clock), failed("auth_error")) == ["FailsoftAuthOrBilling"]
    assert fire(Evaluator(clock), failed("transient")) == []


def test_five_minutes_later_it_is_over(clock):
    evaluator = Evaluator(clock)
    assert fire(evaluator, failed("auth_error"))
    clock.now = 299
    assert fire(evaluator)
    clock.now = 301
    assert fire(evaluator) == []


def test_a_rise_is_of_one_whole_day_over_another(clock):
    evaluator = Evaluator(clock)
    declined = finished("content_policy", "user")
    for hour in range(96):
        clock.now = hour * 3600.0
        names = fire(evaluator, *[declined] * (1 if hour < 72 else 4))
        assert names == (["FailsoftContentPolicyRise"] if hour >= 80 else []), hour
