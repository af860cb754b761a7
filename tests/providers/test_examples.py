"""The examples of the docstrings run."""

import doctest
from types import ModuleType

import pytest

from failsoft.providers import anthropic_message, sse


@pytest.mark.parametrize("module", [anthropic_message, sse], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)

    assert result.attempted > 0
    assert result.failed == 0
