"""Every test in a folder of its own: the service keeps its request log where it is started."""

import pytest


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
