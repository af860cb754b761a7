"""Hypothesis: the same examples in every run, or with ``make explore`` other ones in each.

Long modules first, so that no worker is left alone with one in the end.
"""

import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine alone.
settings.register_profile(
    "tests",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore",
    settings.get_profile("tests"),
    derandomize=False,
    print_blob=True,  # what fails becomes a test: `@reproduce_failure`, then an `@example`
)
settings.load_profile("tests")

# Processes that tests start inherit what nohup or a shell's background has them ignore.
for _number, _default in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)


@pytest.fixture(scope="session", autouse=True)
def _own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What processes leave behind that tests kill is taken away with the tests' own folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patch.setattr(tempfile, "tempdir", None)
        yield


# They wait for processes, browsers and clocks.
_LONG = (
    "cli/test_cli_alerts.py",
    "engine/test_shared_faults.py",
    "web/test_playground_page.py",
    "examples/test_fails_soft.py",
    "cli/test_cli_demo.py",
    "docs/test_code_blocks.py",
    "server/test_requests_redis.py",
    "server/test_requests_processes.py",
    "cli/test_cluster.py",
    "web/test_looks.py",
    "docs/test_testing_doc.py",
    "wrap/test_wrap_failures.py",
    "shared_state/test_led_model.py",
    "server/test_drain.py",
    "peers/test_peers_running.py",
    "web/test_chat_element.py",
    "cli/test_cli_drill.py",
    "engine/test_against_simulator.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the long modules first."""
    places = {name: place for place, name in enumerate(_LONG)}

    def place(item: pytest.Item) -> int:
        return places.get("/".join(item.path.parts[-2:]), len(_LONG))

    items.sort(key=place)
