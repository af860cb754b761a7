"""Every test in a folder of its own: what is saved is saved where the service is started."""

import numpy as np  # Hypothesis looks at it, also while the cache's thread is importing it
import pytest
from server_kit import close_made, made

assert np.ndarray


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = made()
    yield
    close_made(since=before)
