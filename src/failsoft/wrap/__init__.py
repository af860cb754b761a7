"""``failsoft.wrap``: an SDK client that fails soft, and stays the client it was."""

from failsoft.wrap.answer_of import answer_of
from failsoft.wrap.wrap import wrap

__all__ = ["answer_of", "wrap"]
