"""The nearest vectors come in order, however many are near."""

import numpy as np

from failsoft.ladder.cache.vectors import Vectors


def test_all_that_are_near_enough_come_best_first_and_once():
    angles = np.random.default_rng(1).permutation(100) / 100
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    vectors = Vectors(2)
    given = [(number, 0.0, row.tobytes()) for number, row in enumerate(rows)]
    vectors.add(given, since=0.0, at_most=1000)
    found = list(vectors.nearest(np.array([1, 0], np.float32), 0.6))
    near = [number for number in np.argsort(angles) if rows[number][0] >= 0.6]
    assert [number for number, _ in found] == near
    assert len(near) > 50
