"""Vectors made on this machine, and what is said where they cannot be."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from failsoft.degrade.embedder import WordllamaEmbedder
from failsoft.errors import SettingError


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


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", None)
    for use in (WordllamaEmbedder().load, lambda: WordllamaEmbedder().name):
        with pytest.raises(SettingError, match=r"pip install failsoft\[cache\]"):
            use()
