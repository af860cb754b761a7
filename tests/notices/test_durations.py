"""Waits and ages in words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.notices import Catalogue
from failsoft.notices.locale_file import whole_seconds

WORDS = Catalogue.load().language("en").durations
SIZES = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "a moment"),
        (-3, "a moment"),
        (0, "a moment"),
        (0.2, "1 second"),
        (1, "1 second"),
        (29.1, "30 seconds"),
        (60, "1 minute"),
        (61, "61 seconds"),
        (119.2, "2 minutes"),
        (121, "3 minutes"),
        (300, "5 minutes"),
        (3600, "1 hour"),
        (4000, "67 minutes"),
        (86_400, "1 day"),
        (31 * 86_400, "31 days"),
        (math.inf, "a moment"),
    ],
)
def test_a_wait(seconds, words):
    assert WORDS.wait(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "earlier"),
        (math.nan, "earlier"),
        (-5, "less than a minute ago"),
        (59.9, "less than a minute ago"),
        (60, "1 minute ago"),
        (119, "119 seconds ago"),
        (10_900, "3 hours ago"),
        (86_399, "23 hours ago"),
    ],
)
def test_an_age(seconds, words):
    assert WORDS.age(seconds) == words


def in_seconds(words):
    number, unit = words.split()[:2]
    return int(number) * SIZES[unit.removesuffix("s")]


@given(st.floats(min_value=0.001, max_value=1e8))
def test_a_wait_is_never_said_shorter_than_it_is_nor_half_longer(seconds):
    said = in_seconds(WORDS.wait(seconds))
    assert seconds <= said <= max(1, 1.5 * math.ceil(seconds))


@given(st.floats(min_value=60, max_value=1e8))
def test_an_age_is_never_said_older_than_it_is_nor_half_younger(seconds):
    said = in_seconds(WORDS.age(seconds))
    assert seconds / 1.5 - 1 <= said <= seconds


@pytest.mark.parametrize(
    ("seconds", "whole"), [(None, None), (math.nan, None), (-1, 0), (0.0, 0), (0.01, 1), (5, 5)]
)
def test_whole_seconds(seconds, whole):
    assert whole_seconds(seconds) == whole
