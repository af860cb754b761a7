"""Turns a question into a vector, on this machine: the network may be down with the model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any, Protocol

from failsoft.errors import extra
from failsoft.forks import in_every_child

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embedder", "WordllamaEmbedder"]


class Embedder(Protocol):
    """What the semantic tier asks of an embedder; blocking, and safe under threads."""

    @property
    def name(self) -> str:
        """Which weights: vectors of different names are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def threshold(self) -> float:
        """The cosine similarity that its evaluation supports together with the guards."""
        ...

    def embed(self, text: str) -> NDArray[np.float32]:
        """A vector of unit length."""
        ...


class WordllamaEmbedder:
    """WordLlama's static embeddings, whose weights come with the package: about 0.1 ms a question.

    Nothing is loaded before :meth:`load` or the first :meth:`embed`. All of a process share the
    weights, 70 MB.
    """

    dimensions = 256
    threshold = 0.5

    def __init__(self) -> None:
        self._model: Any = None
        self._name: str | None = None

    @property
    def name(self) -> str:
        """Package, its version and the dimensions. Raises MissingExtraError without the extra."""
        if self._name is None:
            _wordllama.package()
            self._name = f"wordllama {version('wordllama')} {self.dimensions}"
        return self._name

    def load(self) -> None:
        """Read the weights, once: 0.5 s. Raises MissingExtraError without the extra."""
        self._model = _wordllama.model()

    def embed(self, text: str) -> NDArray[np.float32]:
        """The vector of that text, zero for one without any word."""
        if self._model is None:
            self.load()
        whole = text.encode(errors="replace").decode()  # half a character has no bytes
        # Its own embed hands one text to a pool of threads, and waits until one has time.
        words = self._model.tokenizer.encode(whole, add_special_tokens=False).ids
        vector: NDArray[np.float32] = self._model.embedding[words].sum(axis=0)
        length = float(vector @ vector) ** 0.5
        return vector / length if length else vector


class _Wordllama:
    """The package, an extra whose import takes half a second, and its model."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._model: Any = None
        in_every_child(self._forked)

    def _forked(self) -> None:
        self._lock = Lock()

    def package(self) -> Any:
        """The package. Raises MissingExtraError where it is not installed."""
        with self._lock:
            return self._imported()

    def model(self) -> Any:
        """Its model, loaded. Raises MissingExtraError where it is not installed."""
        with self._lock:
            package = self._imported()
            if self._model is None:
                # Given its own tokenizer's path, it asks the network for nothing.
                self._model = package.WordLlama.load(
                    cache_dir=Path(package.__file__).parent, disable_download=True
                )
            return self._model

    @staticmethod
    def _imported() -> Any:
        with extra("cache", "finding like questions (cache.semantic)"), _logging_left_alone():
            import wordllama  # noqa: PLC0415 - an extra, and slow
        return wordllama


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """Wordllama sets up logging for the whole program when it is imported: not in our name.

    Only what this thread says is not heard; the program may be setting it up meanwhile.
    """
    kept, here = logging.basicConfig, get_ident()

    def basic_config(**given: Any) -> None:
        if get_ident() != here:
            kept(**given)

    logging.basicConfig = basic_config
    try:
        yield
    finally:
        logging.basicConfig = kept


_wordllama = _Wordllama()
