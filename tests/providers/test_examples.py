"""The examples of the docstrings run."""

import doctest
from types import ModuleType

import pytest

from failsoft.providers import anthropic_stream as assemble
from failsoft.providers import sse


@pytest.mark.parametrize("module", [assemble, sse], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)

    assert result.attempted > 0
    assert result.failed == 0
