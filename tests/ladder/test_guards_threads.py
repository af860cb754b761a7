"""The loop and the cache's thread ask at once."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from failsoft.ladder.paraphrase.language import Inflection

ENDINGS = ["ungen", "lichkeit", "en", "est", "ern"]


@pytest.fixture
def switching():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("switching")
def test_threads_do_not_mix_their_words():
    chance = random.Random(2)
    roots = ("".join(chance.choices("aeioubdrstnlkmgh", k=9)) for _ in range(400))
    words = [root + chance.choice(ENDINGS) for root in roots]
    alone = Inflection("german", {}, ())
    right = [alone.key(word) for word in words]
    for _ in range(3):
        shared = Inflection("german", {}, ())
        with ThreadPoolExecutor(4) as threads:
            lots = [threads.submit(lambda key=shared.key: list(map(key, words))) for _ in range(4)]
        assert [lot.result() for lot in lots] == [right] * 4
