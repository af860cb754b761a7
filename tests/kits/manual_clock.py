"""A clock that stands still until a test moves it."""


class ManualClock:
    """Call it for the time in seconds; add to ``now`` to move it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        """The same time in seconds of the calendar, in January 2027."""
        return 1_800_000_000 + self.now
