"""The sliding window against a plain list of everything that was ever counted."""

from hypothesis import given
from hypothesis import strategies as st

from failsoft.policy.window import Window

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.5, 1.0, 5.9, 6.0, 30.0, 59.9, 60.0, 4000.0]), st.booleans()
    ),
    max_size=60,
)


class Naive:
    """Everything that was counted, by the number of its bucket."""

    def __init__(self, seconds: float, buckets: int) -> None:
        self.width, self.buckets = seconds / buckets, buckets
        self.counted: list[tuple[int, bool]] = []

    def add(self, now: float, *, marked: bool) -> None:
        self.counted.append((int(now / self.width), marked))

    def totals(self, now: float) -> tuple[int, int]:
        oldest = int(now / self.width) - self.buckets + 1
        recent = [marked for epoch, marked in self.counted if epoch >= oldest]
        return len(recent), sum(recent)


@given(start=st.floats(100, 1e7), buckets=st.sampled_from([1, 3, 10]), steps=STEPS)
def test_it_agrees_with_a_list(start, buckets, steps):
    window, naive, now = Window(60.0, buckets), Naive(60.0, buckets), start
    assert window.totals(now) == (0, 0)
    for advance, marked in steps:
        now += advance
        window.add(now, marked=marked)
        naive.add(now, marked=marked)
        assert window.totals(now) == naive.totals(now)
        assert window.totals(now + 17.0) == naive.totals(now + 17.0)


def test_after_an_idle_hour_nothing_stale_is_left():
    window = Window(30.0, 10)
    for call in range(121):
        window.add(1000.0 + call / 10, marked=True)
    assert window.totals(1012.0) == (121, 121)
    assert window.totals(1000.0 + 3600) == (0, 0)
    window.add(1000.0 + 3600, marked=True)
    assert window.totals(1000.0 + 3600) == (1, 1)


def test_it_slides_bucket_by_bucket():
    window = Window(10.0, 10)
    for second in range(10):
        window.add(100.0 + second, marked=second % 2 == 0)
    assert [window.totals(109.0 + later) for later in (0, 1, 5, 9, 10)] == [
        (10, 5),
        (9, 4),
        (5, 2),
        (1, 0),
        (0, 0),
    ]


def test_it_can_be_cleared_and_filled_again():
    window = Window(10.0, 10)
    window.add(1000.0, marked=True)
    window.clear()
    assert window.totals(1000.0) == (0, 0)
    window.add(1000.0)
    assert window.totals(1000.0) == (1, 0)


def test_a_cleared_window_is_empty_at_any_reading_of_the_clock():
    """In the first ``buckets - 1`` buckets of a clock the empty mark looks like a recent epoch."""
    window = Window(60.0, 10)
    for _ in range(40):
        window.add(5.0, marked=True)
    window.clear()
    assert window.totals(5.0) == (0, 0)
