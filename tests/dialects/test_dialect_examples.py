"""The examples of the docstrings run."""

import doctest
import importlib

import pytest

MODULES = (
    "answer_schema",
    "chat_format",
    "chat_request",
    "chat_stream",
    "completion",
    "json_values",
    "messages_request",
    "messages_stream",
    "normal_form",
    "signed_thought",
    "token_usage",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"failsoft.dialects.{name}"))

    assert result.attempted > 0
    assert result.failed == 0
