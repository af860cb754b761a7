import pytest
from cache_kit import read_word_lists


@pytest.fixture(scope="session", autouse=True)
def _word_lists() -> None:
    read_word_lists()
