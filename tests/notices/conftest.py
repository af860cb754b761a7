"""What the tests of notices share: the bundled catalogue, a folder of overrides, verdicts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from failsoft.classify.verdict import (
    BreakerEffect,
    ErrorCategory,
    Fault,
    NextModel,
    OtherProvider,
    RetrySame,
    Verdict,
)
from failsoft.notices import Catalogue

Write = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file into the folder of overrides and returns the folder."""

    def write_file(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write_file


@pytest.fixture
def verdict() -> Callable[[str, str], Verdict]:
    def make(category: str, reason: str) -> Verdict:
        return Verdict(
            category=ErrorCategory(category),
            reason=reason,
            retry_same=RetrySame.NEVER,
            try_next_model=NextModel.NO,
            try_other_provider=OtherProvider.NO,
            breaker=BreakerEffect.NO,
            fault=Fault.PROVIDER,
            internal_detail="anthropic.APIStatusError: 529 overloaded_error sk-ant-secret",
        )

    return make
