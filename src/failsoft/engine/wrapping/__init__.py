"""``failsoft.wrap``: an SDK client that fails soft, and stays the client it was."""

from failsoft.engine.wrapping.told import answer_of
from failsoft.engine.wrapping.wrap import wrap

__all__ = ["answer_of", "wrap"]
