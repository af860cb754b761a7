"""Hypothesis: the same examples in every run, or with ``make explore`` other ones in each."""

from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine alone.
settings.register_profile(
    "tests",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore",
    settings.get_profile("tests"),
    derandomize=False,
    print_blob=True,  # what fails becomes a test: `@reproduce_failure`, then an `@example`
)
settings.load_profile("tests")
