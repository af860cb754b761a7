from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def toml(workdir: Path) -> Callable[[str], Path]:
    """Write ``failsoft.toml`` in the working directory."""

    def write(text: str) -> Path:
        path = workdir / "failsoft.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
