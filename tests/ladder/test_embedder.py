"""Vectors made on this machine, and what is said where they cannot be."""

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from failsoft.errors import MissingExtraError
from failsoft.ladder.embedder import WordllamaEmbedder


def test_vectors_are_of_unit_length_and_alike_for_like_questions():
    embedder = WordllamaEmbedder()
    one, other, third = map(
        embedder.embed, ("reset my password", "change my password", "price of a parcel")
    )
    assert one.shape == (embedder.dimensions,)
    assert one.dtype == np.float32
    assert float(one @ one) == pytest.approx(1.0)
    assert one @ other > one @ third


def test_a_text_without_words_has_a_vector_of_zeros():
    assert not WordllamaEmbedder().embed("").any()


def test_the_name_tells_the_version_of_the_weights():
    assert WordllamaEmbedder().name.startswith("wordllama 0.")


def test_threads_share_one_model():
    embedder = WordllamaEmbedder()
    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(embedder.embed, ["how do i pay"] * 32))
    assert all((vector == vectors[0]).all() for vector in vectors)


def test_a_process_has_the_weights_once():
    one, other = WordllamaEmbedder(), WordllamaEmbedder()
    one.load()
    other.load()
    assert one._model.embedding is other._model.embedding


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", None)
    for use in (WordllamaEmbedder().load, lambda: WordllamaEmbedder().name):
        with pytest.raises(
            MissingExtraError, match=r"cache\.semantic.* pip install 'failsoft\[cache\]'"
        ):
            use()


_LOADS = """
import logging, sys, threading
from failsoft.ladder.embedder import WordllamaEmbedder

begun = threading.Event()

class Seen:
    def find_spec(self, name, path=None, target=None):
        if name == "wordllama.inference":  # its import is under way
            other = threading.Thread(target=logging.basicConfig, kwargs={"level": logging.ERROR})
            if "other" in sys.argv:
                other.start()
                other.join()
            begun.set()

sys.meta_path.insert(0, Seen())
WordllamaEmbedder().embed("How do I pay?")
assert begun.is_set()
print(logging.root.level, len(logging.root.handlers))
"""


@pytest.mark.parametrize(
    ("argument", "left"), [("alone", [logging.WARNING, 0]), ("other", [logging.ERROR, 1])]
)
def test_loading_it_leaves_the_program_s_logging_alone(argument, left):
    loads = subprocess.run(  # noqa: S603 - our own lines
        [sys.executable, "-c", _LOADS, argument], capture_output=True, text=True, check=True
    )
    assert list(map(int, loads.stdout.split())) == left
